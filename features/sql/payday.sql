-- payday: on which days a debtor pays, and how.
-- in:  moment, receipt
-- out: per pid: pay_weekday_0 to _6 (decayed days with a payment, Monday first,
--      2^-30), pay_month_end (share of that weight on the last three or first
--      two of a month), last_pay_day, payments, payments_0 to _5 (by method), and
--      late_0 to _5 (mean days late by method)
-- Leak guard: paid <= upto, and the due date of an invoice known <= upto.
WITH own AS (
    SELECT pid, today, paid_day, method, CASE WHEN known <= upto THEN paid_day - due_day END AS late
    FROM moment JOIN receipt USING (did) WHERE paid <= upto
), days AS (
    SELECT pid,
           sum(w) FILTER (weekday = 0) AS pay_weekday_0,
           sum(w) FILTER (weekday = 1) AS pay_weekday_1,
           sum(w) FILTER (weekday = 2) AS pay_weekday_2,
           sum(w) FILTER (weekday = 3) AS pay_weekday_3,
           sum(w) FILTER (weekday = 4) AS pay_weekday_4,
           sum(w) FILTER (weekday = 5) AS pay_weekday_5,
           sum(w) FILTER (weekday = 6) AS pay_weekday_6,
           (sum(w) FILTER (is_month_end(paid_day)))::DOUBLE / sum(w) AS pay_month_end, max(paid_day) AS last_pay_day
    FROM (SELECT pid, paid_day, weekday(paid_day) AS weekday, decay(min(today) - paid_day) AS w FROM own GROUP BY pid, paid_day)
    GROUP BY pid
), methods AS (
    SELECT pid, count(*) AS payments,
           count(*) FILTER (method = 0) AS payments_0, avg(late) FILTER (method = 0) AS late_0,
           count(*) FILTER (method = 1) AS payments_1, avg(late) FILTER (method = 1) AS late_1,
           count(*) FILTER (method = 2) AS payments_2, avg(late) FILTER (method = 2) AS late_2,
           count(*) FILTER (method = 3) AS payments_3, avg(late) FILTER (method = 3) AS late_3,
           count(*) FILTER (method = 4) AS payments_4, avg(late) FILTER (method = 4) AS late_4,
           count(*) FILTER (method = 5) AS payments_5, avg(late) FILTER (method = 5) AS late_5
    FROM own GROUP BY pid
)
SELECT * FROM days JOIN methods USING (pid)
