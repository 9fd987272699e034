-- point: the moments at which a vector is wanted, with who the debtor was then.
-- in:  points(creditor_id, debtor_id, as_of TIMESTAMPTZ), debtors, creditors
-- out: one row per distinct point: creditor_id, debtor_id, as_of, upto (us),
--      zone, kind, sector (two digits), area (country + two characters of the
--      postcode), language, country
-- Leak guard: reads only rows of debtors with observed_at <= as_of, latest wins.
SELECT creditor_id, debtor_id, as_of, us(as_of) AS upto,
       coalesce(own."zone", theirs."zone", 'UTC') AS "zone",
       kind, language, coalesce(nullif(latest.country, ''), c.country, '') AS country,
       left(sector_code, 2) AS sector,
       profile_area(latest.country, c.country, postcode) AS area
FROM (
    SELECT p.creditor_id, p.debtor_id, p.as_of,
           coalesce(arg_max(d.kind, d.observed_at), '') AS kind,
           coalesce(arg_max(d.language, d.observed_at), '') AS language,
           coalesce(arg_max(d.timezone, d.observed_at), '') AS timezone,
           coalesce(arg_max(d.country, d.observed_at), '') AS country,
           coalesce(arg_max(d.postcode, d.observed_at), '') AS postcode,
           coalesce(arg_max(d.sector_code, d.observed_at), '') AS sector_code
    FROM points p
    LEFT JOIN debtors d
      ON d.creditor_id = p.creditor_id AND d.debtor_id = p.debtor_id AND d.observed_at <= p.as_of
    GROUP BY p.creditor_id, p.debtor_id, p.as_of) latest
LEFT JOIN creditors c USING (creditor_id)
LEFT JOIN known_zones own ON own."zone" = latest.timezone
LEFT JOIN known_zones theirs ON theirs."zone" = c.timezone
