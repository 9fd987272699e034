-- sectors: a newer list replaces the names.
-- in:  appended_data, the columns of sectors in order
INSERT OR REPLACE INTO sectors SELECT DISTINCT ON (col1) * FROM appended_data
