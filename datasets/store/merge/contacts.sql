-- contacts: ledger.Contact.Merge, the earlier row holds. NULL sorts last
-- inside row().
-- in:  appended_data, the columns of contacts in order, one row a key
INSERT INTO contacts AS t SELECT * FROM appended_data
ON CONFLICT (creditor_id, contact_id) DO UPDATE SET
    debtor_id   = excluded.debtor_id,
    decision_id = excluded.decision_id,
    channel     = excluded.channel,
    tone        = excluded.tone,
    sent_at     = excluded.sent_at,
    cost        = excluded.cost,
    invoice_ids = excluded.invoice_ids
WHERE row(excluded.sent_at, excluded.debtor_id, excluded.channel, excluded.tone, excluded.cost, excluded.decision_id, excluded.invoice_ids)
    < row(t.sent_at, t.debtor_id, t.channel, t.tone, t.cost, t.decision_id, t.invoice_ids)
