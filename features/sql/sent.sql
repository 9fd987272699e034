-- sent: the contacts with the debtors asked for.
-- in:  who, clock, contacts, horizon
-- out: cid INTEGER, did, contact_id, ch (channel number), tone (number), sent
--      (us), sent_day, sent_hour (local hours since 1970)
-- Leak guard: sent no later than the horizon; later files compare with upto.
SELECT (row_number() OVER ())::INTEGER AS cid, did, contact_id, ch, tone, sent,
       (local // day_us())::INTEGER AS sent_day, (local // hour_us())::INTEGER AS sent_hour
FROM (
    SELECT did, contact_id, ch, tone, sent,
           sent + CASE WHEN sent >= change_us THEN after_us ELSE before_us END AS local
    FROM (
        SELECT did, zid, contact_id, channel_number(channel) AS ch, tone_number(tone) AS tone, us(sent_at) AS sent
        FROM contacts JOIN who USING (creditor_id, debtor_id)
        WHERE sent_at <= (SELECT until FROM horizon)) c
    JOIN clock ON clock.zid = c.zid AND clock.day = utc_day(sent))
