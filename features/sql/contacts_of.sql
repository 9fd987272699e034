-- contacts_of: what a debtor did with each contact, packed for the reader, who
-- adds it up by channel.
-- in:  moment, touch
-- out: pid; sent (us); facts: age in days * 2^17 + channel (7: unknown) * 2^14
--      + one bit each, from 2^13 down: matured, delivered, bounced, opened, answered,
--      paid within 3, 7 and 14 days, opted out, ripe, ripe and opened, ripe and
--      paid, noticed or paid within 14 days; to_open, to_pay: us from sending to the
--      first open, and to a payment within 14 days, or NULL; unread: the stretch
--      that it lay unread, first hour (local, since 1970) * 2^38 + length in hours
--      * 2^31 + weight. A contact sent today and not yet noticed adds nothing until
--      tomorrow: NULL.
-- Matured: sent seven days ago, or answered or paid since; ripe: in the evidence
-- of pool.
-- Leak guard: sent <= upto, and every fate counts only where it is <= upto.
WITH own AS (
    SELECT pid, ch, sent, sent_hour, sent_day, today, noticed <= upto AS noticed,
           CASE WHEN noticed <= upto THEN unread_to ELSE least(sent_hour + 96, today * 24) END - sent_hour AS lying,
           utc_day(sent) + 9 <= today AS ripe,
           delivered <= upto AS delivered, bounced <= upto AS bounced, opted_out <= upto AS opted_out, answered <= upto AS answered,
           CASE WHEN opened <= upto THEN opened - sent END AS to_open,
           CASE WHEN paid <= upto AND paid - sent <= 14 * day_us() THEN paid - sent END AS to_pay
    FROM moment JOIN touch USING (did) WHERE sent <= upto
)
SELECT pid, sent,
       (today - sent_day)::BIGINT * 131072 + coalesce(ch, 7) * 16384
            + flag(today - sent_day >= 7 OR coalesce(answered, false) OR to_pay IS NOT NULL, 13)
            + flag(delivered, 12) + flag(bounced, 11) + flag(to_open IS NOT NULL, 10) + flag(answered, 9)
            + flag(to_pay <= 3 * day_us(), 8) + flag(to_pay <= 7 * day_us(), 7) + flag(to_pay IS NOT NULL, 6) + flag(opted_out, 5)
            + flag(ripe, 4) + flag(ripe AND to_open <= 7 * day_us(), 3) + flag(ripe AND to_pay <= 7 * day_us(), 2)
            + flag(coalesce(noticed, false) OR to_pay IS NOT NULL, 1) AS facts,
       to_open, to_pay,
       CASE WHEN lying > 0 THEN sent_hour::BIGINT * 274877906944 + lying::BIGINT * 2147483648 + look_decay(today - sent_day) END AS unread
FROM own
