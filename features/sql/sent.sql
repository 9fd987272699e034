-- sent: the contacts with the debtors asked for.
-- in:  who, clock, contacts
-- out: cid UBIGINT (number of a contact with a debtor), did, ch (channel number),
--      sent (us), sent_day, sent_hour (local hours since 1970)
-- Leak guard: sent no later than the horizon; later files compare with upto.
SELECT cid, did, ch, sent, utc_day(local) AS sent_day, utc_hour(local) AS sent_hour
FROM (
    SELECT cid, did, ch, sent, local(sent, before_us, change_us, after_us) AS local
    FROM (
        SELECT number_of(seed, contact_id) AS cid, did, zid, channel_number(channel) AS ch, us(sent_at) AS sent
        FROM contacts JOIN who USING (creditor_id, debtor_id)
        WHERE sent_at <= horizon())
    JOIN clock ON slot = slot(zid, utc_day(sent)))
