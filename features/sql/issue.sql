-- issue: past, by invoice.
-- in:  past
-- out: the columns of past but its numbering
SELECT * EXCLUDE (iid, zid) FROM past
