-- evidence: crowd, for the reader, who adds it up to a pool.
-- in:  crowd
-- out: creditor, prof, ch, ripe_day, looked, paid (see crowd)
SELECT creditor, prof, ch, ripe_day, looked, paid FROM crowd
