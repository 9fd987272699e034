-- report_bill: one row per invoice of a creditor that stands as of a moment.
-- in:  invoices, payments, contacts, debtors, creditors; $1 creditor, $2 as-of TIMESTAMPTZ
-- out: invoice_id, debtor_id, zone, issued_at, due_on, amount, settled_at (NULL:
--      open), settled_on (local), open (what is owed), contacts (between issue
--      and settlement, or so far)
-- Leak guard: reads only what lies at or before $2.
CREATE OR REPLACE TEMP TABLE report_bill AS
WITH zones AS (
    SELECT debtor_id, coalesce(nullif(arg_max(d.timezone, d.observed_at), ''), any_value(c.timezone)) AS zone
    FROM debtors d JOIN creditors c USING (creditor_id)
    WHERE creditor_id = $1 AND d.observed_at <= $2 GROUP BY debtor_id
), standing AS (
    SELECT invoice_id, debtor_id, coalesce(zone, 'UTC') AS zone, issued_at, due_on, amount
    FROM invoices LEFT JOIN zones USING (debtor_id)
    WHERE creditor_id = $1 AND observed_at <= $2 AND issued_at <= $2 AND (cancelled_at IS NULL OR cancelled_at > $2)
), received AS (
    SELECT invoice_id, paid_at,
           sum(p.amount) OVER (PARTITION BY invoice_id ORDER BY paid_at, payment_id) AS so_far, s.amount
    FROM payments p JOIN standing s USING (invoice_id)
    WHERE p.creditor_id = $1 AND paid_at <= $2
), settled AS (
    SELECT invoice_id, min(paid_at) FILTER (so_far >= amount) AS settled_at, max(so_far) AS paid
    FROM received GROUP BY invoice_id
), asked AS (
    SELECT invoice_id, count(*) AS contacts
    FROM contacts k JOIN standing s USING (debtor_id) LEFT JOIN settled USING (invoice_id)
    WHERE k.creditor_id = $1 AND k.sent_at <= $2 AND k.sent_at >= s.issued_at
      AND (settled_at IS NULL OR k.sent_at < settled_at)
      AND (len(k.invoice_ids) = 0 OR list_contains(k.invoice_ids, invoice_id))
    GROUP BY invoice_id
)
SELECT invoice_id, debtor_id, zone, issued_at, due_on, amount::DOUBLE AS amount, settled_at,
       timezone(zone, settled_at)::DATE AS settled_on,
       CASE WHEN settled_at IS NULL THEN greatest(amount - coalesce(paid, 0), 0) ELSE 0 END::DOUBLE AS open,
       coalesce(contacts, 0) AS contacts
FROM standing LEFT JOIN settled USING (invoice_id) LEFT JOIN asked USING (invoice_id)
