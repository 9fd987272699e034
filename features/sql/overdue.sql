-- overdue: on which days each invoice was overdue, and when it was paid.
-- in:  bill
-- out: did; days: begins, over (the day after the last; beyond all days while
--      open; not after begins where it never was), paid (NULL while open)
-- Leak guard: a bill counts from known_by.
SELECT did, greatest(due_day + 1, known_by)::BIGINT AS begins,
       coalesce(least(settled_day, utc_day(cancelled)) + 1, 2147483647)::BIGINT AS over,
       CASE WHEN settled_day IS NOT NULL THEN greatest(settled_day, known_by) END::BIGINT AS paid
FROM bill
