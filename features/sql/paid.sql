-- paid: when the debtors paid.
-- in:  receipt
-- out: did, paid (us)
SELECT did, paid FROM receipt
