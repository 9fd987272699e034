-- touch: the fate of each contact.
-- in:  sent, sign, receipt
-- out: the columns of sent; delivered, bounced, opened, answered, opted_out
--      (us of the first, or NULL), noticed (us of the first human sign),
--      unread_to (local hour until which it lay unread; at most 96 hours), paid
--      (us of the next payment within 16 days or so; NULL: none as soon)
-- Contacts meet payments in stretches of 16 days: of the payments in its own
-- stretch and the next, each contact takes the first after it.
-- Leak guard: each moment counts only where it is <= upto. All of them are
-- firsts, so what comes later does not move them.
WITH fate AS (
    SELECT cid,
           min(CASE WHEN kind = 0 THEN at_us END) AS delivered,
           min(CASE WHEN kind = 1 THEN at_us END) AS bounced,
           min(CASE WHEN looked THEN at_us END) AS opened,
           min(CASE WHEN replied THEN at_us END) AS answered,
           min(CASE WHEN kind = 7 THEN at_us END) AS opted_out,
           min(CASE WHEN looked OR replied THEN hour END) AS noticed_hour
    FROM sign WHERE cid IS NOT NULL
    GROUP BY cid
), stretch AS (
    SELECT cid, did, sent, sent_day // 16 AS stretch FROM sent
    UNION ALL
    SELECT cid, did, sent, sent_day // 16 + 1 FROM sent
), next AS (
    SELECT cid, min(r.paid) AS paid
    FROM stretch s JOIN receipt r ON r.did = s.did AND r.paid_day // 16 = stretch AND r.paid > s.sent
    GROUP BY cid
)
SELECT s.*, fate.* EXCLUDE (cid), least(opened, answered) AS noticed, paid,
       least(sent_hour + 96, noticed_hour + 1) AS unread_to
FROM sent s LEFT JOIN fate USING (cid) LEFT JOIN next USING (cid)
