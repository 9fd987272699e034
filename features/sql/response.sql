-- response: what a debtor does with each channel.
-- in:  moment, touch
-- out: per pid and ch (a channel that was used): counts of contacts, three to a
--      number of 21 bits each:
--        a sent, matured, delivered     d opted out, ripe, ripe and opened
--        b bounced, opened, answered    e ripe and paid
--        c paid within 3, 7, 14 days
--      hours_to_open, hours_to_pay: medians; silent: contacts since the last that
--      was noticed, or followed by a payment within 14 days. Matured: sent seven
--      days ago, or answered or paid since; ripe: in the evidence of pool.
-- Leak guard: sent <= upto, and every fate counts only where it is <= upto.
WITH own AS (
    SELECT pid, ch, sent, today - sent_day AS age, utc_day(sent) + 9 <= today AS ripe,
           delivered <= upto AS delivered, bounced <= upto AS bounced, opted_out <= upto AS opted_out,
           answered <= upto AS answered, noticed <= upto AS noticed,
           CASE WHEN opened <= upto THEN opened - sent END AS open_us,
           CASE WHEN paid <= upto THEN paid - sent END AS pay_us
    FROM moment JOIN touch USING (did) WHERE sent <= upto AND ch IS NOT NULL
), said AS (
    SELECT pid, ch, sent, open_us, CASE WHEN pay_us <= 14 * day_us() THEN pay_us END AS pay_us,
           age >= 7 OR coalesce(answered, false) OR pay_us IS NOT NULL AS matured, delivered, bounced, open_us IS NOT NULL AS looked, answered,
           pay_us <= 3 * day_us() AS paid_3d, pay_us <= 7 * day_us() AS paid_7d, pay_us <= 14 * day_us() AS paid_14d,
           opted_out, ripe, ripe AND open_us <= 7 * day_us() AS ripe_looked, ripe AND pay_us <= 7 * day_us() AS ripe_paid,
           CASE WHEN coalesce(noticed, false) OR coalesce(pay_us <= 14 * day_us(), false) THEN sent END AS good
    FROM own
), packed AS (
    SELECT pid, ch, sent, open_us, pay_us, good,
           1::BIGINT + 2097152 * coalesce(matured, false)::BIGINT + 4398046511104 * coalesce(delivered, false)::BIGINT AS a,
           coalesce(bounced, false)::BIGINT + 2097152 * coalesce(looked, false)::BIGINT + 4398046511104 * coalesce(answered, false)::BIGINT AS b,
           coalesce(paid_3d, false)::BIGINT + 2097152 * coalesce(paid_7d, false)::BIGINT + 4398046511104 * coalesce(paid_14d, false)::BIGINT AS c,
           coalesce(opted_out, false)::BIGINT + 2097152 * coalesce(ripe, false)::BIGINT + 4398046511104 * coalesce(ripe_looked, false)::BIGINT AS d,
           coalesce(ripe_paid, false)::BIGINT AS e
    FROM said
), tally AS (
    SELECT pid, ch, sum(a)::BIGINT AS a, sum(b)::BIGINT AS b, sum(c)::BIGINT AS c, sum(d)::BIGINT AS d, sum(e)::BIGINT AS e,
           median(open_us) / 3.6e9 AS hours_to_open, median(pay_us) / 3.6e9 AS hours_to_pay, coalesce(max(good), -1) AS good
    FROM packed GROUP BY pid, ch
), silent AS (
    SELECT pid, ch, count(*) AS silent FROM own JOIN tally USING (pid, ch) WHERE sent > good GROUP BY pid, ch
)
SELECT pid, ch, a, b, c, d, e, hours_to_open, hours_to_pay, silent FROM tally LEFT JOIN silent USING (pid, ch)
