-- payments_of: on which days a debtor paid, and how, packed for the reader, who
-- adds them up.
-- in:  moment, receipt
-- out: pid; pay_day: age in days * 2^35 + month_end * 2^34 + weekday * 2^31
--      + weight (payments of one day are equal and count once); pay_method:
--      (days late + 2^19) * 16 + known * 8 + method
-- Leak guard: paid <= upto, and the due date of an invoice known <= upto.
SELECT pid, (today - paid_day)::BIGINT * 34359738368 + is_month_end(paid_day)::BIGINT * 17179869184
            + weekday(paid_day)::BIGINT * 2147483648 + decay(today - paid_day) AS pay_day,
       coalesce(CASE WHEN known <= upto THEN bounded(paid_day - due_day) + 524288 END * 16 + 8, 0)::BIGINT + method AS pay_method
FROM moment JOIN receipt USING (did) WHERE paid <= upto
