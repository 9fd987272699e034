-- unread: the hours during which each contact lay unread.
-- in:  moment, touch
-- out: pid, a, b (local hours since 1970, [a, b)), w (decayed, 2^-30)
-- A contact sent today and not yet noticed adds nothing until tomorrow.
-- Leak guard: sent <= upto; up to the last midnight, or to a sign <= upto.
SELECT pid, a, b, w
FROM (SELECT pid, sent_hour AS a,
             CASE WHEN noticed <= upto THEN unread_to ELSE least(sent_hour + 96, today * 24) END AS b,
             look_decay(today - sent_day) AS w
      FROM moment JOIN touch USING (did) WHERE sent <= upto)
WHERE a < b
