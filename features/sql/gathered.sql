-- gathered: crowd, kept for points that are not everyone.
-- in:  crowd
-- out: the columns of crowd
SELECT * FROM crowd
