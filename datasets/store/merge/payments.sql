-- payments: ledger.Payment.Merge, the earlier row holds. NULL sorts last
-- inside row(), and with it the empty text.
-- in:  appended_data, the columns of payments in order, one row a key
INSERT INTO payments AS t SELECT * FROM appended_data
ON CONFLICT (creditor_id, payment_id) DO UPDATE SET
    invoice_id = excluded.invoice_id,
    debtor_id  = excluded.debtor_id,
    paid_at    = excluded.paid_at,
    amount     = excluded.amount,
    method     = excluded.method
WHERE row(excluded.paid_at, nullif(excluded.invoice_id, ''), excluded.debtor_id, excluded.amount, nullif(excluded.method, ''))
    < row(t.paid_at, nullif(t.invoice_id, ''), t.debtor_id, t.amount, nullif(t.method, ''))
