-- pool_kept: pool, from a relation kept from earlier that day instead of crowd. A
-- profile that it does not hold had no contact that counts.
-- in:  kept (columns of pool), moment
-- out: the columns of pool, for the profiles of moment
SELECT w.creditor_id, w.kind, w.sector, w.area, w.today,
       coalesce(kept.n, [0, 0, 0, 0, 0]) AS n, coalesce(kept.looked, [0, 0, 0, 0, 0]) AS looked,
       coalesce(kept.paid, [0, 0, 0, 0, 0]) AS paid, all_n, all_looked, all_paid
FROM (SELECT DISTINCT creditor_id, kind, sector, area, today FROM moment) w
LEFT JOIN (SELECT creditor_id, kind, sector, area, today, n, looked, paid FROM kept) kept USING (creditor_id, kind, sector, area, today)
JOIN (SELECT DISTINCT creditor_id, today, all_n, all_looked, all_paid FROM kept) a USING (creditor_id, today)
