-- hours: when a debtor looks, and when there was something to look at.
-- in:  moment, sign, unread
-- out: per pid: hours BIGINT[], each weight * 512 + slot. Slots 0 to 167 hold
--      decayed counts of human signs by local hour of week; slots 168 to 335 the
--      change, at that hour, of the decayed hours something lay unread (add them
--      up from Monday 00:00 to get exposure). open_weekday counts the signs of
--      which only the date is known; machine_opens what machines opened.
-- Leak guard: signs with at_us <= upto.
WITH slot AS (
    SELECT pid, hour_of_week(hour) AS slot, decay(today - day) AS w
    FROM moment JOIN sign USING (did)
    WHERE at_us <= upto AND exact AND (looked OR replied) AND NOT machine
    UNION ALL
    SELECT pid, 168 + hour_of_week(a), w FROM unread
    UNION ALL
    SELECT pid, 168 + hour_of_week(b), -w FROM unread
    UNION ALL
    SELECT pid, 168, w FROM unread WHERE hour_of_week(b) < hour_of_week(a)
), hours AS (
    SELECT pid, list(w * 512 + slot) AS hours
    FROM (SELECT pid, slot, sum(w)::BIGINT AS w FROM slot GROUP BY pid, slot) GROUP BY pid
), others AS (
    SELECT pid, weight7(weekday(day), CASE WHEN NOT exact AND NOT machine AND (looked OR replied) THEN decay(today - day) END) AS open_weekday,
           count(*) FILTER (machine AND looked) AS machine_opens,
           count(*) FILTER (sign.kind = 'complained') AS complaints
    FROM moment JOIN sign USING (did) WHERE at_us <= upto GROUP BY pid
)
SELECT pid, hours, open_weekday, machine_opens, complaints FROM hours FULL JOIN others USING (pid)
