-- decisions: a logged decision is never rewritten.
-- in:  appended_data, the columns of decisions in order
INSERT INTO decisions SELECT * FROM appended_data
ON CONFLICT (creditor_id, decision_id) DO NOTHING
