-- issued: the invoices of the debtors asked for.
-- in:  who, clock, invoices, horizon
-- out: iid INTEGER, did, invoice_id, issued (us), issued_day, due_day, cents,
--      cancelled (us or NULL)
-- An invoice without date or amount, or of nothing, is no claim.
-- Leak guard: issued no later than the horizon; later files compare with upto.
SELECT (row_number() OVER ())::INTEGER AS iid, did, invoice_id, issued,
       utc_day(issued + CASE WHEN issued >= change_us THEN after_us ELSE before_us END) AS issued_day,
       coalesce(due_day, issued_day) AS due_day, cents, cancelled
FROM (
    SELECT did, zid, invoice_id, us(issued_at) AS issued, day_number(due_on) AS due_day,
           (amount * 100)::BIGINT AS cents, us(cancelled_at) AS cancelled
    FROM invoices JOIN who USING (creditor_id, debtor_id)
    WHERE amount > 0 AND issued_at <= (SELECT until FROM horizon)) i
JOIN clock ON clock.zid = i.zid AND clock.day = utc_day(issued)
