-- bill: the life of each invoice.
-- in:  issued, settled, sent
-- out: the columns of issued, settled (us or NULL), settled_day, contacts
--      (between issue and settlement), gap (days from the issue of the one known before it)
-- Leak guard: settled, contacts and cancelled count only where they are <= upto;
-- gap looks back.
SELECT i.iid, i.did, i.invoice_id, i.issued, i.issued_day, i.known, i.known_day, i.due_day, i.cents, i.cancelled,
       i.settled, i.settled_day,
       CASE WHEN i.settled IS NOT NULL THEN coalesce(late.nth, 0) - coalesce(early.nth, 0) END AS contacts,
       i.gap
FROM (SELECT *, issued_day - lag(issued_day) OVER (PARTITION BY did ORDER BY known, invoice_id) AS gap
      FROM issued LEFT JOIN settled USING (iid)) i
ASOF LEFT JOIN sent early ON early.did = i.did AND early.sent <= i.issued
ASOF LEFT JOIN sent late ON late.did = i.did AND late.sent < i.settled
