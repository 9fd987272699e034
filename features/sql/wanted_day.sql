-- wanted_day: on which days vectors are wanted.
-- in:  moment
-- out: creditor UBIGINT (a hash), today
SELECT DISTINCT hash(creditor_id) AS creditor, today FROM moment
