-- context: what else is known of the debtor: cases and rating.
-- in:  moment, who, cases, ratings
-- out: per pid: disputes, promises_kept, promises_broken, rating, rating_change
-- Leak guard: opened_at <= upto, closed_at <= upto, observed_at <= upto.
WITH history AS (
    SELECT pid,
           count(*) FILTER (cases.kind = 'dispute') AS disputes,
           count(*) FILTER (cases.kind = 'promise' AND outcome = 'kept' AND us(closed_at) <= upto) AS promises_kept,
           count(*) FILTER (cases.kind = 'promise' AND (
               (outcome = 'broken' AND us(closed_at) <= upto)
               OR ((closed_at IS NULL OR us(closed_at) > upto) AND day_number(expires_on) < today))) AS promises_broken
    FROM moment JOIN cases USING (creditor_id, debtor_id)
    WHERE us(opened_at) <= upto GROUP BY pid
), rated AS (
    SELECT pid, arg_max(score, nth) AS rating, arg_max(change, nth) AS rating_change
    FROM moment JOIN (
        SELECT creditor_id, debtor_id, us(observed_at) AS observed, score,
               score - lag(score) OVER (PARTITION BY creditor_id, debtor_id, provider ORDER BY observed_at) AS change,
               row_number() OVER (PARTITION BY creditor_id, debtor_id ORDER BY observed_at, provider) AS nth
        FROM ratings SEMI JOIN who USING (creditor_id, debtor_id)) USING (creditor_id, debtor_id)
    WHERE observed <= upto GROUP BY pid
)
SELECT pid, disputes, promises_kept, promises_broken, rating, rating_change
FROM history FULL JOIN rated USING (pid)
