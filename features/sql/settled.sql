-- settled: when the payments on an invoice first added up to its amount. That
-- moment depends on earlier payments only, so it may be found once for all
-- points; each point then asks whether it lies after upto. Most invoices are paid
-- at once: only for the others are payments put in order.
-- in:  receipt
-- out: per invoice with a payment: iid, settled (us or NULL), settled_day, partly
--      (a payment came that left something open)
WITH total AS (
    SELECT iid, count(*) AS n, sum(cents) >= min(owed) AS whole, min(paid) AS paid, min(paid_day) AS paid_day
    FROM receipt WHERE iid IS NOT NULL GROUP BY iid
), so_far AS (
    SELECT iid, paid, paid_day, r.owed, sum(r.cents) OVER (PARTITION BY iid ORDER BY paid) AS cents
    FROM receipt r SEMI JOIN (SELECT iid FROM total WHERE n > 1 AND whole) USING (iid)
)
SELECT iid, CASE WHEN whole THEN paid END AS settled, CASE WHEN whole THEN paid_day END AS settled_day, NOT whole AS partly
FROM total WHERE n = 1 OR NOT whole
UNION ALL
SELECT iid, min(paid), min(paid_day), true FROM so_far WHERE cents >= owed GROUP BY iid
