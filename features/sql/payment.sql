-- payment: how a debtor pays, and what is open.
-- in:  moment, bill, receipt, natural
-- out: one row per pid with any invoice; balances in euro (currency units), days
--      in days, shares in [0, 1]
-- Leak guard: invoices with known <= upto; settled, cancelled and receipts
-- count only where <= upto.
WITH seen AS (
    SELECT pid, today,
           CASE WHEN settled <= upto THEN settled END AS settled,
           CASE WHEN settled <= upto THEN settled_day - due_day END AS late,
           due_day, cents, contacts, issued_day
    FROM moment JOIN bill USING (did)
    WHERE known <= upto AND (cancelled IS NULL OR cancelled > upto)
), invoices AS (
    SELECT pid,
           count(*) AS seen, count(late) AS paid,
           avg(late) AS mean, median(late) AS median, mad(late) AS mad,
           sum(late * cents) / sum(cents) FILTER (late IS NOT NULL) AS mean_amount,
           sum(late) AS late_sum,
           list_sum(list_transform(max(settled // 1000000 * 1048576 + late + 524288, 3), lambda x: x % 1048576 - 524288)) AS last_three,
           count(*) FILTER (late <= 0) AS before_due,
           count(*) FILTER (late > 0 AND contacts > 0) AS after_reminder,
           count(*) FILTER (late > 0 AND contacts = 0) AS unprompted,
           sum(contacts) FILTER (late IS NOT NULL) AS reminders,
           count(*) FILTER (late IS NULL) AS open,
           count(*) FILTER (late IS NULL AND due_day < today) AS overdue,
           sum(cents) FILTER (late IS NULL) AS open_cents,
           sum(cents) FILTER (late IS NULL AND due_day < today) AS overdue_cents,
           min(due_day) FILTER (late IS NULL) AS oldest_due,
           list(issued_day) AS issues
    FROM seen GROUP BY pid
), rhythm AS (
    SELECT pid, list_aggregate(gaps, 'median') AS days, list_aggregate(gaps, 'mad') AS spread, len(gaps) AS n
    FROM (SELECT pid, list_filter(gaps_of(list_sort(issues)), lambda gap: gap > 0) AS gaps FROM invoices WHERE seen > 1)
), part AS (
    SELECT pid, sum(receipt.cents) AS open_cents,
           sum(receipt.cents) FILTER (receipt.due_day < today) AS overdue_cents
    FROM moment JOIN receipt USING (did) JOIN bill USING (did, iid)
    WHERE paid <= upto AND bill.known <= upto AND (settled IS NULL OR settled > upto) AND (cancelled IS NULL OR cancelled > upto)
    GROUP BY pid
)
SELECT pid,
       seen AS invoices_seen, paid AS invoices_paid,
       mean AS days_late_mean, median AS days_late_median, mad AS days_late_mad,
       mean_amount AS days_late_mean_amount,
       CASE WHEN paid > 3 THEN last_three / 3 - (late_sum - last_three) / (paid - 3) END AS days_late_trend,
       before_due / nullif(paid, 0) AS share_paid_before_due,
       after_reminder / nullif(paid, 0) AS share_paid_after_reminder,
       unprompted / nullif(paid, 0) AS share_paid_unprompted_late,
       reminders / nullif(paid, 0) AS reminders_per_paid,
       (i.open_cents - coalesce(part.open_cents, 0)) / 100 AS open_balance,
       (i.overdue_cents - coalesce(part.overdue_cents, 0)) / 100 AS overdue_balance,
       open AS open_invoices, overdue AS overdue_invoices, oldest_due,
       rhythm.days AS cadence_days,
       CASE WHEN rhythm.n >= 3 AND rhythm.days BETWEEN 6 AND 8 AND spread <= 1 THEN 1
            WHEN rhythm.n >= 3 AND rhythm.days BETWEEN 27 AND 33 AND spread <= 3 THEN 2
            ELSE 0 END AS cadence,
       natural_days, natural_payments
FROM invoices i LEFT JOIN rhythm USING (pid) LEFT JOIN part USING (pid) LEFT JOIN "natural" USING (pid)
