-- invoices: ledger.Invoice.Merge. The earlier observation holds, with the
-- earliest cancellation of both. NULL sorts last inside row().
-- in:  appended_data, the columns of invoices in order, one row a key
INSERT INTO invoices AS t SELECT * FROM appended_data
ON CONFLICT (creditor_id, invoice_id) DO UPDATE SET
    debtor_id    = CASE WHEN row(excluded.observed_at, excluded.issued_at, excluded.due_on, excluded.amount, excluded.currency, excluded.debtor_id) < row(t.observed_at, t.issued_at, t.due_on, t.amount, t.currency, t.debtor_id) THEN excluded.debtor_id ELSE t.debtor_id END,
    observed_at  = CASE WHEN row(excluded.observed_at, excluded.issued_at, excluded.due_on, excluded.amount, excluded.currency, excluded.debtor_id) < row(t.observed_at, t.issued_at, t.due_on, t.amount, t.currency, t.debtor_id) THEN excluded.observed_at ELSE t.observed_at END,
    issued_at    = CASE WHEN row(excluded.observed_at, excluded.issued_at, excluded.due_on, excluded.amount, excluded.currency, excluded.debtor_id) < row(t.observed_at, t.issued_at, t.due_on, t.amount, t.currency, t.debtor_id) THEN excluded.issued_at ELSE t.issued_at END,
    due_on       = CASE WHEN row(excluded.observed_at, excluded.issued_at, excluded.due_on, excluded.amount, excluded.currency, excluded.debtor_id) < row(t.observed_at, t.issued_at, t.due_on, t.amount, t.currency, t.debtor_id) THEN excluded.due_on ELSE t.due_on END,
    amount       = CASE WHEN row(excluded.observed_at, excluded.issued_at, excluded.due_on, excluded.amount, excluded.currency, excluded.debtor_id) < row(t.observed_at, t.issued_at, t.due_on, t.amount, t.currency, t.debtor_id) THEN excluded.amount ELSE t.amount END,
    currency     = CASE WHEN row(excluded.observed_at, excluded.issued_at, excluded.due_on, excluded.amount, excluded.currency, excluded.debtor_id) < row(t.observed_at, t.issued_at, t.due_on, t.amount, t.currency, t.debtor_id) THEN excluded.currency ELSE t.currency END,
    cancelled_at = least(excluded.cancelled_at, t.cancelled_at)
WHERE row(excluded.observed_at, excluded.issued_at, excluded.due_on, excluded.amount, excluded.currency, excluded.debtor_id) < row(t.observed_at, t.issued_at, t.due_on, t.amount, t.currency, t.debtor_id)
   OR row(excluded.cancelled_at) < row(t.cancelled_at)
