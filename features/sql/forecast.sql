-- forecast: sun and rain of today and the six days after it, as known at the time.
-- in:  moment, clock, weather
-- out: area, zone, today, upto; for each day of which an hour is known, packed for
--      the reader: ahead (0: today), suns (thousandths of a minute; -60000: not
--      known), rains (thousandths of a mm; -1000: not known) BIGINT[]
-- Leak guard: of each hour the version latest known, with known_at <= upto.
WITH place AS (
    SELECT *, unnest(range(today - 1, today + 8))::INTEGER AS utc
    FROM (SELECT DISTINCT area, zone, zid, today, upto FROM moment)
), told AS (
    SELECT region, us(hour) AS t, utc_day(us(hour)) AS utc, us(known_at) AS known, sunshine_min, precipitation_mm
    FROM weather WHERE hour >= (SELECT moment_of((min(today) - 1) * day_us()) FROM moment)
), hours AS (
    SELECT area, place.zone, today, upto,
           utc_day(local(t, before_us, change_us, after_us)) - today AS ahead,
           arg_max(round(sunshine_min * 1000)::BIGINT, known) AS sun, arg_max(round(precipitation_mm * 1000)::BIGINT, known) AS rain
    FROM place JOIN told ON told.region = place.area AND told.utc = place.utc
    JOIN clock ON slot = slot(place.zid, place.utc)
    WHERE known <= upto
    GROUP BY area, place.zone, today, upto, t, ahead
)
SELECT area, "zone", today, upto, list(ahead::BIGINT) AS ahead, list(coalesce(sun, -60000)::BIGINT) AS suns, list(coalesce(rain, -1000)::BIGINT) AS rains
FROM (SELECT area, "zone", today, upto, ahead, sum(sun) AS sun, sum(rain) AS rain
      FROM hours WHERE ahead BETWEEN 0 AND 6 GROUP BY area, "zone", today, upto, ahead)
GROUP BY area, "zone", today, upto
