-- touch: the fate of each contact.
-- in:  sent, sign, receipt
-- out: the columns of sent; delivered, bounced, opened, answered, opted_out
--      (us of the first, or NULL), noticed (us of the first human sign),
--      paid (us of the next payment), unread_from, unread_to (local hours: when
--      this contact, and none before it, lay unread; at most 96 hours)
-- Leak guard: each moment counts only where it is <= upto. All of them are
-- firsts, so what comes later does not move them.
WITH fate AS (
    SELECT cid,
           min(at_us) FILTER (kind = 'delivered') AS delivered,
           min(at_us) FILTER (kind = 'bounced') AS bounced,
           min(at_us) FILTER (looked AND NOT machine) AS opened,
           min(at_us) FILTER (replied AND NOT machine) AS answered,
           min(at_us) FILTER (kind = 'unsubscribed') AS opted_out,
           min(at_us) FILTER ((looked OR replied) AND NOT machine) AS noticed,
           min(hour) FILTER ((looked OR replied) AND NOT machine) AS noticed_hour
    FROM sign WHERE cid IS NOT NULL
    GROUP BY cid
)
SELECT cid, did, contact_id, ch, tone, sent, sent_day, sent_hour, nth, nth_ch,
       delivered, bounced, opened, answered, opted_out, noticed, paid,
       greatest(sent_hour, max(unread_to) OVER (
           PARTITION BY did ORDER BY nth ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS unread_from,
       unread_to
FROM (
    SELECT s.*, fate.* EXCLUDE (cid), r.paid,
           least(sent_hour + 96, noticed_hour + 1) AS unread_to
    FROM sent s LEFT JOIN fate USING (cid)
    ASOF LEFT JOIN receipt r ON r.did = s.did AND s.sent < r.paid)
