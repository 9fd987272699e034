-- weather: known_at is part of the key, so a row once known stays as it is.
-- in:  appended_data, the columns of weather in order
INSERT INTO weather SELECT DISTINCT ON (col1, col2, col3) * FROM appended_data
ON CONFLICT DO NOTHING
