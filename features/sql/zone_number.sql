-- zone_number: the time zones that occur, numbered.
-- in:  point
-- out: zone, zid INTEGER
SELECT zone, (row_number() OVER (ORDER BY zone))::INTEGER AS zid
FROM (SELECT DISTINCT zone FROM point)
