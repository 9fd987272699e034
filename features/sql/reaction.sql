-- reaction: the rows of response side by side.
-- in:  moment, response
-- out: per pid, for channel k of 0 to 4, the columns of response named x_k, NULL for a channel never used
SELECT pid,
       r0.a AS a_0, r0.b AS b_0, r0.c AS c_0, r0.d AS d_0, r0.e AS e_0, r0.hours_to_open AS hours_to_open_0, r0.hours_to_pay AS hours_to_pay_0, r0.silent AS silent_0,
       r1.a AS a_1, r1.b AS b_1, r1.c AS c_1, r1.d AS d_1, r1.e AS e_1, r1.hours_to_open AS hours_to_open_1, r1.hours_to_pay AS hours_to_pay_1, r1.silent AS silent_1,
       r2.a AS a_2, r2.b AS b_2, r2.c AS c_2, r2.d AS d_2, r2.e AS e_2, r2.hours_to_open AS hours_to_open_2, r2.hours_to_pay AS hours_to_pay_2, r2.silent AS silent_2,
       r3.a AS a_3, r3.b AS b_3, r3.c AS c_3, r3.d AS d_3, r3.e AS e_3, r3.hours_to_open AS hours_to_open_3, r3.hours_to_pay AS hours_to_pay_3, r3.silent AS silent_3,
       r4.a AS a_4, r4.b AS b_4, r4.c AS c_4, r4.d AS d_4, r4.e AS e_4, r4.hours_to_open AS hours_to_open_4, r4.hours_to_pay AS hours_to_pay_4, r4.silent AS silent_4
FROM (SELECT pid FROM moment) m
LEFT JOIN (SELECT * FROM response WHERE ch = 0) r0 USING (pid)
LEFT JOIN (SELECT * FROM response WHERE ch = 1) r1 USING (pid)
LEFT JOIN (SELECT * FROM response WHERE ch = 2) r2 USING (pid)
LEFT JOIN (SELECT * FROM response WHERE ch = 3) r3 USING (pid)
LEFT JOIN (SELECT * FROM response WHERE ch = 4) r4 USING (pid)
