-- looks_of: when a debtor looks, packed for the reader, who spreads it over the
-- week.
-- in:  moment, sign
-- out: pid; look: of a human sign its decayed weight * 256 + local hour of week, or
--      + 168 + weekday where only the date is known; -1 of what a machine opened,
--      -2 of a complaint; hour: of a human sign known to the hour, that hour (local,
--      since 1970)
-- Leak guard: signs with at_us <= upto.
SELECT pid,
       CASE WHEN looked OR replied THEN look_decay(today - day) * 256 + CASE WHEN exact THEN hour_of_week(hour) ELSE 168 + weekday(day) END
            WHEN sign.kind = 8 THEN -2 ELSE -1 END AS look,
       CASE WHEN exact AND (looked OR replied) THEN hour END::BIGINT AS hour
FROM moment JOIN sign USING (did)
WHERE at_us <= upto AND (looked OR replied OR sign.kind = 8 OR machine AND sign.kind BETWEEN 2 AND 4)
