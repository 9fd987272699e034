-- payday: on which days a debtor pays, and how.
-- in:  moment, receipt
-- out: per pid, packed for the reader, who adds them up; one entry per payment:
--      pay_days BIGINT[]: age in days * 2^35 + month_end * 2^34 + weekday * 2^31
--      + weight; payments of one day are equal and count once.
--      pay_methods INTEGER[]: (days late + 2^19) * 16 + known * 8 + method
-- Leak guard: paid <= upto, and the due date of an invoice known <= upto.
SELECT pid,
       list((today - paid_day)::BIGINT * 34359738368 + is_month_end(paid_day)::BIGINT * 17179869184
            + weekday(paid_day)::BIGINT * 2147483648 + decay(today - paid_day)) AS pay_days,
       list((coalesce(CASE WHEN known <= upto THEN bounded(paid_day - due_day) + 524288 END * 16 + 8, 0) + method)::INTEGER) AS pay_methods
FROM moment JOIN receipt USING (did) WHERE paid <= upto
GROUP BY pid
