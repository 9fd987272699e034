-- postcodes: a newer list replaces the place. Of several places with one
-- postcode the first of the file holds.
-- in:  appended_data, the columns of postcodes in order
INSERT OR REPLACE INTO postcodes SELECT DISTINCT ON (col1, col2) * FROM appended_data
