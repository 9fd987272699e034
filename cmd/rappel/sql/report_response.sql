-- report_response: what became of contacts, by channel and how-manyth attempt.
-- in:  contacts, engagements, payments; $1 creditor, $2 as-of TIMESTAMPTZ
-- out: channel, attempt (since the debtor last paid; 6: sixth and later), sends,
--      signs (a person opened, clicked, viewed, replied or answered before the
--      next contact), paid_7d and paid_28d (a payment within so many days, of
--      the sends that have had the time), ripe_7d and ripe_28d (those sends)
-- Leak guard: reads only what lies at or before $2.
WITH touch AS (
    SELECT debtor_id, contact_id, channel, sent_at,
           lead(sent_at) OVER (PARTITION BY debtor_id ORDER BY sent_at, contact_id) AS next_at
    FROM contacts WHERE creditor_id = $1 AND sent_at <= $2
), paid AS (
    SELECT debtor_id, paid_at FROM payments WHERE creditor_id = $1 AND paid_at <= $2
), turned AS (
    SELECT touch.*, last.paid_at AS last_paid, next.paid_at AS next_paid
    FROM touch
    ASOF LEFT JOIN paid last ON last.debtor_id = touch.debtor_id AND last.paid_at <= touch.sent_at
    ASOF LEFT JOIN paid next ON next.debtor_id = touch.debtor_id AND next.paid_at > touch.sent_at
), counted AS (
    SELECT *, row_number() OVER (PARTITION BY debtor_id, last_paid ORDER BY sent_at, contact_id) AS attempt FROM turned
), human AS (
    SELECT debtor_id, contact_id, channel, occurred_at FROM engagements
    WHERE creditor_id = $1 AND occurred_at <= $2 AND NOT is_machine
      AND kind IN ('opened', 'viewed', 'clicked', 'replied', 'answered')
), seen AS (
    SELECT contact_id FROM human WHERE contact_id IS NOT NULL
    UNION
    SELECT counted.contact_id FROM counted JOIN human
      ON human.contact_id IS NULL AND human.debtor_id = counted.debtor_id AND human.channel = counted.channel
     AND human.occurred_at >= counted.sent_at AND (counted.next_at IS NULL OR human.occurred_at < counted.next_at)
)
SELECT channel, least(attempt, 6)::INTEGER AS attempt, count(*) AS sends,
       count(*) FILTER (seen.contact_id IS NOT NULL) AS signs,
       count(*) FILTER (next_paid < sent_at + INTERVAL 7 DAY AND sent_at <= $2::TIMESTAMPTZ - INTERVAL 7 DAY) AS paid_7d,
       count(*) FILTER (sent_at <= $2::TIMESTAMPTZ - INTERVAL 7 DAY) AS ripe_7d,
       count(*) FILTER (next_paid < sent_at + INTERVAL 28 DAY AND sent_at <= $2::TIMESTAMPTZ - INTERVAL 28 DAY) AS paid_28d,
       count(*) FILTER (sent_at <= $2::TIMESTAMPTZ - INTERVAL 28 DAY) AS ripe_28d
FROM counted LEFT JOIN seen USING (contact_id)
GROUP BY ALL ORDER BY channel, attempt
