-- pool: on a day, what is known of each profile (creditor, kind, sector, area)
-- and of all debtors of the creditor, by channel.
-- in:  crowd, moment
-- out: for each day on which a vector is wanted: creditor_id, kind, sector, area, today; n, looked, paid (counts of the
--      profile), all_n, all_looked, all_paid (of the creditor), BIGINT[5] each
-- Leak guard: ripe_day <= today.
WITH wanted AS (
    SELECT DISTINCT creditor_id, kind, sector, area, today FROM moment
), days AS (
    SELECT DISTINCT creditor_id, today FROM wanted
), ripe AS (
    SELECT crowd.creditor_id, kind, sector, area, days.today, ch, count(*) AS n, sum(looked) AS looked, sum(paid) AS paid
    FROM crowd ASOF JOIN days ON crowd.creditor_id = days.creditor_id AND crowd.ripe_day <= days.today
    GROUP BY ALL
), gained AS (
    SELECT creditor_id, kind, sector, area, today, sum5(ch, n) AS n, sum5(ch, looked) AS looked, sum5(ch, paid) AS paid
    FROM (FROM ripe UNION ALL SELECT creditor_id, kind, sector, area, today, NULL, 0, 0, 0 FROM wanted)
    GROUP BY ALL
), gained_by_all AS (
    SELECT creditor_id, today, sum5(ch, n) AS n, sum5(ch, looked) AS looked, sum5(ch, paid) AS paid
    FROM (FROM ripe UNION ALL SELECT creditor_id, '', '', '', today, NULL, 0, 0, 0 FROM days)
    GROUP BY creditor_id, today
), profile AS (
    SELECT creditor_id, kind, sector, area, today,
           [sum(n[1]) OVER w, sum(n[2]) OVER w, sum(n[3]) OVER w, sum(n[4]) OVER w, sum(n[5]) OVER w]::BIGINT[] AS n,
           [sum(looked[1]) OVER w, sum(looked[2]) OVER w, sum(looked[3]) OVER w, sum(looked[4]) OVER w, sum(looked[5]) OVER w]::BIGINT[] AS looked,
           [sum(paid[1]) OVER w, sum(paid[2]) OVER w, sum(paid[3]) OVER w, sum(paid[4]) OVER w, sum(paid[5]) OVER w]::BIGINT[] AS paid
    FROM gained WINDOW w AS (PARTITION BY creditor_id, kind, sector, area ORDER BY today)
), everyone AS (
    SELECT creditor_id, today,
           [sum(n[1]) OVER w, sum(n[2]) OVER w, sum(n[3]) OVER w, sum(n[4]) OVER w, sum(n[5]) OVER w]::BIGINT[] AS n,
           [sum(looked[1]) OVER w, sum(looked[2]) OVER w, sum(looked[3]) OVER w, sum(looked[4]) OVER w, sum(looked[5]) OVER w]::BIGINT[] AS looked,
           [sum(paid[1]) OVER w, sum(paid[2]) OVER w, sum(paid[3]) OVER w, sum(paid[4]) OVER w, sum(paid[5]) OVER w]::BIGINT[] AS paid
    FROM gained_by_all WINDOW w AS (PARTITION BY creditor_id ORDER BY today)
)
SELECT creditor_id, kind, sector, area, today, profile.n, profile.looked, profile.paid,
       everyone.n AS all_n, everyone.looked AS all_looked, everyone.paid AS all_paid
FROM profile JOIN everyone USING (creditor_id, today)
