-- events: log what was not there; the same id again changes nothing.
-- in:  appended_data, the columns of events in order
INSERT INTO events SELECT * FROM appended_data
ON CONFLICT (creditor_id, event_id) DO NOTHING
