-- past: what was known of the debtor when an invoice was issued: the history that
-- the pay hazard sees for as long as the invoice is open, in training and in
-- serving.
-- in:  moment (debtors at the issue of each invoice), bill, payment, natural, invoices, who
-- out: one row per invoice: iid, zid, creditor_id, debtor_id, invoice_id,
--      days_late_mean (days, shrunk to 0 with the weight of two invoices),
--      share_paid_before_due and share_paid_after_reminder (shrunk to 1/2 with
--      two), natural_rate (payments + 0.6) / (days + 30), invoices_paid (count),
--      share_overdue (of the invoices paid or overdue, those that are overdue;
--      shrunk to 0 with two)
-- Leak guard: the vector at the moment of issue.
SELECT iid, zid, creditor_id, debtor_id, invoice_id,
       (coalesce(days_late_mean * invoices_paid, 0) / (coalesce(invoices_paid, 0) + 2))::DOUBLE AS days_late_mean,
       ((coalesce(share_paid_before_due * invoices_paid, 0) + 1) / (coalesce(invoices_paid, 0) + 2))::DOUBLE AS share_paid_before_due,
       ((coalesce(share_paid_after_reminder * invoices_paid, 0) + 1) / (coalesce(invoices_paid, 0) + 2))::DOUBLE AS share_paid_after_reminder,
       ((coalesce(natural_payments, 0) + 0.6) / (coalesce(natural_days, 0) + 30))::DOUBLE AS natural_rate,
       coalesce(invoices_paid, 0)::DOUBLE AS invoices_paid,
       (coalesce(overdue_invoices, 0) / (coalesce(invoices_paid, 0) + coalesce(overdue_invoices, 0) + 2))::DOUBLE AS share_overdue
FROM bill JOIN moment ON moment.did = bill.did AND moment.upto = bill.issued
JOIN (SELECT number_of(seed, invoice_id) AS iid, invoice_id FROM invoices JOIN who USING (creditor_id, debtor_id)) USING (iid)
LEFT JOIN payment USING (pid) LEFT JOIN "natural" USING (pid)
