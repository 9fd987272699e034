-- zone_number: the time zones that occur, numbered.
-- in:  point
-- out: zone, zid BIGINT
SELECT zone, row_number() OVER (ORDER BY zone) AS zid
FROM (SELECT DISTINCT zone FROM point)
