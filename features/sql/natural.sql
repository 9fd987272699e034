-- natural: the days before today on which something was overdue and no contact had
-- been sent that day or in the seven days before, and those of them on which an
-- invoice was paid: what a debtor does unasked.
-- in:  moment, bill, sent
-- out: per pid with anything overdue so far: natural_days, natural_payments
-- A debtor's turns are numbers day * 8 + what: 0 and 1 something begins and ends
-- to be overdue, 2 and 3 the shadow of a contact begins and ends, 4 an invoice is
-- paid, 5 nothing, at the
-- beginning and today. They are put in order and folded from left to right: d day, o
-- overdue, s in shadow, n natural days, p natural payments, l day of the last.
-- Leak guard: turns before today, which what comes later does not move; a bill
-- counts from known_by, an end only where it lies before today.
WITH late AS (
    SELECT pid, did, today, list(begins * 8) FILTER (is_late) AS begins,
           list(stop * 8 + 9) FILTER (is_late AND stop < today) AS ends,
           list(paid * 8 + 4) FILTER (paid < today) AS payments
    FROM (
        SELECT pid, did, today, stop, begins, paid, begins < today AND (stop IS NULL OR stop >= begins) AS is_late
        FROM moment JOIN (
            SELECT did, greatest(due_day + 1, known_by) AS begins, least(settled_day, utc_day(cancelled)) AS stop,
                   CASE WHEN settled_day IS NOT NULL THEN greatest(settled_day, known_by) END AS paid
            FROM bill) USING (did))
    WHERE is_late OR paid < today
    GROUP BY pid, did, today
), shadow AS (
    SELECT pid, list(sent_day * 8 + 2) AS sends
    FROM sent JOIN late USING (did) WHERE sent_day < today AND begins IS NOT NULL GROUP BY pid
), turn AS (
    SELECT pid, today, list_sort([5] || begins || coalesce(ends, []) || coalesce(payments, []) || coalesce(sends, [])
               || coalesce(list_transform(sends, lambda x: x + 65), []) || [today * 8 + 5]) AS turns
    FROM late LEFT JOIN shadow USING (pid) WHERE begins IS NOT NULL
)
SELECT pid, fold.n AS natural_days, fold.p AS natural_payments
FROM (
    SELECT pid, list_reduce(
        list_transform(list_filter(turns, lambda x: x <= today * 8 + 5),
            lambda x: {d: x // 8, o: CASE x % 8 WHEN 0 THEN 1 WHEN 1 THEN -1 ELSE 0 END,
                       s: CASE x % 8 WHEN 2 THEN 1 WHEN 3 THEN -1 ELSE 0 END, n: 0, p: (x % 8 = 4)::INTEGER, l: -1000000}),
        lambda a, x: {d: x.d, o: a.o + x.o, s: a.s + x.s,
                      n: a.n + CASE WHEN a.o > 0 AND a.s = 0 THEN x.d - a.d ELSE 0 END,
                      p: a.p + CASE WHEN x.p = 1 AND a.o > 0 AND a.s = 0 AND a.l < x.d THEN 1 ELSE 0 END,
                      l: CASE WHEN x.p = 1 AND a.o > 0 AND a.s = 0 THEN x.d ELSE a.l END}) AS fold
    FROM turn)
