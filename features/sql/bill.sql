-- bill: the life of each invoice.
-- in:  issued, settled, reminded
-- out: the columns of issued and settled (partly is false where nothing was
--      paid), contacts (between issue and settlement; NULL while open)
-- Leak guard: settled, contacts and cancelled count only where they are <= upto.
SELECT i.*, settled, settled_day, coalesce(partly, false) AS partly,
       CASE WHEN settled IS NOT NULL THEN coalesce(contacts, 0) END AS contacts
FROM issued i LEFT JOIN settled USING (iid) LEFT JOIN reminded USING (iid)
