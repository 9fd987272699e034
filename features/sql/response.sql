-- response: what a debtor does with each contact.
-- in:  moment, touch, payment
-- out: per pid, packed for the reader, who adds them up by channel; entry i of
--      the first two is one contact:
--      sends BIGINT[] (us of sending); facts BIGINT[]: age in days * 2^18
--        + channel (7: unknown) * 2^15 + one bit each, from 2^14 down: after the
--        oldest open invoice fell due, matured, delivered, bounced, opened, answered,
--        paid within 3, 7 and 14 days, opted out, ripe, ripe and opened, ripe and
--        paid, noticed or paid within 14 days
--      to_open, to_pay BIGINT[]: us from sending to the first open, and to a
--        payment within 14 days, * 8 + channel
--      unread BIGINT[]: stretches that something lay unread: first hour (local,
--        since 1970) * 2^38 + length in hours * 2^31 + weight. A contact sent
--        today and not yet noticed adds nothing until tomorrow.
-- Matured: sent seven days ago, or answered or paid since; ripe: in the evidence
-- of pool.
-- Leak guard: sent <= upto, and every fate counts only where it is <= upto.
WITH own AS (
    SELECT pid, ch, sent, sent_hour, unread_to, today, oldest_due, sent_day, noticed <= upto AS noticed,
           utc_day(sent) + 9 <= today AS ripe,
           delivered <= upto AS delivered, bounced <= upto AS bounced, opted_out <= upto AS opted_out, answered <= upto AS answered,
           CASE WHEN opened <= upto THEN opened - sent END AS open_us,
           CASE WHEN paid <= upto AND paid - sent <= 14 * day_us() THEN paid - sent END AS pay_us
    FROM moment JOIN touch USING (did) LEFT JOIN payment USING (pid) WHERE sent <= upto
)
SELECT pid, list(sent) AS sends,
       list((today - sent_day)::BIGINT * 262144 + coalesce(ch, 7) * 32768 + flag(sent_day > oldest_due, 14)
            + flag(today - sent_day >= 7 OR coalesce(answered, false) OR pay_us IS NOT NULL, 13)
            + flag(delivered, 12) + flag(bounced, 11) + flag(open_us IS NOT NULL, 10) + flag(answered, 9)
            + flag(pay_us <= 3 * day_us(), 8) + flag(pay_us <= 7 * day_us(), 7) + flag(pay_us IS NOT NULL, 6) + flag(opted_out, 5)
            + flag(ripe, 4) + flag(ripe AND open_us <= 7 * day_us(), 3) + flag(ripe AND pay_us <= 7 * day_us(), 2)
            + flag(coalesce(noticed, false) OR pay_us IS NOT NULL, 1)) AS facts,
       list(open_us * 8 + ch) FILTER (open_us * 8 + ch IS NOT NULL) AS to_open,
       list(pay_us * 8 + ch) FILTER (pay_us * 8 + ch IS NOT NULL) AS to_pay,
       list(sent_hour::BIGINT * 274877906944 + lying::BIGINT * 2147483648 + look_decay(today - sent_day)) FILTER (lying > 0) AS unread
FROM (SELECT *, CASE WHEN noticed THEN unread_to ELSE least(sent_hour + 96, today * 24) END - sent_hour AS lying FROM own)
GROUP BY pid
