-- cases: ledger.Case.Merge. The earlier opening holds, and of both closings
-- the earlier with its outcome. NULL sorts last inside row().
-- in:  appended_data, the columns of cases in order, one row a key
INSERT INTO cases AS t SELECT * FROM appended_data
ON CONFLICT (creditor_id, case_id) DO UPDATE SET
    debtor_id  = CASE WHEN row(excluded.opened_at, excluded.kind, excluded.invoice_id, excluded.expires_on, excluded.debtor_id) < row(t.opened_at, t.kind, t.invoice_id, t.expires_on, t.debtor_id) THEN excluded.debtor_id ELSE t.debtor_id END,
    invoice_id = CASE WHEN row(excluded.opened_at, excluded.kind, excluded.invoice_id, excluded.expires_on, excluded.debtor_id) < row(t.opened_at, t.kind, t.invoice_id, t.expires_on, t.debtor_id) THEN excluded.invoice_id ELSE t.invoice_id END,
    kind       = CASE WHEN row(excluded.opened_at, excluded.kind, excluded.invoice_id, excluded.expires_on, excluded.debtor_id) < row(t.opened_at, t.kind, t.invoice_id, t.expires_on, t.debtor_id) THEN excluded.kind ELSE t.kind END,
    opened_at  = CASE WHEN row(excluded.opened_at, excluded.kind, excluded.invoice_id, excluded.expires_on, excluded.debtor_id) < row(t.opened_at, t.kind, t.invoice_id, t.expires_on, t.debtor_id) THEN excluded.opened_at ELSE t.opened_at END,
    expires_on = CASE WHEN row(excluded.opened_at, excluded.kind, excluded.invoice_id, excluded.expires_on, excluded.debtor_id) < row(t.opened_at, t.kind, t.invoice_id, t.expires_on, t.debtor_id) THEN excluded.expires_on ELSE t.expires_on END,
    closed_at  = CASE WHEN row(excluded.closed_at, excluded.outcome) < row(t.closed_at, t.outcome) THEN excluded.closed_at ELSE t.closed_at END,
    outcome    = CASE WHEN row(excluded.closed_at, excluded.outcome) < row(t.closed_at, t.outcome) THEN excluded.outcome ELSE t.outcome END
WHERE row(excluded.opened_at, excluded.kind, excluded.invoice_id, excluded.expires_on, excluded.debtor_id) < row(t.opened_at, t.kind, t.invoice_id, t.expires_on, t.debtor_id)
   OR row(excluded.closed_at, excluded.outcome) < row(t.closed_at, t.outcome)
