-- settled: when the payments on an invoice first added up to its amount. That
-- moment depends on earlier payments only, so it may be found once for all
-- points; each point then asks whether it lies after upto. Most invoices are paid
-- at once: only for the others are payments put in order.
-- in:  receipt
-- out: iid, settled (us), settled_day
WITH total AS (
    SELECT iid, count(*) AS n, sum(cents) AS cents, min(owed) AS owed, min(paid) AS paid, min(paid_day) AS paid_day
    FROM receipt WHERE iid IS NOT NULL GROUP BY iid
), parts AS (
    SELECT iid, paid, paid_day, r.owed, sum(r.cents) OVER (PARTITION BY iid ORDER BY paid) AS so_far
    FROM receipt r SEMI JOIN (SELECT iid FROM total WHERE n > 1 AND cents >= owed) USING (iid)
)
SELECT iid, paid AS settled, paid_day AS settled_day FROM total WHERE n = 1 AND cents >= owed
UNION ALL
SELECT iid, min(paid), min(paid_day) FROM parts WHERE so_far >= owed GROUP BY iid
