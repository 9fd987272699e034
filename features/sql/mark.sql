-- mark: a fingerprint of what each debtor adds to pool.
-- in:  crowd, moment (one as_of)
-- out: creditor_id, debtor_id, mark UBIGINT, for debtors that add anything
-- Leak guard: ripe_day <= today.
SELECT creditor_id, debtor_id, (sum(hash(c.prof, ch, ripe_day, looked, paid) // 4294967296)::UBIGINT) AS mark
FROM crowd c JOIN moment USING (did)
WHERE ripe_day <= today
GROUP BY creditor_id, debtor_id
