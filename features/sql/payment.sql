-- payment: how a debtor pays, and what is open.
-- in:  moment, bill, receipt, natural
-- out: one row per pid with any invoice; balances in euro (currency units), days
--      in days, shares in [0, 1]
-- Leak guard: invoices with known <= upto; settled, cancelled and receipts
-- count only where <= upto.
WITH seen AS (
    SELECT pid, late, late IS NULL AND due_day < today AS overdue, due_day, cents, contacts
    FROM (SELECT pid, today, CASE WHEN settled <= upto THEN settled_day - due_day END AS late, due_day, cents, contacts
          FROM moment JOIN bill USING (did)
          WHERE known <= upto AND (cancelled IS NULL OR cancelled > upto))
), invoices AS (
    SELECT pid, count(*) AS seen, count(late) AS paid, sum(late) AS late_sum,
           sum(late * cents) / sum(CASE WHEN late IS NOT NULL THEN cents END) AS mean_amount,
           count(CASE WHEN late <= 0 THEN 1 END) AS before_due,
           count(CASE WHEN late > 0 AND contacts > 0 THEN 1 END) AS after_reminder,
           sum(CASE WHEN late IS NOT NULL THEN contacts END) AS reminders,
           count(CASE WHEN overdue THEN 1 END) AS overdue,
           sum(CASE WHEN late IS NULL THEN cents END) AS open_cents,
           sum(CASE WHEN overdue THEN cents END) AS overdue_cents,
           min(CASE WHEN late IS NULL THEN due_day END) AS oldest_due
    FROM seen GROUP BY pid
), part AS (
    SELECT pid, sum(receipt.cents) AS open_cents,
           sum(CASE WHEN receipt.due_day < today THEN receipt.cents END) AS overdue_cents
    FROM receipt JOIN (SELECT iid, settled, known, cancelled FROM bill WHERE partly) b USING (iid)
    JOIN moment USING (did)
    WHERE paid <= upto AND b.known <= upto AND (settled IS NULL OR settled > upto) AND (cancelled IS NULL OR cancelled > upto)
    GROUP BY pid
)
SELECT pid, seen AS invoices_seen, paid AS invoices_paid,
       late_sum / nullif(paid, 0) AS days_late_mean, mean_amount AS days_late_mean_amount,
       before_due / nullif(paid, 0) AS share_paid_before_due,
       after_reminder / nullif(paid, 0) AS share_paid_after_reminder,
       (paid - before_due - after_reminder) / nullif(paid, 0) AS share_paid_unprompted_late,
       reminders / nullif(paid, 0) AS reminders_per_paid,
       (i.open_cents - coalesce(part.open_cents, 0)) / 100 AS open_balance,
       (i.overdue_cents - coalesce(part.overdue_cents, 0)) / 100 AS overdue_balance,
       seen - paid AS open_invoices, overdue AS overdue_invoices, oldest_due, natural_days, natural_payments
FROM invoices i LEFT JOIN part USING (pid) LEFT JOIN "natural" USING (pid)
