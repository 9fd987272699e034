-- horizon: the end of what may be read at all, for vectors: the last point.
-- in:  point
-- out: one row: since, until TIMESTAMPTZ, keep DOUBLE (only hazard reads
--      first and the last)
SELECT NULL::TIMESTAMPTZ AS since, max(as_of) AS until, 1.0 AS keep, false AS first_only FROM point
