-- receipt: the payments of the debtors asked for, and on what.
-- in:  who, clock, payments, issued, horizon
-- out: did, paid (us), paid_day, cents, method (number), and of the invoice, NULL
--      where it is not known: iid, known (us), due_day, owed (cents)
-- Leak guard: paid no later than the horizon; later files compare with upto.
SELECT p.did, iid, known, paid,
       utc_day(paid + CASE WHEN paid >= change_us THEN after_us ELSE before_us END) AS paid_day,
       p.cents, method, due_day, issued.cents AS owed
FROM (
    SELECT did, zid, invoice_id, us(paid_at) AS paid, cents(amount) AS cents,
           method_number(method) AS method
    FROM payments JOIN who USING (creditor_id, debtor_id)
    WHERE paid_at <= (SELECT until FROM horizon)) p
LEFT JOIN issued ON issued.did = p.did AND issued.invoice_id = p.invoice_id
JOIN clock ON clock.zid = p.zid AND clock.day = utc_day(paid)
