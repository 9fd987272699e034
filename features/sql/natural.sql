-- natural: stretches of days on which something was overdue and no contact had
-- been sent that day or in the seven days before: what the debtor does unasked.
-- in:  bill, sent
-- out: did, day, next_day (NULL: lasts), settled (an invoice was paid on day)
-- Leak guard: a stretch is known up to the day before today; readers cut it there.
WITH turn AS (
    SELECT did, greatest(due_day + 1, known_by) AS day, 1 AS overdue, 0 AS shadow, false AS settled FROM bill
    WHERE least(settled_day, utc_day(cancelled)) > greatest(due_day, known_by - 1) OR (settled IS NULL AND cancelled IS NULL)
    UNION ALL
    SELECT did, least(settled_day, utc_day(cancelled)) + 1, -1, 0, false FROM bill
    WHERE least(settled_day, utc_day(cancelled)) > greatest(due_day, known_by - 1)
    UNION ALL
    SELECT did, greatest(settled_day, known_by), 0, 0, true FROM bill WHERE settled IS NOT NULL
    UNION ALL
    SELECT did, sent_day, 0, 1, false FROM sent
    UNION ALL
    SELECT did, sent_day + 8, 0, -1, false FROM sent
), days AS (
    SELECT did, day, sum(overdue) AS overdue, sum(shadow) AS shadow, bool_or(settled) AS settled
    FROM turn GROUP BY did, day
)
SELECT did, day, next_day, settled
FROM (
    SELECT did, day, settled, lead(day) OVER w AS next_day,
           sum(overdue) OVER w AS overdue, sum(shadow) OVER w AS shadow
    FROM days WINDOW w AS (PARTITION BY did ORDER BY day))
WHERE overdue > 0 AND shadow = 0
