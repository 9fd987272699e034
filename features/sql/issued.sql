-- issued: the invoices of the debtors asked for.
-- in:  who, clock, invoices, horizon
-- out: iid INTEGER, did, invoice_id, issued, known (us), issued_day, known_day,
--      due_day, cents, cancelled (us or NULL)
-- An invoice is known from its issue or its event on, whichever is later. One
-- without date or amount, or of nothing, is no claim.
-- Leak guard: known no later than the horizon; later files compare with upto.
SELECT (row_number() OVER ())::INTEGER AS iid, did, invoice_id, issued, known,
       utc_day(issued + CASE WHEN issued >= i.change_us THEN i.after_us ELSE i.before_us END) AS issued_day,
       utc_day(known + CASE WHEN known >= k.change_us THEN k.after_us ELSE k.before_us END) AS known_day,
       coalesce(due_day, issued_day) AS due_day, cents, cancelled
FROM (
    SELECT did, zid, invoice_id, us(issued_at) AS issued, us(greatest(issued_at, observed_at)) AS known,
           day_number(due_on) AS due_day, (amount * 100)::BIGINT AS cents, us(cancelled_at) AS cancelled
    FROM invoices JOIN who USING (creditor_id, debtor_id)
    WHERE amount > 0 AND issued_at <= (SELECT until FROM horizon)) v
JOIN clock i ON i.zid = v.zid AND i.day = utc_day(issued)
JOIN clock k ON k.zid = v.zid AND k.day = utc_day(known)
WHERE known <= (SELECT us(until) FROM horizon)
