-- parts_of: what was paid on invoices that are still open.
-- in:  moment, bill, receipt
-- out: pid; cents, overdue (0 or 1)
-- Leak guard: paid and known <= upto; settled and cancelled count only where they
-- are <= upto.
SELECT pid, receipt.cents, (receipt.due_day < today)::BIGINT AS overdue
FROM receipt JOIN (SELECT iid, settled, known, cancelled FROM bill WHERE partly) b USING (iid)
JOIN moment USING (did)
WHERE paid <= upto AND b.known <= upto AND (settled IS NULL OR settled > upto) AND (cancelled IS NULL OR cancelled > upto)
