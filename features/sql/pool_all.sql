-- pool_all: the pool of a day, to be kept for the rest of it.
-- in:  pool
-- out: the columns of pool
SELECT * FROM pool
