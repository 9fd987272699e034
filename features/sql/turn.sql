-- turn: on which day each point asks.
-- in:  moment
-- out: did, pid, today
SELECT did, pid::BIGINT AS pid, today::BIGINT AS today FROM moment
