-- stretch: what is known of a debtor's contacts and pay days on the morning of a
-- day, for stretches of days over which it does not change.
-- in:  who, sent, sign, receipt
-- out: did, from_day, to_day (both included; to_day NULL: lasts), email, sms,
--      whatsapp, letter, phone (day of the last contact, or NULL), tone (of the
--      last contact, or NULL), contacted, opened (day of the last contact, and
--      of the last human open, or NULL), paid_on DOUBLE[8] (pay days so far by
--      weekday, Monday first, and those at a month's end; each of growth, or NULL)
-- Leak guard: a stretch that begins on a day knows only days before it.
WITH contact AS (
    SELECT did, sent_day AS day, list(ch) AS channels, max(sent * 4 + tone) % 4 AS tone FROM sent GROUP BY did, sent_day
), looks AS (
    SELECT DISTINCT did, day FROM sign WHERE looked
), paydays AS (
    SELECT DISTINCT did, paid_day AS day FROM receipt
), news AS (
    SELECT did, -1000000 AS day, NULL::INTEGER[] AS channels, NULL::BIGINT AS tone, false AS looked, false AS paid FROM who
    UNION ALL SELECT did, day, channels, tone, false, false FROM contact
    UNION ALL SELECT did, day, NULL, NULL, true, false FROM looks
    UNION ALL SELECT did, day, NULL, NULL, false, true FROM paydays
), days AS (
    SELECT did, day, max(channels) AS channels, max(tone) AS tone, bool_or(looked) AS looked, bool_or(paid) AS paid
    FROM news GROUP BY did, day
)
SELECT did, day + 1 AS from_day, lead(day) OVER w AS to_day,
       max(day) FILTER (list_contains(channels, 0)) OVER w AS email,
       max(day) FILTER (list_contains(channels, 1)) OVER w AS sms,
       max(day) FILTER (list_contains(channels, 2)) OVER w AS whatsapp,
       max(day) FILTER (list_contains(channels, 3)) OVER w AS letter,
       max(day) FILTER (list_contains(channels, 4)) OVER w AS phone,
       last_value(tone IGNORE NULLS) OVER w AS tone,
       max(day) FILTER (channels IS NOT NULL) OVER w AS contacted,
       max(day) FILTER (looked) OVER w AS opened,
       [sum(growth(day)) FILTER (paid AND weekday(day) = 0) OVER w, sum(growth(day)) FILTER (paid AND weekday(day) = 1) OVER w,
        sum(growth(day)) FILTER (paid AND weekday(day) = 2) OVER w, sum(growth(day)) FILTER (paid AND weekday(day) = 3) OVER w,
        sum(growth(day)) FILTER (paid AND weekday(day) = 4) OVER w, sum(growth(day)) FILTER (paid AND weekday(day) = 5) OVER w,
        sum(growth(day)) FILTER (paid AND weekday(day) = 6) OVER w,
        sum(growth(day)) FILTER (paid AND is_month_end(day)) OVER w]::DOUBLE[8] AS paid_on
FROM days
WINDOW w AS (PARTITION BY did ORDER BY day)
