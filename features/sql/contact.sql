-- contact: the contacts, for those who ask what became of each.
-- in:  sent
-- out: did, cid, ch, sent (us), sent_day, sent_hour
SELECT did, cid, ch::BIGINT AS ch, sent, sent_day::BIGINT AS sent_day, sent_hour::BIGINT AS sent_hour FROM sent
