-- concerned: whose vector may have changed because moments passed: debtors to
-- whom something happened, areas and sectors of which something became known.
-- in:  the relations of the warehouse; the window begins where the last refresh
--      ended
-- out: what ('debtor', 'area' or 'sector'), creditor_id, id
WITH happened AS (
    SELECT 'debtor' AS what, creditor_id, debtor_id AS id, observed_at AS t FROM debtors
    UNION ALL SELECT 'debtor', creditor_id, debtor_id, greatest(issued_at, observed_at) FROM invoices
    UNION ALL SELECT 'debtor', creditor_id, debtor_id, cancelled_at FROM invoices
    UNION ALL SELECT 'debtor', creditor_id, debtor_id, paid_at FROM payments
    UNION ALL SELECT 'debtor', creditor_id, debtor_id, sent_at FROM contacts
    UNION ALL SELECT 'debtor', creditor_id, debtor_id, occurred_at FROM engagements
    UNION ALL SELECT 'debtor', creditor_id, debtor_id, known_at FROM machine_opens
    UNION ALL SELECT 'debtor', creditor_id, debtor_id, opened_at FROM cases
    UNION ALL SELECT 'debtor', creditor_id, debtor_id, closed_at FROM cases
    UNION ALL SELECT 'debtor', creditor_id, debtor_id, observed_at FROM ratings
    UNION ALL SELECT 'area', '', region, known_at FROM weather
    UNION ALL SELECT CASE WHEN sector_code = '' THEN 'area' ELSE 'sector' END, '',
                     CASE WHEN sector_code = '' THEN region ELSE left(sector_code, 2) END, known_at FROM sector_signals
)
SELECT DISTINCT what, creditor_id, id FROM happened WHERE t > window_start() AND t <= horizon()
