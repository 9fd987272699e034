-- outcome: what came of each contact.
-- in:  moment (debtors at the sending of each contact), payment, touch,
--      receipt, contacts, horizon
-- out: one row per contact; spans in days (DOUBLE, to the microsecond) unless
--      named; NULL: has not happened by the horizon. dpd: days past due of the
--      oldest invoice open then (0 without); overdue_balance at sending; others
--      in the 7 and 28 days before; followed: days from sending to the horizon.
-- Leak guard: the state is that of the moment of sending; outcomes end at the horizon.
SELECT moment.creditor_id, moment.debtor_id, t.contact_id, contacts.decision_id,
       t.ch::INTEGER AS channel, t.tone::INTEGER AS tone, contacts.sent_at,
       hour_of_week(sent_hour)::INTEGER AS hour_of_week,
       coalesce(moment.today - oldest_due, 0)::DOUBLE AS dpd,
       coalesce(overdue_balance, 0)::DOUBLE AS overdue_balance,
       others_7d::DOUBLE AS others_7d, others_28d::DOUBLE AS others_28d,
       (r.paid - t.sent) / day_us() AS days_to_payment,
       (next_sent - t.sent) / day_us() AS days_to_next_contact,
       (t.noticed - t.sent) / hour_us() AS hours_to_sign,
       ((SELECT us(until) FROM horizon) - t.sent) / day_us() AS followed
FROM (
    SELECT *, lead(sent) OVER (PARTITION BY did ORDER BY sent, contact_id) AS next_sent,
           count(*) OVER (PARTITION BY did ORDER BY sent RANGE BETWEEN 7 * 86400000000 PRECEDING AND 1 PRECEDING) AS others_7d,
           count(*) OVER (PARTITION BY did ORDER BY sent RANGE BETWEEN 28 * 86400000000 PRECEDING AND 1 PRECEDING) AS others_28d
    FROM touch) t
ASOF LEFT JOIN receipt r ON r.did = t.did AND t.sent < r.paid
JOIN moment ON moment.did = t.did AND moment.upto = t.sent
JOIN contacts ON contacts.creditor_id = moment.creditor_id AND contacts.contact_id = t.contact_id
LEFT JOIN payment USING (pid)
