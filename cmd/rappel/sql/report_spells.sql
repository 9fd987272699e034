-- report_spells: the life of every invoice in pieces between contacts: rows of a
-- regression of the time to pay with contacts as time-varying covariates.
-- in:  report_bill, contacts; $1 creditor, $2 as-of TIMESTAMPTZ
-- out: invoice_id, debtor_id, start and stop (days since issue, start < stop),
--      paid (1 where the piece ends in full payment), contacts (so far, at most 4),
--      letter, email, phone, sms and whatsapp (1 where the last contact was on
--      that channel and at most 30 days ago when the piece begins), overdue (1
--      past the due date), log_amount
-- Leak guard: reads only what lies at or before $2.
WITH life AS (
    SELECT invoice_id, debtor_id, issued_at, amount,
           greatest(date_diff('day', issued_at, coalesce(settled_at, $2::TIMESTAMPTZ)), 0) + 0.5 AS ends,
           settled_at IS NOT NULL AS settled,
           due_on - timezone(zone, issued_at)::DATE + 1 AS overdue_from
    FROM report_bill
), sent AS (
    SELECT invoice_id, channel, row_number() OVER (PARTITION BY invoice_id ORDER BY sent_at, contact_id) AS nth,
           greatest(date_diff('day', issued_at, sent_at), 0)::DOUBLE AS day
    FROM contacts k JOIN life USING (debtor_id)
    WHERE k.creditor_id = $1 AND sent_at <= $2 AND sent_at >= issued_at
      AND (len(k.invoice_ids) = 0 OR list_contains(k.invoice_ids, invoice_id))
), cut AS (
    SELECT invoice_id, 0.0 AS t FROM life
    UNION SELECT invoice_id, overdue_from::DOUBLE FROM life WHERE overdue_from > 0
    UNION SELECT invoice_id, day FROM sent
    UNION SELECT invoice_id, day + 30 FROM sent
), piece AS (
    SELECT life.*, t AS start, least(coalesce(lead(t) OVER (PARTITION BY invoice_id ORDER BY t), ends), ends) AS stop
    FROM cut JOIN life USING (invoice_id) WHERE t < ends
)
SELECT p.invoice_id, p.debtor_id, p.start, p.stop,
       (p.settled AND p.stop = p.ends)::INTEGER AS paid,
       least(coalesce(s.nth, 0), 4)::INTEGER AS contacts,
       coalesce(s.channel = 'letter' AND p.start - s.day < 30, false)::INTEGER AS letter,
       coalesce(s.channel = 'email' AND p.start - s.day < 30, false)::INTEGER AS email,
       coalesce(s.channel = 'phone' AND p.start - s.day < 30, false)::INTEGER AS phone,
       coalesce(s.channel = 'sms' AND p.start - s.day < 30, false)::INTEGER AS sms,
       coalesce(s.channel = 'whatsapp' AND p.start - s.day < 30, false)::INTEGER AS whatsapp,
       (p.start >= p.overdue_from)::INTEGER AS overdue, ln(1 + p.amount)::DOUBLE AS log_amount
FROM piece p ASOF LEFT JOIN sent s ON s.invoice_id = p.invoice_id AND s.day <= p.start
ORDER BY p.invoice_id, p.start
