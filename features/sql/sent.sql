-- sent: the contacts with the debtors asked for.
-- in:  who, clock, contacts
-- out: cid UBIGINT (number of a contact with a debtor), did, ch (channel number),
--      tone (number), sent (us), sent_day, sent_hour (local hours since 1970)
-- Leak guard: sent no later than the horizon; later files compare with upto.
SELECT cid, did, ch, tone, sent, utc_day(local) AS sent_day, utc_hour(local) AS sent_hour
FROM (
    SELECT cid, did, ch, tone, sent, local(sent, before_us, change_us, after_us) AS local
    FROM (
        SELECT number_of(seed, contact_id) AS cid, did, zid, channel_number(channel) AS ch, tone_number(tone) AS tone, us(sent_at) AS sent
        FROM contacts JOIN who USING (creditor_id, debtor_id)
        WHERE sent_at <= horizon())
    JOIN clock ON slot = slot(zid, utc_day(sent)))
