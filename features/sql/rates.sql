-- rates: the rates of the profiles at hand.
-- in:  pool
-- out: prof, today, ch, open_rate, pay_rate
SELECT prof, today, ch::INTEGER AS ch, open_rate, pay_rate FROM pool
