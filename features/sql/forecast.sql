-- forecast: sun and rain of today and the six days after it, as known at the time.
-- in:  moment, clock, weather
-- out: area, zone, today, upto; sun (hours), rain (mm) FLOAT[7], -1 for a day of
--      which no hour is known
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
SELECT area, "zone", today, upto,
       [coalesce(sum(sun) FILTER (ahead = 0) / 60000, -1), coalesce(sum(sun) FILTER (ahead = 1) / 60000, -1), coalesce(sum(sun) FILTER (ahead = 2) / 60000, -1), coalesce(sum(sun) FILTER (ahead = 3) / 60000, -1), coalesce(sum(sun) FILTER (ahead = 4) / 60000, -1), coalesce(sum(sun) FILTER (ahead = 5) / 60000, -1), coalesce(sum(sun) FILTER (ahead = 6) / 60000, -1)]::FLOAT[] AS forecast_sun,
       [coalesce(sum(rain) FILTER (ahead = 0) / 1000, -1), coalesce(sum(rain) FILTER (ahead = 1) / 1000, -1), coalesce(sum(rain) FILTER (ahead = 2) / 1000, -1), coalesce(sum(rain) FILTER (ahead = 3) / 1000, -1), coalesce(sum(rain) FILTER (ahead = 4) / 1000, -1), coalesce(sum(rain) FILTER (ahead = 5) / 1000, -1), coalesce(sum(rain) FILTER (ahead = 6) / 1000, -1)]::FLOAT[] AS forecast_rain
FROM hours
GROUP BY area, "zone", today, upto
