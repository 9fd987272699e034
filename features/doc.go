// Package features turns what happened into what is known of each debtor: one
// behaviour vector per debtor as of a moment, a table of days at risk, and the
// outcome of every contact. The work is SQL over the relations of the
// warehouse, one embedded file a step, run by DuckDB and handed out as Arrow.
// It knows the warehouse and nothing of models.
//
// Every relation is read by name and as of a moment: the same text serves one
// moment for all debtors and trains on thousands of earlier ones, and nothing
// later than its moment moves a vector.
//
// Time. Moments guard against leakage to the microsecond; ages, decays and days
// past due are whole days on the debtor's own calendar. So within one local day
// the vector of a debtor changes only when something happens to that debtor, its
// region or its sector.
package features
