-- issued: the invoices of the debtors asked for.
-- in:  who, clock, invoices
-- out: iid UBIGINT (number of an invoice of a debtor), did, issued, known (us),
--      issued_day, known_by (the day by which it was known in every zone),
--      due_day, cents, cancelled (us or NULL)
-- An invoice is known from its issue or its event on, whichever is later. One
-- without date or amount, or of nothing, is no claim.
-- Leak guard: known no later than the horizon; later files compare with upto.
SELECT iid, did, issued, known, utc_day(local(issued, before_us, change_us, after_us)) AS issued_day,
       utc_day(known) + 1 AS known_by, coalesce(due_day, utc_day(local(issued, before_us, change_us, after_us))) AS due_day, cents, cancelled
FROM (
    SELECT number_of(seed, invoice_id) AS iid, did, zid, us(issued_at) AS issued, greatest(us(issued_at), us(observed_at)) AS known,
           day_number(due_on) AS due_day, cents(amount) AS cents, us(cancelled_at) AS cancelled
    FROM invoices JOIN who USING (creditor_id, debtor_id)
    WHERE amount > 0 AND issued_at <= horizon() AND (observed_at <= horizon() OR observed_at IS NULL))
JOIN clock ON slot = slot(zid, utc_day(issued))
