-- hours: when a debtor looks, and when there was something to look at.
-- in:  moment, sign, touch
-- out: per pid: hours BIGINT[], each weight * 512 + slot. Slots 0 to 167 hold
--      decayed counts of human signs by local hour of week; slots 168 to 335 the
--      change, at that hour, of the decayed hours something lay unread (add them
--      up from Monday 00:00 to get exposure). open_weekday counts the signs of
--      which only the date is known; machine_opens what machines opened.
-- A contact sent today and not yet noticed has no exposure until tomorrow.
-- Leak guard: signs with at_us <= upto; exposure up to the last midnight, or to
-- a sign <= upto.
WITH shown AS (
    SELECT pid, unread_from AS a,
           CASE WHEN noticed <= upto THEN unread_to ELSE least(unread_to, today * 24) END AS b,
           decay(today - sent_day) AS w
    FROM moment JOIN touch USING (did) WHERE sent <= upto
), slot AS (
    SELECT pid, hour_of_week(hour) AS slot, decay(today - day) AS w
    FROM moment JOIN sign USING (did)
    WHERE at_us <= upto AND exact AND (looked OR replied) AND NOT machine
    UNION ALL
    SELECT pid, 168 + hour_of_week(a), w FROM shown WHERE a < b
    UNION ALL
    SELECT pid, 168 + hour_of_week(b), -w FROM shown WHERE a < b
    UNION ALL
    SELECT pid, 168, w FROM shown WHERE a < b AND hour_of_week(b) < hour_of_week(a)
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
