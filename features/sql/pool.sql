-- pool: on a day, what is known of each profile (creditor, kind, sector, area)
-- and of all debtors of the creditor, by channel.
-- in:  crowd, moment
-- out: for each day on which a vector is wanted: creditor_id, kind, sector, area,
--      today; by channel k of 0 to 4: open_k, pay_k (share of contacts opened, or
--      followed by a payment, within a week), all_open_k, all_pay_k (of all debtors
--      of the creditor)
-- Strength: everyone is shrunk to 1/5 and 1/10 with the weight of 20 contacts, a
-- profile to everyone with that of 40.
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
           [sum(n[1]) OVER w, sum(n[2]) OVER w, sum(n[3]) OVER w, sum(n[4]) OVER w, sum(n[5]) OVER w] AS n,
           [sum(looked[1]) OVER w, sum(looked[2]) OVER w, sum(looked[3]) OVER w, sum(looked[4]) OVER w, sum(looked[5]) OVER w] AS looked,
           [sum(paid[1]) OVER w, sum(paid[2]) OVER w, sum(paid[3]) OVER w, sum(paid[4]) OVER w, sum(paid[5]) OVER w] AS paid
    FROM gained WINDOW w AS (PARTITION BY creditor_id, kind, sector, area ORDER BY today)
), everyone AS (
    SELECT creditor_id, today,
           [sum(n[1]) OVER w, sum(n[2]) OVER w, sum(n[3]) OVER w, sum(n[4]) OVER w, sum(n[5]) OVER w] AS n,
           [sum(looked[1]) OVER w, sum(looked[2]) OVER w, sum(looked[3]) OVER w, sum(looked[4]) OVER w, sum(looked[5]) OVER w] AS looked,
           [sum(paid[1]) OVER w, sum(paid[2]) OVER w, sum(paid[3]) OVER w, sum(paid[4]) OVER w, sum(paid[5]) OVER w] AS paid
    FROM gained_by_all WINDOW w AS (PARTITION BY creditor_id ORDER BY today)
), rates AS (
    SELECT creditor_id, today,
           (looked[1] + 20 * 0.2) / (n[1] + 20) AS all_open_0, (paid[1] + 20 * 0.1) / (n[1] + 20) AS all_pay_0,
           (looked[2] + 20 * 0.2) / (n[2] + 20) AS all_open_1, (paid[2] + 20 * 0.1) / (n[2] + 20) AS all_pay_1,
           (looked[3] + 20 * 0.2) / (n[3] + 20) AS all_open_2, (paid[3] + 20 * 0.1) / (n[3] + 20) AS all_pay_2,
           (looked[4] + 20 * 0.2) / (n[4] + 20) AS all_open_3, (paid[4] + 20 * 0.1) / (n[4] + 20) AS all_pay_3,
           (looked[5] + 20 * 0.2) / (n[5] + 20) AS all_open_4, (paid[5] + 20 * 0.1) / (n[5] + 20) AS all_pay_4
    FROM everyone
)
SELECT creditor_id, kind, sector, area, today,
       (looked[1] + 40 * all_open_0) / (n[1] + 40) AS open_0, (paid[1] + 40 * all_pay_0) / (n[1] + 40) AS pay_0,
       (looked[2] + 40 * all_open_1) / (n[2] + 40) AS open_1, (paid[2] + 40 * all_pay_1) / (n[2] + 40) AS pay_1,
       (looked[3] + 40 * all_open_2) / (n[3] + 40) AS open_2, (paid[3] + 40 * all_pay_2) / (n[3] + 40) AS pay_2,
       (looked[4] + 40 * all_open_3) / (n[4] + 40) AS open_3, (paid[4] + 40 * all_pay_3) / (n[4] + 40) AS pay_3,
       (looked[5] + 40 * all_open_4) / (n[5] + 40) AS open_4, (paid[5] + 40 * all_pay_4) / (n[5] + 40) AS pay_4,
       COLUMNS('all_.*')
FROM profile JOIN rates USING (creditor_id, today)
