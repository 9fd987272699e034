-- weather_response: whether sun or rain moves the hours at which a debtor looks.
-- in:  moment, sign, touch, sky
-- out: pid, sun_response, rain_response FLOAT[4] by part of the day: the mean of
--      sunshine (share of the hour) or rain (yes or no) at human signs, less that
--      of the hours when something lay unread, shrunk to 0
-- Leak guard: hours of weather known <= upto, of signs with at_us <= upto.
WITH here AS (
    SELECT pid, did, zid, area, upto, today FROM moment SEMI JOIN sky USING (area)
), unread AS (
    SELECT pid, a, b
    FROM (SELECT pid, sent_hour AS a, CASE WHEN noticed <= upto THEN unread_to ELSE least(sent_hour + 96, today * 24) END AS b
          FROM here JOIN touch USING (did) WHERE sent <= upto)
    WHERE a < b
), own AS (
    SELECT pid, [count(*) FILTER (part = 0), count(*) FILTER (part = 1), count(*) FILTER (part = 2), count(*) FILTER (part = 3)] AS n,
           [sum(sun) FILTER (part = 0), sum(sun) FILTER (part = 1), sum(sun) FILTER (part = 2), sum(sun) FILTER (part = 3)] AS sun,
           [sum(wet) FILTER (part = 0), sum(wet) FILTER (part = 1), sum(wet) FILTER (part = 2), sum(wet) FILTER (part = 3)] AS wet
    FROM here JOIN sign USING (did) JOIN sky ON sky.area = here.area AND sky.zid = here.zid AND sky.hour = sign.hour
    WHERE at_us <= upto AND known <= upto AND exact AND (looked OR replied)
    GROUP BY pid
), base AS (
    SELECT pid, [coalesce(sum(til.n[1] - fro.n[1]), 0), coalesce(sum(til.n[2] - fro.n[2]), 0), coalesce(sum(til.n[3] - fro.n[3]), 0), coalesce(sum(til.n[4] - fro.n[4]), 0)] AS n,
           [coalesce(sum(til.suns[1] - fro.suns[1]), 0), coalesce(sum(til.suns[2] - fro.suns[2]), 0), coalesce(sum(til.suns[3] - fro.suns[3]), 0), coalesce(sum(til.suns[4] - fro.suns[4]), 0)] AS sun,
           [coalesce(sum(til.wets[1] - fro.wets[1]), 0), coalesce(sum(til.wets[2] - fro.wets[2]), 0), coalesce(sum(til.wets[3] - fro.wets[3]), 0), coalesce(sum(til.wets[4] - fro.wets[4]), 0)] AS wet
    FROM here JOIN unread USING (pid)
    JOIN sky til ON til.area = here.area AND til.zid = here.zid AND til.hour = b - 1
    JOIN sky fro ON fro.area = here.area AND fro.zid = here.zid AND fro.hour = a - 1
    WHERE til.known <= upto GROUP BY pid
)
SELECT pid,
       [weather_effect(coalesce(own.sun[1], 0) / 60, coalesce(own.n[1], 0), coalesce(base.sun[1], 0) / 60, coalesce(base.n[1], 0)),
        weather_effect(coalesce(own.sun[2], 0) / 60, coalesce(own.n[2], 0), coalesce(base.sun[2], 0) / 60, coalesce(base.n[2], 0)),
        weather_effect(coalesce(own.sun[3], 0) / 60, coalesce(own.n[3], 0), coalesce(base.sun[3], 0) / 60, coalesce(base.n[3], 0)),
        weather_effect(coalesce(own.sun[4], 0) / 60, coalesce(own.n[4], 0), coalesce(base.sun[4], 0) / 60, coalesce(base.n[4], 0))]::FLOAT[] AS sun_response,
       [weather_effect(coalesce(own.wet[1], 0), coalesce(own.n[1], 0), coalesce(base.wet[1], 0), coalesce(base.n[1], 0)),
        weather_effect(coalesce(own.wet[2], 0), coalesce(own.n[2], 0), coalesce(base.wet[2], 0), coalesce(base.n[2], 0)),
        weather_effect(coalesce(own.wet[3], 0), coalesce(own.n[3], 0), coalesce(base.wet[3], 0), coalesce(base.n[3], 0)),
        weather_effect(coalesce(own.wet[4], 0), coalesce(own.n[4], 0), coalesce(base.wet[4], 0), coalesce(base.n[4], 0))]::FLOAT[] AS rain_response
FROM own JOIN base USING (pid)
