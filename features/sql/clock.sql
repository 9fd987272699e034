-- clock: what to add to UTC for the wall clock of a zone, by UTC day; a day on
-- which the clocks change has two offsets. Asking the calendar once per day
-- instead of once per event is what makes local time cheap.
-- in:  zone_number, point, invoices, payments, contacts, engagements
-- out: slot BIGINT (zone and UTC day in one, see the macro slot), before_us,
--      change_us (beyond all days where the clocks do not change), after_us
WITH span AS (
    SELECT utc_day(least(
               (SELECT us(min(issued_at)) FROM invoices), (SELECT us(min(paid_at)) FROM payments),
               (SELECT us(min(sent_at)) FROM contacts), (SELECT us(min(occurred_at)) FROM engagements),
               (SELECT min(upto) FROM point))) - 1 AS first_day,
           utc_day(us(horizon())) + 9 AS last_day
), days AS (
    SELECT zone, zid, d::INTEGER AS day,
           zone_offset(zone, d * day_us()) AS before_us,
           zone_offset(zone, (d + 1) * day_us()) AS after_us
    FROM zone_number, (SELECT unnest(range(first_day, last_day + 1)) AS d FROM span)
), changes AS (
    SELECT zid, day, min(t) AS change_us
    FROM (SELECT zone, zid, day, before_us, day * day_us() + quarter * 900000000 AS t
          FROM days, (SELECT unnest(range(1, 97)) AS quarter)
          WHERE before_us <> after_us)
    WHERE zone_offset(zone, t) <> before_us
    GROUP BY zid, day
)
SELECT slot(zid, day) AS slot, before_us, coalesce(change_us, 9223372036854775807) AS change_us, after_us
FROM days LEFT JOIN changes USING (zid, day)
