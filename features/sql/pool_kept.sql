-- pool_kept: pool, from a relation kept from earlier that day instead of crowd. A
-- profile that it does not hold had no contact that counts.
-- in:  kept (columns of pool), moment
-- out: open_rates and pay_rates of pool, for the profiles of moment
SELECT w.prof, w.today, coalesce(open_rates, all_open) AS open_rates, coalesce(pay_rates, all_pay) AS pay_rates
FROM (SELECT DISTINCT hash(creditor_id) AS creditor, prof, today FROM moment) w
LEFT JOIN kept USING (prof, today)
JOIN (SELECT creditor, today, any_value(all_open_rates) AS all_open, any_value(all_pay_rates) AS all_pay
      FROM kept GROUP BY creditor, today) a ON a.creditor = w.creditor AND a.today = w.today
