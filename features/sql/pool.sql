-- pool: on a day, what is known of each profile (creditor, kind, sector, area)
-- and of all debtors of the creditor, by channel.
-- in:  crowd, moment
-- out: for each day on which a vector is wanted and each channel: creditor UBIGINT (a
--      hash), prof, today, ch; open_rate, pay_rate (share of contacts opened, or
--      followed by a payment, within a week), all_open, all_pay (of all debtors of
--      the creditor)
-- Strength: everyone is shrunk to 1/5 and 1/10 with the weight of 20 contacts, a
-- profile to everyone with that of 40.
-- Leak guard: ripe_day <= today.
WITH wanted AS (
    SELECT DISTINCT hash(creditor_id) AS creditor, prof, today FROM moment
), days AS (
    SELECT DISTINCT creditor, today FROM wanted
), turn AS (
    SELECT r.creditor, ripe_day, today
    FROM (SELECT DISTINCT creditor, ripe_day FROM crowd) r ASOF JOIN days ON r.creditor = days.creditor AND r.ripe_day <= days.today
), counted AS (
    SELECT creditor, prof, today, ch, count(*) AS n, sum(looked) AS looked, sum(paid) AS paid
    FROM crowd JOIN turn USING (creditor, ripe_day) GROUP BY creditor, prof, today, ch
), ripe AS (
    FROM counted
    UNION ALL
    SELECT creditor, prof, today, unnest(range(5)), 0, 0, 0
    FROM (FROM wanted UNION SELECT creditor, prof, today FROM counted)
), everyone AS (
    SELECT creditor, today, ch, (sum(sum(looked)) OVER w + 20 * 0.2) / (sum(sum(n)) OVER w + 20) AS all_open,
           (sum(sum(paid)) OVER w + 20 * 0.1) / (sum(sum(n)) OVER w + 20) AS all_pay
    FROM ripe GROUP BY creditor, today, ch WINDOW w AS (PARTITION BY creditor, ch ORDER BY today)
), profile AS (
    SELECT creditor, prof, today, ch, sum(sum(n)) OVER w AS n, sum(sum(looked)) OVER w AS looked, sum(sum(paid)) OVER w AS paid
    FROM ripe GROUP BY creditor, prof, today, ch WINDOW w AS (PARTITION BY prof, ch ORDER BY today)
)
SELECT creditor, prof, today, ch, (looked + 40 * all_open) / (n + 40) AS open_rate, (paid + 40 * all_pay) / (n + 40) AS pay_rate,
       all_open, all_pay
FROM profile JOIN everyone USING (creditor, today, ch)
