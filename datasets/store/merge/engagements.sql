-- engagements: ledger.Engagement.Merge, the earlier row holds. NULL sorts last
-- inside row().
-- in:  appended_data, the columns of engagements in order, one row a key
INSERT INTO engagements AS t SELECT * FROM appended_data
ON CONFLICT (creditor_id, event_id) DO UPDATE SET
    debtor_id   = excluded.debtor_id,
    contact_id  = excluded.contact_id,
    invoice_id  = excluded.invoice_id,
    channel     = excluded.channel,
    kind        = excluded.kind,
    occurred_at = excluded.occurred_at,
    precision   = excluded.precision,
    is_machine  = excluded.is_machine
WHERE row(excluded.occurred_at, excluded.debtor_id, excluded.kind, excluded.contact_id, excluded.invoice_id, excluded.channel, excluded.precision, excluded.is_machine)
    < row(t.occurred_at, t.debtor_id, t.kind, t.contact_id, t.invoice_id, t.channel, t.precision, t.is_machine)
