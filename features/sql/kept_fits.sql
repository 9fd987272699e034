-- kept_fits: how many of the points lie on a day, or belong to a creditor, of
-- which nothing is kept.
-- in:  kept, moment
-- out: misfits
SELECT count(*) AS misfits
FROM (SELECT hash(creditor_id) AS creditor, today FROM moment) ANTI JOIN kept USING (creditor, today)
