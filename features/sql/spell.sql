-- spell: from when to when an invoice that was settled lay open.
-- in:  issued, settled
-- out: did, iid, issued, settled (us); settled > issued
SELECT did, iid, issued, settled FROM issued JOIN settled USING (iid) WHERE settled > issued
