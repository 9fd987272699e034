-- debtor_channels: ledger.Reach.Merge of two rows of one moment. Where one says
-- nothing (NULL) the other speaks; where both do the more careful word holds.
-- in:  appended_data, the columns of debtor_channels in order, one row a key
INSERT INTO debtor_channels AS t SELECT * FROM appended_data
ON CONFLICT (creditor_id, debtor_id, channel, observed_at) DO UPDATE SET
    reachable = least(excluded.reachable, t.reachable),
    consent   = least(excluded.consent, t.consent),
    opted_out = greatest(excluded.opted_out, t.opted_out)
WHERE least(excluded.reachable, t.reachable) IS DISTINCT FROM t.reachable
   OR least(excluded.consent, t.consent) IS DISTINCT FROM t.consent
   OR greatest(excluded.opted_out, t.opted_out) IS DISTINCT FROM t.opted_out
