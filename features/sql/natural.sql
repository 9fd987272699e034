-- natural: the days before today on which something was overdue and no contact had
-- been sent that day or in the seven days before, and those of them on which an
-- invoice was paid: what a debtor does unasked.
-- in:  moment, bill, sent
-- out: per pid with anything overdue at some time: natural_days, natural_payments
-- Which days are such depends on what came before them only, so they are found once
-- for all points of a debtor; each counts those before its today. Days of overdue or
-- in the shadow of a contact, less days in a shadow: see the macro covered. A bill
-- is overdue from begins until the day before over; a contact casts its shadow over
-- eight days.
-- Leak guard: days before today, which what comes later does not move; a bill
-- counts from known_by.
WITH late AS (
    SELECT did, list_sort(list(begins) FILTER (over > begins)) AS begins, list_sort(list(over) FILTER (over > begins)) AS over,
           list_distinct(list(paid) FILTER (paid IS NOT NULL)) AS paid
    FROM (
        SELECT did, greatest(due_day + 1, known_by) AS begins, coalesce(least(settled_day, utc_day(cancelled)) + 1, 2147483647) AS over,
               CASE WHEN settled_day IS NOT NULL THEN greatest(settled_day, known_by) END AS paid
        FROM bill)
    GROUP BY did HAVING max(over - begins) > 0
), shadow AS (
    SELECT did, list_sort(list(sent_day)) AS sent, list_sort(list(sent_day + 8)) AS lit
    FROM sent SEMI JOIN late USING (did) GROUP BY did
), spell AS (
    SELECT did, sent, lit, list_sort(begins || coalesce(sent, [])) AS begins, list_sort(over || coalesce(lit, [])) AS over,
           list_filter(coalesce(paid, []), lambda d:
               len(list_filter(begins, lambda x: x <= d)) > len(list_filter(over, lambda x: x <= d))
               AND len(list_filter(coalesce(sent, []), lambda x: x BETWEEN d - 7 AND d)) = 0) AS paid
    FROM late LEFT JOIN shadow USING (did)
)
SELECT pid, covered(begins, over, today) - coalesce(covered(sent, lit, today), 0) AS natural_days,
       len(list_filter(paid, lambda d: d < today)) AS natural_payments
FROM moment JOIN spell USING (did)
