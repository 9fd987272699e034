-- paying: the payments on invoices that are known.
-- in:  receipt
-- out: did, iid, issued and paid (us), paid_day, cents, owed (cents)
SELECT did, iid, issued, paid, paid_day::BIGINT AS paid_day, cents, owed FROM receipt WHERE iid IS NOT NULL
