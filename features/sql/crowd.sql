-- crowd: what became of every contact of the creditors at hand within a week:
-- the evidence that rates are shrunk to.
-- in:  who, touch, debtors, creditors
-- out: did, prof UBIGINT (number of the profile, creditor included, at sending),
--      creditor UBIGINT (a hash), ch, ripe_day (when the week is over in every zone), looked, paid
--      (0 or 1)
-- A contact from before its debtor was first observed has no profile.
-- Leak guard: all of a row lies before ripe_day; readers ask ripe_day <= today.
WITH span AS (
    SELECT did, hash(creditor_id) AS creditor, profile(creditor_id, d.kind, left(sector_code, 2), profile_area(d.country, c.country, postcode)) AS prof,
           us(observed_at) AS from_us,
           coalesce(us(lead(observed_at) OVER (PARTITION BY did ORDER BY observed_at)), 9223372036854775807) AS to_us
    FROM who JOIN debtors d USING (creditor_id, debtor_id) LEFT JOIN creditors c USING (creditor_id)
)
SELECT did, creditor, prof, ch, utc_day(sent) + 9 AS ripe_day,
       coalesce(opened - sent <= 7 * day_us(), false)::TINYINT AS looked, coalesce(paid - sent <= 7 * day_us(), false)::TINYINT AS paid
FROM touch JOIN span USING (did)
WHERE sent >= from_us AND sent < to_us AND ch IS NOT NULL
