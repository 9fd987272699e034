-- response: what a debtor does with each channel.
-- in:  moment, touch
-- out: per pid and channel k of 0 to 4, NULL for a channel never used: counts of
--      contacts, three to a number of 21 bits each:
--        a_k sent, matured, delivered     d_k opted out, ripe, ripe and looked
--        b_k bounced, opened, answered    e_k ripe and paid
--        c_k paid within 3, 7, 14 days
--      hours_to_open_k, hours_to_pay_k: medians; silent_k: contacts since the last
--      that was noticed, or followed by a payment within 14 days. Matured: sent
--      seven days ago, or answered or paid since; ripe: in the evidence of pool.
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
    SELECT pid,
           sum(a) FILTER (ch = 0) AS a_0, sum(a) FILTER (ch = 1) AS a_1, sum(a) FILTER (ch = 2) AS a_2, sum(a) FILTER (ch = 3) AS a_3, sum(a) FILTER (ch = 4) AS a_4,
           sum(b) FILTER (ch = 0) AS b_0, sum(b) FILTER (ch = 1) AS b_1, sum(b) FILTER (ch = 2) AS b_2, sum(b) FILTER (ch = 3) AS b_3, sum(b) FILTER (ch = 4) AS b_4,
           sum(c) FILTER (ch = 0) AS c_0, sum(c) FILTER (ch = 1) AS c_1, sum(c) FILTER (ch = 2) AS c_2, sum(c) FILTER (ch = 3) AS c_3, sum(c) FILTER (ch = 4) AS c_4,
           sum(d) FILTER (ch = 0) AS d_0, sum(d) FILTER (ch = 1) AS d_1, sum(d) FILTER (ch = 2) AS d_2, sum(d) FILTER (ch = 3) AS d_3, sum(d) FILTER (ch = 4) AS d_4,
           sum(e) FILTER (ch = 0) AS e_0, sum(e) FILTER (ch = 1) AS e_1, sum(e) FILTER (ch = 2) AS e_2, sum(e) FILTER (ch = 3) AS e_3, sum(e) FILTER (ch = 4) AS e_4,
           median(open_us) FILTER (ch = 0 AND open_us IS NOT NULL) / 3.6e9 AS hours_to_open_0, median(pay_us) FILTER (ch = 0 AND pay_us IS NOT NULL) / 3.6e9 AS hours_to_pay_0,
           median(open_us) FILTER (ch = 1 AND open_us IS NOT NULL) / 3.6e9 AS hours_to_open_1, median(pay_us) FILTER (ch = 1 AND pay_us IS NOT NULL) / 3.6e9 AS hours_to_pay_1,
           median(open_us) FILTER (ch = 2 AND open_us IS NOT NULL) / 3.6e9 AS hours_to_open_2, median(pay_us) FILTER (ch = 2 AND pay_us IS NOT NULL) / 3.6e9 AS hours_to_pay_2,
           median(open_us) FILTER (ch = 3 AND open_us IS NOT NULL) / 3.6e9 AS hours_to_open_3, median(pay_us) FILTER (ch = 3 AND pay_us IS NOT NULL) / 3.6e9 AS hours_to_pay_3,
           median(open_us) FILTER (ch = 4 AND open_us IS NOT NULL) / 3.6e9 AS hours_to_open_4, median(pay_us) FILTER (ch = 4 AND pay_us IS NOT NULL) / 3.6e9 AS hours_to_pay_4,
           coalesce(max(good) FILTER (ch = 0), -1) AS good_0, coalesce(max(good) FILTER (ch = 1), -1) AS good_1, coalesce(max(good) FILTER (ch = 2), -1) AS good_2, coalesce(max(good) FILTER (ch = 3), -1) AS good_3, coalesce(max(good) FILTER (ch = 4), -1) AS good_4
    FROM packed GROUP BY pid
), silent AS (
    SELECT pid, count(*) FILTER (ch = 0) AS silent_0, count(*) FILTER (ch = 1) AS silent_1, count(*) FILTER (ch = 2) AS silent_2, count(*) FILTER (ch = 3) AS silent_3, count(*) FILTER (ch = 4) AS silent_4
    FROM own JOIN tally USING (pid)
    WHERE sent > CASE ch WHEN 0 THEN good_0 WHEN 1 THEN good_1 WHEN 2 THEN good_2 WHEN 3 THEN good_3 ELSE good_4 END
    GROUP BY pid
)
SELECT * FROM tally LEFT JOIN silent USING (pid)
