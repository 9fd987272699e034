-- response: what a debtor does with each channel.
-- in:  moment, touch
-- out: per pid lists of five, one number a channel: counts of contacts, medians
--      in hours. Matured: sent seven days ago, or answered or paid since.
--      silent_run: contacts since the last that was noticed, or followed by a
--      payment within 14 days. ripe_*: the debtor's share of the evidence in pool.
-- Leak guard: sent <= upto, and every fate counts only where it is <= upto.
WITH own AS (
    SELECT pid, ch, sent, today - sent_day AS age, nth_ch,
           utc_day(sent) + 9 <= today AS ripe,
           delivered <= upto AS delivered, bounced <= upto AS bounced, opted_out <= upto AS opted_out,
           coalesce(answered <= upto, false) AS answered, coalesce(noticed <= upto, false) AS noticed,
           CASE WHEN opened <= upto THEN opened - sent END AS open_us,
           CASE WHEN paid <= upto THEN paid - sent END AS pay_us
    FROM moment JOIN touch USING (did) WHERE sent <= upto
)
SELECT pid,
       count5(ch, true) AS sends,
       count5(ch, age >= 7 OR answered OR pay_us IS NOT NULL) AS sends_matured,
       count5(ch, delivered) AS delivered, count5(ch, bounced) AS bounced,
       count5(ch, open_us IS NOT NULL) AS opened, count5(ch, answered) AS answered,
       count5(ch, pay_us <= 3 * day_us()) AS paid_3d,
       count5(ch, pay_us <= 7 * day_us()) AS paid_7d,
       count5(ch, pay_us <= 14 * day_us()) AS paid_14d,
       count5(ch, opted_out) AS opted_out,
       median_hours5(ch, open_us, open_us IS NOT NULL) AS hours_to_open,
       median_hours5(ch, pay_us, pay_us <= 14 * day_us()) AS hours_to_pay,
       count5(ch, ripe) AS ripe, count5(ch, ripe AND open_us <= 7 * day_us()) AS ripe_looked,
       count5(ch, ripe AND pay_us <= 7 * day_us()) AS ripe_paid,
       run5(ch, nth_ch, noticed OR pay_us <= 14 * day_us()) AS silent_run
FROM own GROUP BY pid
