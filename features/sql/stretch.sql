-- stretch: on which days a debtor had paid by the morning of a day, for stretches
-- of days over which it does not change.
-- in:  who, receipt
-- out: did, from_day, to_day (both included; to_day NULL: lasts), paid_on DOUBLE[8]
--      (pay days so far by weekday, Monday first, and those at a month's end; each
--      of growth, or NULL)
-- Leak guard: a stretch that begins on a day knows only days before it.
WITH days AS (
    SELECT did, -1000000 AS day, false AS paid FROM who
    UNION ALL SELECT DISTINCT did, paid_day, true FROM receipt
)
SELECT did, day + 1 AS from_day, lead(day) OVER w AS to_day,
       [sum(growth(day)) FILTER (paid AND weekday(day) = 0) OVER w, sum(growth(day)) FILTER (paid AND weekday(day) = 1) OVER w,
        sum(growth(day)) FILTER (paid AND weekday(day) = 2) OVER w, sum(growth(day)) FILTER (paid AND weekday(day) = 3) OVER w,
        sum(growth(day)) FILTER (paid AND weekday(day) = 4) OVER w, sum(growth(day)) FILTER (paid AND weekday(day) = 5) OVER w,
        sum(growth(day)) FILTER (paid AND weekday(day) = 6) OVER w,
        sum(growth(day)) FILTER (paid AND is_month_end(day)) OVER w]::DOUBLE[8] AS paid_on
FROM days
WINDOW w AS (PARTITION BY did ORDER BY day)
