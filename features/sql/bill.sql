-- bill: the life of each invoice.
-- in:  issued, settled, sent
-- out: the columns of issued and settled (partly is false where nothing was
--      paid), contacts (between issue and settlement; NULL while open)
-- Invoices meet contacts in stretches of 64 days, so that a long history is not
-- held against itself.
-- Leak guard: settled, contacts and cancelled count only where they are <= upto.
WITH closed AS (
    SELECT iid, did, issued, settled, issued_day // 64 AS first, settled_day // 64 AS last
    FROM issued JOIN settled USING (iid) WHERE settled > issued
), spell AS (
    SELECT iid, did, issued, settled, first AS stretch FROM closed
    UNION ALL
    SELECT iid, did, issued, settled, unnest(range(first + 1, last + 1))::INTEGER FROM closed WHERE last > first
), reminded AS (
    SELECT iid, count(*) AS contacts
    FROM spell JOIN sent ON sent.did = spell.did AND sent.sent_day // 64 = stretch AND sent.sent > issued AND sent.sent < settled
    GROUP BY iid
)
SELECT i.*, settled, settled_day, coalesce(partly, false) AS partly,
       CASE WHEN settled IS NOT NULL THEN coalesce(contacts, 0) END AS contacts
FROM issued i LEFT JOIN settled USING (iid) LEFT JOIN reminded USING (iid)
