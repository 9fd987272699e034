-- ratings: ledger.Rating.Merge of two rows of one moment, the worse holds.
-- in:  appended_data, the columns of ratings in order, one row a key
INSERT INTO ratings AS t SELECT * FROM appended_data
ON CONFLICT (creditor_id, debtor_id, provider, observed_at) DO UPDATE SET
    score = excluded.score
WHERE excluded.score < t.score
