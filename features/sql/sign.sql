-- sign: what the debtors asked for did with contacts and invoices.
-- in:  who, clock, engagements, machine_opens, sent
-- out: did, cid (NULL where no contact is named or found; it may be of one that is
--      not known), kind (number), at_us, day, hour (local hours since 1970), exact
--      (to the hour or better), looked (a human open, view or click), replied (a
--      human reply or answered call), machine
-- An engagement that names a channel but no contact belongs to the latest
-- contact on it. An e-mail opened within ten seconds of being sent or delivered
-- was opened by a machine, and so was what a learning has found out since.
-- Leak guard: no later than the horizon; later files compare with upto. That an
-- opening was a machine's is taken as known at the horizon.
WITH said AS (
    SELECT did, cid, ch, kind, t, local(t, before_us, change_us, after_us) AS local, exact, is_machine
    FROM (
        SELECT did, zid, number_of(seed, contact_id) AS cid, channel_number(channel) AS ch, kind_number(kind) AS kind,
               us(occurred_at) AS t, "precision" <> 'date' AS exact,
               is_machine OR known_at IS NOT NULL AS is_machine
        FROM engagements JOIN who USING (creditor_id, debtor_id)
        LEFT JOIN (SELECT creditor_id, event_id, known_at FROM machine_opens WHERE known_at <= horizon()) USING (creditor_id, event_id)
        WHERE occurred_at <= horizon())
    JOIN clock ON slot = slot(zid, utc_day(t))
), loose AS (
    SELECT * EXCLUDE (cid) FROM said WHERE cid IS NULL
), placed AS (
    SELECT did, cid, ch, kind, t, local, exact, is_machine FROM said WHERE cid IS NOT NULL
    UNION ALL BY NAME
    SELECT loose.*, cid
    FROM loose ASOF LEFT JOIN (
        SELECT did, ch, sent, min(cid) AS cid FROM sent SEMI JOIN loose USING (did) GROUP BY did, ch, sent) s
    ON s.did = loose.did AND s.ch = loose.ch AND s.sent <= loose.t
), mail AS (
    SELECT sent.cid, sent, delivered
    FROM sent LEFT JOIN (
        SELECT cid, min(t) AS delivered FROM placed WHERE kind = 0 AND coalesce(ch, 0) = 0 AND cid IS NOT NULL GROUP BY cid) d USING (cid)
    WHERE ch = 0
)
SELECT did, placed.cid, kind, t AS at_us, utc_day(local) AS day, utc_hour(local) AS hour, exact,
       kind BETWEEN 2 AND 4 AND NOT machine AS looked, kind BETWEEN 5 AND 6 AND NOT machine AS replied, machine
FROM (
    SELECT placed.*, is_machine OR coalesce(t - sent < 10000000 OR t - delivered BETWEEN 0 AND 9999999, false) AS machine
    FROM placed LEFT JOIN mail ON mail.cid = CASE WHEN kind = 2 AND coalesce(ch, 0) = 0 AND exact THEN placed.cid END
) placed
