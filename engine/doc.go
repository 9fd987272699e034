// Package engine decides for each debtor when, over which channel and in which
// tone to ask for money, logs the exact probability of what it chose, and
// learns from what the debtor does. Its only clock is the as-of moment of a
// question. It knows nothing of HTTP.
package engine
