-- hours: when a debtor looks, and when there was something to look at.
-- in:  moment, sign, unread
-- out: per pid, packed for the reader, who spreads them over the week:
--      looks BIGINT[]: decayed human signs, weight * 256 + local hour of week;
--      unread BIGINT[]: stretches that something lay unread, first hour (local,
--      since 1970) * 2^38 + length in hours * 2^31 + weight.
--      open_weekday_0 to _6 weigh the signs of which only the date is known;
--      machine_opens counts what machines opened.
-- Leak guard: signs with at_us <= upto.
WITH looks AS (
    SELECT pid,
           list(look_decay(today - day) * 256 + hour_of_week(hour)) FILTER (exact AND NOT machine AND (looked OR replied)) AS looks,
           sum(look_decay(today - day)) FILTER (weekday(day) = 0 AND dated) AS open_weekday_0,
           sum(look_decay(today - day)) FILTER (weekday(day) = 1 AND dated) AS open_weekday_1,
           sum(look_decay(today - day)) FILTER (weekday(day) = 2 AND dated) AS open_weekday_2,
           sum(look_decay(today - day)) FILTER (weekday(day) = 3 AND dated) AS open_weekday_3,
           sum(look_decay(today - day)) FILTER (weekday(day) = 4 AND dated) AS open_weekday_4,
           sum(look_decay(today - day)) FILTER (weekday(day) = 5 AND dated) AS open_weekday_5,
           sum(look_decay(today - day)) FILTER (weekday(day) = 6 AND dated) AS open_weekday_6,
           count(*) FILTER (machine AND looked) AS machine_opens,
           count(*) FILTER (sign.kind = 'complained') AS complaints
    FROM moment JOIN (SELECT *, NOT exact AND NOT machine AND (looked OR replied) AS dated FROM sign) sign USING (did) WHERE at_us <= upto GROUP BY pid
), lying AS (
    SELECT pid, list(a::BIGINT * 274877906944 + (b - a)::BIGINT * 2147483648 + w) AS unread FROM unread GROUP BY pid
)
SELECT pid, looks, unread, COLUMNS('open_weekday_.'), machine_opens, complaints FROM looks FULL JOIN lying USING (pid)
