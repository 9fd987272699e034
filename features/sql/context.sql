-- context: where the debtor stands now.
-- in:  moment, payment, touch, cases, ratings
-- out: per pid: step (contacts since the oldest open invoice fell due),
--      last_day, last_channel, contacts_7d, contacts_28d (days before today, and
--      today), rating, rating_change, disputes, promises_kept, promises_broken
-- Leak guard: sent <= upto, opened_at <= upto, closed_at <= upto, observed_at <= upto.
WITH touched AS (
    SELECT pid, count(*) FILTER (sent_day > oldest_due) AS step,
           max(sent_day) AS last_day, max(sent * 8 + ch) % 8 AS last_channel,
           count(*) FILTER (today - sent_day < 7) AS contacts_7d,
           count(*) FILTER (today - sent_day < 28) AS contacts_28d
    FROM moment JOIN touch USING (did) LEFT JOIN payment USING (pid)
    WHERE sent <= upto GROUP BY pid
), history AS (
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
SELECT pid, step, last_day, last_channel, contacts_7d, contacts_28d,
       disputes, promises_kept, promises_broken, rating, rating_change
FROM touched FULL JOIN history USING (pid) FULL JOIN rated USING (pid)
