-- debtors: ledger.Debtor.Merge of two rows of one moment. NULL sorts last
-- inside row(), and with it the empty text.
-- in:  appended_data, the columns of debtors in order, one row a key
INSERT INTO debtors AS t SELECT * FROM appended_data
ON CONFLICT (creditor_id, debtor_id, observed_at) DO UPDATE SET
    kind        = excluded.kind,
    language    = excluded.language,
    timezone    = excluded.timezone,
    country     = excluded.country,
    postcode    = excluded.postcode,
    sector_code = excluded.sector_code,
    created_at  = excluded.created_at
WHERE row(excluded.kind, nullif(excluded.language, ''), nullif(excluded.timezone, ''), nullif(excluded.country, ''), nullif(excluded.postcode, ''), nullif(excluded.sector_code, ''), excluded.created_at)
    < row(t.kind, nullif(t.language, ''), nullif(t.timezone, ''), nullif(t.country, ''), nullif(t.postcode, ''), nullif(t.sector_code, ''), t.created_at)
