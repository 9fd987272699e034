-- who: each debtor once for each zone in which it was at some point, numbered.
-- Local days and hours belong to a zone, so the rows of events hang on who.
-- in:  point, zone_number
-- out: did INTEGER, creditor_id, debtor_id, zone, zid (zone number), seed UBIGINT
--      (a hash of debtor and zone, from which the numbers of its invoices and
--      contacts are made)
SELECT (row_number() OVER ())::INTEGER AS did, creditor_id, debtor_id, zone, zid, hash(creditor_id, debtor_id, zone) AS seed
FROM (SELECT DISTINCT creditor_id, debtor_id, zone FROM point)
JOIN zone_number USING (zone)
