-- invoices_of: the invoices of a debtor, for the reader, who adds them up and puts
-- them in order.
-- in:  moment, bill
-- out: pid; late (of one that is paid: second of settlement * 2^20 + days late
--      + 2^19; else NULL), issued_day, due_day, cents, contacts (before it was
--      settled; NULL while open), overdue (0 or 1)
-- Leak guard: invoices with known <= upto; settled and cancelled count only where
-- they are <= upto.
SELECT pid, late, issued_day::BIGINT AS issued_day, due_day::BIGINT AS due_day, cents, contacts,
       (late IS NULL AND due_day < today)::BIGINT AS overdue
FROM (
    SELECT pid, today, issued_day, due_day, cents, contacts,
           CASE WHEN settled <= upto THEN settled // 1000000 * 1048576 + bounded(settled_day - due_day) + 524288 END AS late
    FROM moment JOIN bill USING (did)
    WHERE known <= upto AND (cancelled IS NULL OR cancelled > upto))
