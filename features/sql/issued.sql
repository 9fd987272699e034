-- issued: the invoices of the debtors asked for.
-- in:  who, clock, invoices, horizon
-- out: iid INTEGER, did, invoice_id, issued, known (us), issued_day, known_by (the
--      day by which it was known in every zone), due_day, cents, cancelled (us or
--      NULL)
-- An invoice is known from its issue or its event on, whichever is later. One
-- without date or amount, or of nothing, is no claim.
-- Leak guard: known no later than the horizon; later files compare with upto.
SELECT (row_number() OVER ())::INTEGER AS iid, did, invoice_id, issued, known,
       utc_day(issued + CASE WHEN issued >= change_us THEN after_us ELSE before_us END) AS issued_day,
       utc_day(known) + 1 AS known_by, coalesce(due_day, issued_day) AS due_day, cents, cancelled
FROM (
    SELECT did, zid, invoice_id, us(issued_at) AS issued, greatest(us(issued_at), us(observed_at)) AS known,
           day_number(due_on) AS due_day, cents(amount) AS cents, us(cancelled_at) AS cancelled
    FROM invoices JOIN who USING (creditor_id, debtor_id)
    WHERE amount > 0 AND issued_at <= (SELECT until FROM horizon)) v
JOIN clock ON clock.zid = v.zid AND clock.day = utc_day(issued)
WHERE known <= (SELECT us(until) FROM horizon)
