// Package world is a synthetic creditor and the people who owe it money: it
// writes the files such a creditor would have, and it plays the debtors day by
// day, so that a policy can be tried before it meets anyone.
//
// Everything a debtor does follows from a world file, a seed and what was sent.
// Chance is a function of (seed, debtor, day, purpose) and never of the order
// of calls, so two policies that are compared on one seed meet the same people
// on the same days in the same moods (common random numbers).
//
// The package knows nothing of features, models or the engine, and they know
// nothing of it: only the command line and tests import it.
package world
