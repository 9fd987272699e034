-- pool_kept: pool, from a relation kept from earlier that day instead of crowd. A
-- profile that it does not hold had no contact that counts.
-- in:  kept (columns of pool), moment
-- out: prof, today, ch, open_rate and pay_rate of pool, for the profiles of moment
SELECT w.prof, w.today, a.ch, coalesce(open_rate, 40 * a.all_open / 40) AS open_rate, coalesce(pay_rate, 40 * a.all_pay / 40) AS pay_rate
FROM (SELECT DISTINCT hash(creditor_id) AS creditor, prof, today FROM moment) w
JOIN (SELECT DISTINCT creditor, today, ch, all_open, all_pay FROM kept) a USING (creditor, today)
LEFT JOIN kept k ON k.prof = w.prof AND k.today = w.today AND k.ch = a.ch
