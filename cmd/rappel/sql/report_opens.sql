-- report_opens: every opening known to the second or the hour.
-- in:  engagements, contacts, debtors, creditors; $1 creditor, $2 as-of TIMESTAMPTZ
-- out: debtor_id, opened (unix seconds), hour (of the debtor's week, Monday 00:00
--      is 0), sent (unix seconds of the e-mail; 0 none), machine (flagged by
--      the sender), in order of debtor and time
-- Leak guard: reads only what lies at or before $2.
WITH zones AS (
    SELECT debtor_id, coalesce(nullif(arg_max(d.timezone, d.observed_at), ''), any_value(c.timezone)) AS zone
    FROM debtors d JOIN creditors c USING (creditor_id)
    WHERE creditor_id = $1 AND d.observed_at <= $2 GROUP BY debtor_id
)
SELECT e.debtor_id, epoch(occurred_at)::BIGINT AS opened,
       ((isodow(local) - 1) * 24 + hour(local))::INTEGER AS hour,
       CASE WHEN c.channel = 'email' THEN epoch(sent_at) ELSE 0 END::BIGINT AS sent, is_machine
FROM (SELECT *, timezone(zone, occurred_at) AS local FROM engagements JOIN zones USING (debtor_id)
      WHERE creditor_id = $1 AND occurred_at <= $2 AND "precision" <> 'date' AND kind IN ('opened', 'viewed', 'clicked')) e
LEFT JOIN contacts c ON c.creditor_id = $1 AND c.contact_id = e.contact_id
ORDER BY e.debtor_id, occurred_at, event_id
