-- sending: when contacts were sent.
-- in:  sent
-- out: did, sent (us), sent_day
SELECT did, sent, sent_day::BIGINT AS sent_day FROM sent
