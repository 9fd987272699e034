-- moment: the points, numbered, on their debtor's calendar.
-- in:  point, who, clock
-- out: pid INTEGER, did, zid, upto (us), today (day), prof UBIGINT (number of the
--      profile, see crowd), and the columns of point
-- Points have the number of their row: a window that counts them is one thread.
SELECT (point.rowid + 1)::INTEGER AS pid, did, zid, upto, utc_day(local(upto, before_us, change_us, after_us)) AS today,
       profile(creditor_id, kind, sector, area) AS prof,
       creditor_id, debtor_id, as_of, point.zone, kind, sector, area, language, country
FROM point JOIN who USING (creditor_id, debtor_id, zone)
JOIN clock ON slot = slot(zid, utc_day(upto))
