-- hazard: person-periods for the hazard of payment: one row per invoice and
-- local day on which it was open in the morning, or was issued.
-- in:  moment (debtors at the issue of each invoice), bill, past, stretch, cases,
--      who, zone_number, clock
-- out: see the file's SELECT. y is 1 on the day the invoice was paid in full,
--      when it leaves; competing is 1 where a dispute and 2 where a plan opened
--      that day, and 3 where it was handed over (to a collector or a court, or the
--      debtor is insolvent or blocked), when it leaves too (payment wins on the same day); a cancelled
--      invoice leaves unseen. Days are
--      those of the debtor's calendar from since to the day before until. weight: rows without
--      an end are kept with probability keep, by a hash of invoice and day, and
--      weigh 1/keep. month: 1 is January. age: days since issue. days: from first to last day in
--      the window; ending: how the last ended, 1 paid, 1 + competing left, 0 open.
--      With first_only, only the first day of each invoice. paid_*: the debtor's days
--      with a payment, decayed, by weekday and at a month's end. The history is past, that of the moment of issue.
--      Rows come in an order that depends on nothing but them.
-- Leak guard: a row knows only days before its own, and the vector at issue.
WITH win AS (
    SELECT zid, min(day_at) AS from_day, max(day_at) AS to_day
    FROM (SELECT zid, utc_day(local(t, before_us, change_us, after_us)) AS day_at
          FROM zone_number, (SELECT unnest([us(window_start()), us(horizon())]) AS t) JOIN clock ON slot = slot(zid, utc_day(t)))
    GROUP BY zid
), leave AS (
    SELECT iid,
           min(day_number(timezone(moment.zone, opened_at)::DATE) * 4 + CASE cases.kind WHEN 'dispute' THEN 1 WHEN 'payment_plan' THEN 2 ELSE 3 END) AS leave
    FROM cases JOIN moment USING (creditor_id, debtor_id) JOIN who ON who.did = moment.did
    JOIN bill ON bill.did = moment.did AND bill.issued = moment.upto
    WHERE cases.kind IN ('dispute', 'payment_plan', 'insolvency', 'debt_mediation', 'legal', 'hold') AND (cases.invoice_id IS NULL OR number_of(seed, cases.invoice_id) = iid)
      AND us(opened_at) >= bill.issued AND us(opened_at) < us(horizon())
    GROUP BY iid
), spell AS (
    SELECT past.creditor_id, past.debtor_id, invoice_id, iid, bill.did, due_day, issued_day, cents, settled_day,
           coalesce(leave % 4, 0) AS cause, leave // 4 AS leave_day,
           greatest(issued_day, from_day) AS first_day,
           least(to_day - 1, settled_day, leave // 4, utc_day(cancelled) - 1) AS last_day,
           days_late_mean, share_paid_before_due, share_paid_after_reminder, natural_rate, invoices_paid, share_overdue,
           hash(invoice_id) AS iid_hash, CASE WHEN first_only() THEN greatest(issued_day, from_day) END AS only_day
    FROM bill JOIN past USING (iid) LEFT JOIN leave USING (iid) JOIN win USING (zid)
), piece AS (
    SELECT spell.*, paid_on,
           unnest(list_filter(range(greatest(first_day, stretch.from_day), least(last_day, stretch.to_day, only_day) + 1),
               lambda d: d IS NOT DISTINCT FROM settled_day OR d IS NOT DISTINCT FROM leave_day OR hash(iid_hash, d) % 1048576 < keep() * 1048576))::INTEGER AS day
    FROM spell JOIN stretch ON stretch.did = spell.did
     AND stretch.from_day <= last_day AND coalesce(stretch.to_day, last_day) >= first_day
), row AS (
    SELECT *, CASE WHEN day = settled_day THEN 1 ELSE 0 END AS y,
           CASE WHEN day = leave_day AND day IS DISTINCT FROM settled_day THEN cause ELSE 0 END AS competing
    FROM piece
)
SELECT creditor_id, debtor_id, invoice_id, date_of(day) AS day,
       (last_day - first_day + 1)::INTEGER AS days,
       (CASE WHEN last_day = settled_day THEN 1 WHEN last_day = leave_day THEN 1 + cause ELSE 0 END)::INTEGER AS ending,
       y::DOUBLE AS y, competing::INTEGER AS competing,
       CASE WHEN y = 1 OR competing > 0 THEN 1 ELSE 1 / keep() END::DOUBLE AS weight,
       (day - due_day)::DOUBLE AS dpd, weekday(day)::DOUBLE AS weekday,
       month_end(day)::DOUBLE AS month_end, month(date_of(day))::DOUBLE AS month, ln(1 + cents / 100)::DOUBLE AS log_amount,
       (day - issued_day)::DOUBLE AS age,
       paid_then(paid_on[1], day) AS paid_monday, paid_then(paid_on[2], day) AS paid_tuesday,
       paid_then(paid_on[3], day) AS paid_wednesday, paid_then(paid_on[4], day) AS paid_thursday,
       paid_then(paid_on[5], day) AS paid_friday, paid_then(paid_on[6], day) AS paid_saturday,
       paid_then(paid_on[7], day) AS paid_sunday, paid_then(paid_on[8], day) AS paid_month_end,
       days_late_mean, share_paid_before_due, share_paid_after_reminder, natural_rate, invoices_paid, share_overdue
FROM row
ORDER BY iid, day
