-- sky: the observed weather of the regions at hand, hour by local hour, with
-- running totals by part of the day (0 night, 1 morning, 2 afternoon, 3 evening),
-- so that any stretch of hours is the difference of two rows.
-- in:  moment, clock, weather
-- out: area, zid, hour (local, since 1970), part, sun (minutes), wet (0 or 1),
--      known (us when this hour and all before it were known), n, suns, wets BIGINT[4]
-- Leak guard: the first observation of an hour counts; readers ask known <= upto.
WITH place AS (
    SELECT DISTINCT area, zid FROM moment
), observed AS (
    SELECT region, us(hour) AS t, us(min(known_at)) AS known,
           arg_min(coalesce(round(sunshine_min), 0)::BIGINT, known_at) AS sun,
           arg_min(coalesce(precipitation_mm > 0.1, false)::BIGINT, known_at) AS wet
    FROM weather WHERE observed AND hour <= horizon() GROUP BY region, hour
), hours AS (
    SELECT area, place.zid, utc_hour(local(t, before_us, change_us, after_us)) AS hour,
           max(known) AS known, max(sun) AS sun, max(wet) AS wet
    FROM observed JOIN place ON place.area = observed.region
    JOIN clock ON slot = slot(place.zid, utc_day(t))
    GROUP BY ALL
)
SELECT area, zid, hour, hour % 24 // 6 AS part, sun, wet, max(known) OVER w AS known,
       [count(*) FILTER (hour % 24 // 6 = 0) OVER w, count(*) FILTER (hour % 24 // 6 = 1) OVER w,
        count(*) FILTER (hour % 24 // 6 = 2) OVER w, count(*) FILTER (hour % 24 // 6 = 3) OVER w] AS n,
       [coalesce(sum(sun) FILTER (hour % 24 // 6 = 0) OVER w, 0), coalesce(sum(sun) FILTER (hour % 24 // 6 = 1) OVER w, 0),
        coalesce(sum(sun) FILTER (hour % 24 // 6 = 2) OVER w, 0), coalesce(sum(sun) FILTER (hour % 24 // 6 = 3) OVER w, 0)]::BIGINT[] AS suns,
       [coalesce(sum(wet) FILTER (hour % 24 // 6 = 0) OVER w, 0), coalesce(sum(wet) FILTER (hour % 24 // 6 = 1) OVER w, 0),
        coalesce(sum(wet) FILTER (hour % 24 // 6 = 2) OVER w, 0), coalesce(sum(wet) FILTER (hour % 24 // 6 = 3) OVER w, 0)]::BIGINT[] AS wets
FROM hours
WINDOW w AS (PARTITION BY area, zid ORDER BY hour)
