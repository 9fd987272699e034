-- invoices_of: the invoices of a debtor, packed for the reader, who puts them in
-- order.
-- in:  moment, bill
-- out: pid; late (of one that is paid: second of settlement * 2^20 + days late
--      + 2^19; else NULL), issued_day
-- Leak guard: invoices with known <= upto; settled and cancelled count only where
-- they are <= upto.
SELECT pid, CASE WHEN settled <= upto THEN settled // 1000000 * 1048576 + bounded(settled_day - due_day) + 524288 END AS late,
       issued_day::BIGINT AS issued_day
FROM moment JOIN bill USING (did)
WHERE known <= upto AND (cancelled IS NULL OR cancelled > upto)
