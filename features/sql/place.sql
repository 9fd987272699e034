-- place: the regions and zones at hand, numbered.
-- in:  moment
-- out: area, zid, place INTEGER
SELECT area, zid, (row_number() OVER ())::INTEGER AS place FROM (SELECT DISTINCT area, zid FROM moment)
