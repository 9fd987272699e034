-- report_payers: who pays when, and whether asked.
-- in:  report_bill; $1 as-of TIMESTAMPTZ
-- out: what (of the invoice), invoices, amount, days (median from issue to
--      settlement; NULL while open), late (median days past due then)
SELECT CASE WHEN settled_at IS NULL AND due_on >= timezone(zone, $1::TIMESTAMPTZ)::DATE THEN 'open_not_due'
            WHEN settled_at IS NULL THEN 'open_overdue'
            WHEN settled_on <= due_on AND contacts = 0 THEN 'in_time_unasked'
            WHEN settled_on <= due_on THEN 'in_time_asked'
            WHEN contacts = 0 THEN 'late_unasked'
            ELSE 'late_asked' END AS what,
       count(*) AS invoices, sum(amount)::DOUBLE AS amount,
       median(settled_on - timezone(zone, issued_at)::DATE)::DOUBLE AS days,
       median(settled_on - due_on)::DOUBLE AS late
FROM report_bill GROUP BY what
