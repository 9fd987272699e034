-- bill: the life of each invoice.
-- in:  issued, settled
-- out: the columns of issued; settled (us) and settled_day, NULL while open; partly
--      (a payment came that left something open); contacts (between issue and
--      settlement; NULL while open)
-- Leak guard: settled, contacts and cancelled count only where they are <= upto.
SELECT i.*, settled, settled_day, coalesce(partly, false) AS partly, contacts
FROM issued i LEFT JOIN settled USING (iid)
