-- sector_signals: known_at is part of the key, so a row once known stays.
-- in:  appended_data, the columns of sector_signals in order
INSERT INTO sector_signals SELECT DISTINCT ON (col1, col2, col3, col4, col5) * FROM appended_data
ON CONFLICT DO NOTHING
