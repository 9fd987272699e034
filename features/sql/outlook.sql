-- outlook: the weather of each hour as it could be known before it: of an hour
-- that is past as forecast at the midnight (UTC) before it, of one to come as
-- known now.
-- in:  weather
-- out: region, hour (since 1970, UTC), sun (share of the hour), wet (mm, at most 1),
--      in order of region and hour, from the start of the window to ten days after the
--      horizon
-- Leak guard: known_at <= horizon, and before the day of the hour where that is past.
SELECT region, t // hour_us() AS hour,
       (arg_max(coalesce(sunshine_min, 0), known) / 60)::DOUBLE AS sun,
       least(arg_max(coalesce(precipitation_mm, 0), known), 1)::DOUBLE AS wet
FROM (SELECT region, us(hour) AS t, us(known_at) AS known, sunshine_min, precipitation_mm FROM weather)
WHERE t >= us(window_start()) AND t < us(horizon()) + 10 * day_us()
  AND known <= CASE WHEN t < us(horizon()) THEN t - t % day_us() ELSE us(horizon()) END
GROUP BY region, t ORDER BY region, t
