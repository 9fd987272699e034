-- settled: when the payments on an invoice first added up to its amount. That
-- moment depends on earlier payments only, so it may be found once for all
-- points; each point then asks whether it lies after upto.
-- in:  receipt
-- out: iid, settled (us), settled_day
SELECT iid, min(paid) AS settled, min(paid_day) AS settled_day
FROM (SELECT iid, paid, paid_day, owed, sum(cents) OVER (PARTITION BY iid ORDER BY paid) AS so_far FROM receipt WHERE iid IS NOT NULL)
WHERE so_far >= owed
GROUP BY iid
