-- sky_day: what sky adds up to before each day, by part of the day.
-- in:  sky
-- out: place, day; skies BIGINT[4] (packed sums); known (us when all of the days
--      before was known, 0 for the first)
WITH days AS (
    SELECT place, day, max(known) AS known, by_part(sky, part) AS skies FROM sky GROUP BY place, day
)
SELECT place, day, coalesce(max(known) OVER w, 0) AS known,
       [coalesce(sum(skies[1]) OVER w, 0), coalesce(sum(skies[2]) OVER w, 0),
        coalesce(sum(skies[3]) OVER w, 0), coalesce(sum(skies[4]) OVER w, 0)]::BIGINT[] AS skies
FROM days
WINDOW w AS (PARTITION BY place ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
