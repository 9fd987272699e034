-- pool_kept: pool, from a relation kept from earlier that day instead of crowd. A
-- profile that it does not hold had no contact that counts.
-- in:  kept (columns of pool), moment
-- out: open_k and pay_k of pool, for the profiles of moment
SELECT w.creditor_id, w.kind, w.sector, w.area, w.today,
       coalesce(kept.open_0, a.all_open_0) AS open_0, coalesce(kept.pay_0, a.all_pay_0) AS pay_0,
       coalesce(kept.open_1, a.all_open_1) AS open_1, coalesce(kept.pay_1, a.all_pay_1) AS pay_1,
       coalesce(kept.open_2, a.all_open_2) AS open_2, coalesce(kept.pay_2, a.all_pay_2) AS pay_2,
       coalesce(kept.open_3, a.all_open_3) AS open_3, coalesce(kept.pay_3, a.all_pay_3) AS pay_3,
       coalesce(kept.open_4, a.all_open_4) AS open_4, coalesce(kept.pay_4, a.all_pay_4) AS pay_4
FROM (SELECT DISTINCT creditor_id, kind, sector, area, today FROM moment) w
LEFT JOIN kept USING (creditor_id, kind, sector, area, today)
JOIN (SELECT creditor_id, today, any_value(all_open_0) AS all_open_0, any_value(all_pay_0) AS all_pay_0, any_value(all_open_1) AS all_open_1, any_value(all_pay_1) AS all_pay_1, any_value(all_open_2) AS all_open_2, any_value(all_pay_2) AS all_pay_2, any_value(all_open_3) AS all_open_3, any_value(all_pay_3) AS all_pay_3, any_value(all_open_4) AS all_open_4, any_value(all_pay_4) AS all_pay_4
      FROM kept GROUP BY creditor_id, today) a ON a.creditor_id = w.creditor_id AND a.today = w.today
