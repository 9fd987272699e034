-- moment: the points, numbered, on their debtor's calendar.
-- in:  point, who, clock
-- out: pid INTEGER, did, upto (us), today (day), and the columns of point
SELECT (row_number() OVER ())::INTEGER AS pid, did, upto,
       utc_day(upto + CASE WHEN upto >= change_us THEN after_us ELSE before_us END) AS today,
       creditor_id, debtor_id, as_of, point.zone, kind, sector, area, language, country
FROM point JOIN who USING (creditor_id, debtor_id, zone)
JOIN clock ON clock.zid = who.zid AND clock.day = utc_day(upto)
