-- sector: the risk of a sector and of a region, as known at the time.
-- in:  moment, sector_signals
-- out: sector, area, country, upto; sector_risk, sector_risk_change (against the
--      period before), region_risk: values of the indicator 'risk'
-- A signal of the area goes before one of the country, and that before one
-- without a region; a signal without a sector is one of the region.
-- Leak guard: known_at <= upto.
WITH place AS (
    SELECT DISTINCT sector, area, country, upto FROM moment
), told AS (
    SELECT sector_code = '' AS regional, place.sector, area, country, upto, period,
           arg_max(value, us(known_at) + CASE WHEN region = area THEN 4 WHEN region = country THEN 2 ELSE 0 END * 1000000000000000000) AS value
    FROM place JOIN sector_signals s
      ON (s.sector_code = '' OR left(s.sector_code, 2) = place.sector) AND s.region IN ('', area, country)
    WHERE indicator = 'risk' AND us(known_at) <= upto AND NOT (s.sector_code = '' AND s.region = '')
    GROUP BY ALL
)
SELECT sector, area, country, upto,
       coalesce(arg_max(value, period) FILTER (NOT regional), 0) AS sector_risk,
       coalesce(arg_max(value, period, 2) FILTER (NOT regional)[1] - arg_max(value, period, 2) FILTER (NOT regional)[2], 0) AS sector_risk_change,
       coalesce(arg_max(value, period) FILTER (regional), 0) AS region_risk
FROM told
GROUP BY sector, area, country, upto
