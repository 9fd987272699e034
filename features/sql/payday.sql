-- payday: on which days a debtor pays, and how.
-- in:  moment, receipt
-- out: per pid: pay_weekday (decayed counts of days with a payment, Monday
--      first), pay_month_end (share of those days among the last three or first
--      two of a month), last_pay_day, method_share, method_days_late, usual_method
-- Leak guard: paid <= upto.
WITH own AS (
    SELECT pid, today, paid_day, method, CASE WHEN known <= upto THEN paid_day - due_day END AS late
    FROM moment JOIN receipt USING (did) WHERE paid <= upto
), days AS (
    SELECT pid, weight7(weekday(paid_day), decay(today - paid_day)) AS pay_weekday,
           count(*) FILTER (is_month_end(paid_day)) / count(*) AS pay_month_end,
           max(paid_day) AS last_pay_day
    FROM (SELECT DISTINCT pid, today, paid_day FROM own) GROUP BY pid
), methods AS (
    SELECT pid, share6(method) AS method_share, mean6(method, late) AS method_days_late
    FROM own GROUP BY pid
)
SELECT pid, pay_weekday, pay_month_end, last_pay_day, method_share, method_days_late,
       CASE WHEN list_max(method_share) > 0
            THEN method_name(list_position(method_share, list_max(method_share)) - 1)
            ELSE '' END AS usual_method
FROM days JOIN methods USING (pid)
