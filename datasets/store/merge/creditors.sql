-- creditors: a file knows who a creditor is; how it is served was set up by its
-- owner and stays.
-- in:  appended_data, the columns of creditors in order
INSERT INTO creditors AS t SELECT DISTINCT ON (col1) * FROM appended_data
ON CONFLICT (creditor_id) DO UPDATE SET
    name     = excluded.name,
    country  = excluded.country,
    timezone = excluded.timezone,
    currency = excluded.currency
WHERE row(excluded.name, excluded.country, excluded.timezone, excluded.currency) <> row(t.name, t.country, t.timezone, t.currency)
