-- holidays: a newer list replaces the name.
-- in:  appended_data, the columns of holidays in order
INSERT OR REPLACE INTO holidays SELECT DISTINCT ON (col1, col2) * FROM appended_data
