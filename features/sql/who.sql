-- who: each debtor once for each zone in which it was at some point, numbered.
-- Local days and hours belong to a zone, so the rows of events hang on who.
-- in:  point
-- out: did INTEGER, creditor_id, debtor_id, zone, zid INTEGER (zone number)
SELECT (row_number() OVER ())::INTEGER AS did, creditor_id, debtor_id, zone, zid
FROM (SELECT DISTINCT creditor_id, debtor_id, zone FROM point)
JOIN zone_number USING (zone)
