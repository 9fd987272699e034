-- sky: the observed weather of the places at hand, by local hour.
-- in:  place, clock, weather
-- out: place; hour (local, since 1970), known (us), sun (minutes), wet (0 or 1)
-- Leak guard: the first observation of an hour counts; readers ask known <= upto.
-- Of the hour that a clock strikes twice it is the one first known.
SELECT place, hour::BIGINT AS hour, told // 128 AS known, told // 2 % 64 AS sun, told % 2 AS wet
FROM (
    SELECT place, utc_hour(local(t, before_us, change_us, after_us)) AS hour, min(told) AS told
    FROM (
        SELECT region AS area, us(hour) AS t,
               us(known_at) * 128 + least(greatest(coalesce(round(sunshine_min), 0), 0), 60)::BIGINT * 2 + coalesce(precipitation_mm > 0.1, false)::BIGINT AS told
        FROM weather WHERE observed AND hour <= horizon())
    JOIN place USING (area)
    JOIN clock ON slot = slot(zid, utc_day(t))
    GROUP BY place, hour)
