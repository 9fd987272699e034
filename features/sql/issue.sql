-- issue: past, by invoice.
-- in:  past
-- out: the columns of past but its numbering and count
SELECT * EXCLUDE (iid, zid, invoices_paid) FROM past
