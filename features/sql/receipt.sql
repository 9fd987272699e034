-- receipt: the payments of the debtors asked for, and on what.
-- in:  who, clock, payments, issued
-- out: did, paid (us), paid_day, cents, method (number), and of the invoice, NULL
--      where it is not known: iid, issued and known (us),
--      due_day, owed (cents)
-- Leak guard: paid no later than the horizon; later files compare with upto.
SELECT p.did, issued.iid, issued, known, paid, utc_day(local(paid, before_us, change_us, after_us)) AS paid_day, p.cents, method, due_day, issued.cents AS owed
FROM (
    SELECT did, zid, number_of(seed, invoice_id) AS iid, us(paid_at) AS paid, cents(amount) AS cents, method_number(method) AS method
    FROM payments JOIN who USING (creditor_id, debtor_id)
    WHERE paid_at <= horizon()) p
LEFT JOIN issued ON issued.iid = p.iid
JOIN clock ON slot = slot(zid, utc_day(paid))
