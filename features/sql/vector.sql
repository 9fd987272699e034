-- vector: the groups side by side.
-- in:  moment, payment, natural, context, place, forecast, sector, holiday
-- out: one row per point: pid, by which the reader finds the rows of invoices_of,
--      payments_of, looks_of and contacts_of; place and upto, by which those of sky;
--      creditor (a hash), prof and today, by which the rates of a pool; the columns of Schema of one number
--      or text, DOUBLE and VARCHAR; and weekday and month_ended of today and the
--      lists of forecast, from which the reader makes others (see unpack.go). What is
--      not known is 0 unless the column says otherwise.
SELECT pid, place, upto, hash(creditor_id) AS creditor, prof, today, creditor_id, debtor_id, as_of,
       kind, sector, area, language, zone AS timezone, country,
       weekday(today)::INTEGER AS weekday, since_month_end(today)::INTEGER AS month_ended,
       coalesce(invoices_seen, 0)::DOUBLE AS invoices_seen,
       coalesce(invoices_paid, 0)::DOUBLE AS invoices_paid,
       coalesce(days_late_mean, 0)::DOUBLE AS days_late_mean,
       coalesce(days_late_mean_amount, 0)::DOUBLE AS days_late_mean_amount,
       coalesce(share_paid_before_due, 0)::DOUBLE AS share_paid_before_due,
       coalesce(share_paid_after_reminder, 0)::DOUBLE AS share_paid_after_reminder,
       coalesce(share_paid_unprompted_late, 0)::DOUBLE AS share_paid_unprompted_late,
       coalesce(reminders_per_paid, 0)::DOUBLE AS reminders_per_paid,
       coalesce(disputes, 0)::DOUBLE AS disputes,
       coalesce(promises_broken, 0)::DOUBLE AS promises_broken,
       coalesce(promises_kept, 0)::DOUBLE AS promises_kept,
       coalesce(open_balance, 0)::DOUBLE AS open_balance,
       coalesce(overdue_balance, 0)::DOUBLE AS overdue_balance,
       coalesce(invoices_seen - invoices_paid, 0)::DOUBLE AS open_invoices,
       coalesce(overdue_invoices, 0)::DOUBLE AS overdue_invoices,
       coalesce(today - oldest_due, 0)::DOUBLE AS oldest_dpd,
       coalesce(natural_days, 0)::DOUBLE AS natural_days,
       coalesce(natural_payments, 0)::DOUBLE AS natural_payments,
       ahead, suns, rains,
       coalesce(sector_risk, 0)::DOUBLE AS sector_risk,
       coalesce(sector_risk_change, 0)::DOUBLE AS sector_risk_change,
       coalesce(region_risk, 0)::DOUBLE AS region_risk,
       coalesce(holiday.days, -1)::DOUBLE AS days_to_holiday,
       day(date_of(today))::DOUBLE AS day_of_month,
       coalesce(today - oldest_due, 0)::DOUBLE AS days_past_due,
       coalesce(rating, 0)::DOUBLE AS rating,
       coalesce(rating_change, 0)::DOUBLE AS rating_change
FROM moment JOIN place USING (area, zid)
LEFT JOIN payment USING (pid) LEFT JOIN "natural" USING (pid) LEFT JOIN context USING (pid)
LEFT JOIN forecast USING (area, "zone", today, upto) LEFT JOIN sector USING (sector, area, country, upto)
LEFT JOIN holiday USING (country, today)
