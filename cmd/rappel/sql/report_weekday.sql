-- report_weekday: payments by the weekday of the debtor's calendar.
-- in:  payments, report_bill; $1 creditor, $2 as-of TIMESTAMPTZ
-- out: weekday (0 Monday), payments, amount
SELECT (isodow(timezone(zone, paid_at)) - 1)::INTEGER AS weekday, count(*) AS payments, sum(p.amount)::DOUBLE AS amount
FROM payments p JOIN report_bill USING (invoice_id)
WHERE p.creditor_id = $1 AND paid_at <= $2
GROUP BY weekday ORDER BY weekday
