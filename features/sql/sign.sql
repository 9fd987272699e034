-- sign: what the debtors asked for did with contacts and invoices.
-- in:  who, clock, engagements, machine_opens, sent, horizon
-- out: did, cid (NULL where no contact is known), ch, kind, at_us, day, hour
--      (local hours since 1970), exact (to the hour or better), looked (an open,
--      view or click), replied (a reply or an answered call), machine
-- An engagement that names a channel but no contact belongs to the latest
-- contact on it. An e-mail opened within ten seconds of being sent or delivered
-- was opened by a machine, and so was what a learning has found out since.
-- Leak guard: no later than the horizon; later files compare with upto. That an
-- opening was a machine's is taken as known at the horizon.
WITH said AS (
    SELECT did, contact_id, channel_number(channel) AS ch, kind, t,
           t + CASE WHEN t >= change_us THEN after_us ELSE before_us END AS local,
           "precision" <> 'date' AS exact, is_machine,
           kind IN ('opened', 'viewed', 'clicked') AS looked, kind IN ('replied', 'answered') AS replied
    FROM (
        SELECT did, zid, contact_id, channel, kind, us(occurred_at) AS t, "precision", is_machine OR found IS NOT NULL AS is_machine
        FROM engagements JOIN who USING (creditor_id, debtor_id)
        LEFT JOIN (SELECT creditor_id, event_id, known_at AS found FROM machine_opens
                   WHERE known_at <= (SELECT until FROM horizon)) USING (creditor_id, event_id)
        WHERE occurred_at <= (SELECT until FROM horizon)) e
    JOIN clock ON clock.zid = e.zid AND clock.day = utc_day(t)
), placed AS (
    SELECT said.* EXCLUDE (ch, contact_id), coalesce(said.ch, sent.ch) AS ch, cid, sent
    FROM said LEFT JOIN sent ON sent.did = said.did AND sent.contact_id = said.contact_id
    WHERE said.contact_id IS NOT NULL
    UNION ALL BY NAME
    SELECT said.* EXCLUDE (contact_id), cid, sent
    FROM said ASOF LEFT JOIN sent ON sent.did = said.did AND sent.ch = said.ch AND sent.sent <= said.t
    WHERE said.contact_id IS NULL
), delivery AS (
    SELECT cid, min(t) AS delivered FROM placed WHERE kind = 'delivered' AND cid IS NOT NULL GROUP BY cid
)
SELECT did, cid, ch, kind, t AS at_us, (local // day_us())::INTEGER AS day, (local // hour_us())::INTEGER AS hour,
       exact, looked, replied,
       is_machine OR coalesce(kind = 'opened' AND ch = 0 AND exact
           AND (t - sent < 10000000 OR t - delivered BETWEEN 0 AND 9999999), false) AS machine
FROM placed LEFT JOIN delivery USING (cid)
