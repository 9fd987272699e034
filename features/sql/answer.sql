-- answer: what the debtors did with contacts that are known.
-- in:  sign
-- out: did, cid, what (0 delivered, 1 bounced, 2 a human looked, 3 a human
--      replied, 4 opted out), at_us, hour (local, since 1970)
SELECT did, cid, CASE WHEN looked THEN 2 WHEN replied THEN 3 WHEN kind = 7 THEN 4 ELSE kind END::BIGINT AS what, at_us, hour::BIGINT AS hour
FROM sign WHERE cid IS NOT NULL AND (looked OR replied OR kind IN (0, 1, 7))
