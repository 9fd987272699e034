-- hours: when a debtor looks.
-- in:  moment, sign
-- out: per pid: machine_opens (what machines opened), complaints; packed for the
--      reader, who spreads them over the week: looks BIGINT[]: decayed human signs,
--      weight * 256 + local hour of week, or + 168 + weekday where only the date
--      is known
-- Leak guard: signs with at_us <= upto.
SELECT pid,
       list(look_decay(today - day) * 256 + CASE WHEN exact THEN hour_of_week(hour) ELSE 168 + weekday(day) END)
           FILTER (looked OR replied) AS looks,
       count(CASE WHEN machine AND sign.kind BETWEEN 2 AND 4 THEN 1 END) AS machine_opens,
       count(CASE WHEN sign.kind = 8 THEN 1 END) AS complaints
FROM moment JOIN sign USING (did) WHERE at_us <= upto AND (looked OR replied OR sign.kind = 8 OR machine)
GROUP BY pid
