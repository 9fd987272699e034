-- holiday: how far the next public holiday is.
-- in:  moment, holidays
-- out: country, today, days (0: today)
SELECT country, today, min(day_number(holidays.day)) - today AS days
FROM (SELECT DISTINCT country, today FROM moment) JOIN holidays USING (country)
WHERE day_number(holidays.day) >= today
GROUP BY country, today
