-- macros: the words that not every SQL dialect shares, each behind a name.
-- Another engine defines these names and runs the other files unchanged.
-- Units: a moment is BIGINT microseconds since 1970 (us); a day is INTEGER
-- days since 1970-01-01, on the debtor's own calendar unless said otherwise.
-- Sums are over whole numbers (weights in 2^-30), so that they do not depend
-- on the order in which rows, or threads, are added up.

CREATE OR REPLACE TEMP MACRO us(moment) AS epoch_us(moment);
CREATE OR REPLACE TEMP MACRO moment_of(us) AS make_timestamptz(us);
CREATE OR REPLACE TEMP MACRO day_us() AS 86400000000;
CREATE OR REPLACE TEMP MACRO hour_us() AS 3600000000;
CREATE OR REPLACE TEMP MACRO utc_day(us) AS (us // 86400000000)::INTEGER;
CREATE OR REPLACE TEMP MACRO day_number(d) AS (d - DATE '1970-01-01')::INTEGER;
CREATE OR REPLACE TEMP MACRO date_of(day) AS (DATE '1970-01-01' + day);
CREATE OR REPLACE TEMP MACRO known_zones() AS TABLE SELECT name AS zone FROM pg_timezone_names();

CREATE OR REPLACE TEMP MACRO cents(amount) AS round(amount::DOUBLE * 100)::BIGINT;

-- The wall clock of a zone, minus UTC.
CREATE OR REPLACE TEMP MACRO zone_offset(zone, us) AS epoch_us(timezone(zone, make_timestamptz(us))) - us;

-- Calendar. Monday is 0; hour 0 of the week is Monday 00:00.
CREATE OR REPLACE TEMP MACRO weekday(day) AS (day + 3) % 7;
CREATE OR REPLACE TEMP MACRO hour_of_week(hour) AS (hour + 72) % 168;
CREATE OR REPLACE TEMP MACRO is_month_end(day) AS
    day(date_of(day)) <= 2 OR day(date_of(day + 3)) <= 3;

CREATE OR REPLACE TEMP MACRO since_month_end(day) AS
    CASE WHEN day(date_of(day + 1)) = 1 THEN 0 ELSE day(date_of(day)) END;

-- Half-life of a habit: 180 days. One is 2^30.
CREATE OR REPLACE TEMP MACRO decay(age_days) AS
    round(pow(2.0, 30 - age_days / 180.0))::BIGINT;
-- The same for when debtors look, whose half-life is chosen by what it foretells;
-- it is defined anew for those who chose.
CREATE OR REPLACE TEMP MACRO look_half_life() AS 180.0;
CREATE OR REPLACE TEMP MACRO look_decay(age_days) AS
    round(pow(2.0, 30 - age_days / look_half_life()))::BIGINT;
-- The same weight apart from a factor that all of a sum share, and that factor on
-- the day of asking: so a running sum need not be made anew every day.
CREATE OR REPLACE TEMP MACRO growth(day) AS pow(2.0, (day - 20000) / 180.0);
CREATE OR REPLACE TEMP MACRO paid_then(grown, day) AS (coalesce(grown, 0) / growth(day))::DOUBLE;
CREATE OR REPLACE TEMP MACRO from_weight(w) AS coalesce(w, 0)::DOUBLE / 1073741824.0;

-- Lists, in the fixed order of channels, weekdays, methods and parts of the day.
CREATE OR REPLACE TEMP MACRO channel_number(name) AS
    CASE name WHEN 'email' THEN 0 WHEN 'sms' THEN 1 WHEN 'whatsapp' THEN 2
              WHEN 'letter' THEN 3 WHEN 'phone' THEN 4 END;
CREATE OR REPLACE TEMP MACRO tone_number(name) AS
    CASE name WHEN 'friendly' THEN 0 WHEN 'neutral' THEN 1 WHEN 'formal' THEN 2 END;
CREATE OR REPLACE TEMP MACRO method_number(name) AS
    CASE name WHEN 'transfer' THEN 0 WHEN 'app' THEN 1 WHEN 'card' THEN 2
              WHEN 'direct_debit' THEN 3 WHEN 'cash' THEN 4 WHEN 'link' THEN 5 ELSE 6 END;
CREATE OR REPLACE TEMP MACRO method_name(number) AS
    CASE number WHEN 0 THEN 'transfer' WHEN 1 THEN 'app' WHEN 2 THEN 'card'
                WHEN 3 THEN 'direct_debit' WHEN 4 THEN 'cash' WHEN 5 THEN 'link' ELSE '' END;
CREATE OR REPLACE TEMP MACRO zeros(n) AS list_resize([]::FLOAT[], n, 0);
CREATE OR REPLACE TEMP MACRO five(a, b, c, d, e) AS
    list_value(coalesce(a, 0), coalesce(b, 0), coalesce(c, 0), coalesce(d, 0), coalesce(e, 0));
CREATE OR REPLACE TEMP MACRO seven(a, b, c, d, e, f, g) AS list_value(
    from_weight(a), from_weight(b), from_weight(c), from_weight(d), from_weight(e), from_weight(f), from_weight(g));
-- Count i of three that were packed into a number, 21 bits each; and of five.
CREATE OR REPLACE TEMP MACRO count_of(packed, i) AS
    (coalesce(packed, 0)::BIGINT >> (21 * i)) & 2097151;
CREATE OR REPLACE TEMP MACRO counts(a, b, c, d, e, i) AS
    list_value(count_of(a, i), count_of(b, i), count_of(c, i), count_of(d, i), count_of(e, i));
-- Differences of neighbours in a sorted list.
CREATE OR REPLACE TEMP MACRO gaps_of(days) AS
    list_transform(list_zip(days[2:], days[:-2]), lambda p: p[1] - p[2]);
CREATE OR REPLACE TEMP MACRO sum5(i, x) AS list_value(
    coalesce(sum(x) FILTER (i = 0), 0),
    coalesce(sum(x) FILTER (i = 1), 0),
    coalesce(sum(x) FILTER (i = 2), 0),
    coalesce(sum(x) FILTER (i = 3), 0),
    coalesce(sum(x) FILTER (i = 4), 0))::BIGINT[];
-- The area of a profile: country (the creditor's where unknown) and the first
-- two characters of the postcode. It is also the region of weather and signals.
CREATE OR REPLACE TEMP MACRO profile_area(own, creditors, postcode) AS
    coalesce(nullif(own, ''), creditors, '') || left(postcode, 2);
-- The rate of a debtor, shrunk to that of its profile with the weight of ten contacts.
CREATE OR REPLACE TEMP MACRO shrunk(x, n, profile_rate) AS (x + 10 * profile_rate) / (n + 10);
-- What a debtor's hours show of the weather, by part of the day: the mean of x at
-- hours with a sign, less its mean over hours when something lay unread, shrunk
-- to 0 with the weight of ten signs.
CREATE OR REPLACE TEMP MACRO weather_effect(x, n, base_x, base_n) AS
    CASE WHEN n > 0 AND base_n > 0 THEN (x / n - base_x / base_n) * n / (n + 10) ELSE 0 END;
-- Days since a day, -1 for none in 60 days.
CREATE OR REPLACE TEMP MACRO since(day, last) AS
    CASE WHEN day - last <= 60 THEN day - last ELSE -1 END::DOUBLE;
