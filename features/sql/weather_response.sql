-- weather_response: whether sun or rain moves the hours at which a debtor looks.
-- in:  moment, place, sign, touch, sky, sky_day
-- out: pid, sun_response, rain_response FLOAT[4] by part of the day: the mean of
--      sunshine (share of the hour) or rain (yes or no) at human signs, less that
--      of the hours when something lay unread, shrunk to 0. A stretch of hours is
--      the difference of two running totals: of the days before, and of the hours
--      of the day.
-- Leak guard: hours of weather known <= upto, with all before them, of signs with
-- at_us <= upto.
WITH here AS (
    SELECT pid, did, place, upto, today FROM moment JOIN place USING (area, zid) SEMI JOIN sky_day USING (place)
), seen AS (
    SELECT pid, place, upto, hour
    FROM here JOIN sign USING (did) WHERE at_us <= upto AND exact AND (looked OR replied)
), unread AS (
    SELECT pid, place, upto, sent_hour - 1 AS before, till - 1 AS last
    FROM (SELECT *, CASE WHEN noticed <= upto THEN unread_to ELSE least(sent_hour + 96, today * 24) END AS till
          FROM here JOIN touch USING (did) WHERE sent <= upto)
    WHERE sent_hour < till
), total AS (
    SELECT w.place, w.hour, greatest(any_value(d.known), max(h.known)) AS known, arg_max(part, h.hour) AS part, arg_max(sky, h.hour) AS sky,
           added(any_value(skies), by_part(sky, part)) AS skies
    FROM (SELECT place, hour FROM seen UNION SELECT place, before FROM unread UNION SELECT place, last FROM unread) w
    JOIN sky_day d ON d.place = w.place AND d.day = w.hour // 24
    JOIN sky h ON h.place = w.place AND h.day = w.hour // 24 AND h.hour <= w.hour
    GROUP BY w.place, w.hour HAVING max(h.hour) = w.hour
), own AS (
    SELECT pid, by_part(1, part) AS n, by_part(suns(sky), part) AS sun, by_part(wets(sky), part) AS wet
    FROM seen JOIN total USING (place, hour)
    WHERE known <= upto GROUP BY pid
), base AS (
    SELECT pid, [sum(hours(a)), sum(hours(b)), sum(hours(c)), sum(hours(d))] AS n,
           [sum(suns(a)), sum(suns(b)), sum(suns(c)), sum(suns(d))] AS sun,
           [sum(wets(a)), sum(wets(b)), sum(wets(c)), sum(wets(d))] AS wet
    FROM (
        SELECT pid, til.skies[1] - fro.skies[1] AS a, til.skies[2] - fro.skies[2] AS b,
               til.skies[3] - fro.skies[3] AS c, til.skies[4] - fro.skies[4] AS d
        FROM unread
        JOIN total til ON til.place = unread.place AND til.hour = last
        JOIN total fro ON fro.place = unread.place AND fro.hour = before
        WHERE til.known <= upto)
    GROUP BY pid
)
SELECT pid,
       [weather_effect(own.sun[1] / 60, own.n[1], base.sun[1] / 60, base.n[1]), weather_effect(own.sun[2] / 60, own.n[2], base.sun[2] / 60, base.n[2]),
        weather_effect(own.sun[3] / 60, own.n[3], base.sun[3] / 60, base.n[3]), weather_effect(own.sun[4] / 60, own.n[4], base.sun[4] / 60, base.n[4])]::FLOAT[] AS sun_response,
       [weather_effect(own.wet[1], own.n[1], base.wet[1], base.n[1]), weather_effect(own.wet[2], own.n[2], base.wet[2], base.n[2]),
        weather_effect(own.wet[3], own.n[3], base.wet[3], base.n[3]), weather_effect(own.wet[4], own.n[4], base.wet[4], base.n[4])]::FLOAT[] AS rain_response
FROM own JOIN base USING (pid)
