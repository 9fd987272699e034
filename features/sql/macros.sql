-- macros: the words that not every SQL dialect shares, each behind a name.
-- Another engine defines these names and runs the other files unchanged.
-- Units: a moment is BIGINT microseconds since 1970 (us); a day is INTEGER
-- days since 1970-01-01, on the debtor's own calendar unless said otherwise.
-- Sums are over whole numbers (weights in 2^-30), so that they do not depend
-- on the order in which rows, or threads, are added up.

CREATE MACRO us(moment) AS epoch_us(moment);
CREATE MACRO moment_of(us) AS make_timestamptz(us);
CREATE MACRO day_us() AS 86400000000;
CREATE MACRO hour_us() AS 3600000000;
CREATE MACRO utc_day(us) AS (us // 86400000000)::INTEGER;
CREATE MACRO utc_hour(us) AS (us // 3600000000)::INTEGER;
CREATE MACRO day_number(d) AS (d - DATE '1970-01-01')::INTEGER;
CREATE MACRO date_of(day) AS (DATE '1970-01-01' + day);
CREATE TABLE known_zones AS SELECT name AS zone FROM pg_timezone_names();

CREATE MACRO cents(amount) AS round(amount::DOUBLE * 100)::BIGINT;

-- The end of what may be read at all, and the window to learn from: set before the
-- steps (hazard and outlook alone read the window).
CREATE MACRO horizon() AS getvariable('horizon');
CREATE MACRO window_start() AS getvariable('window_start');
CREATE MACRO keep() AS getvariable('keep');
CREATE MACRO first_only() AS getvariable('first_only');

-- Numbers of 64 bits in place of texts, that join faster: of a thing of a debtor,
-- NULL without a name, and of a profile. Two of a book that are equal by chance
-- are less likely than a fault of the disk.
CREATE MACRO number_of(seed, id) AS CASE WHEN id IS NOT NULL THEN hash(seed, id) END;
CREATE MACRO profile(creditor, kind, sector, area) AS hash(creditor, kind, sector, area);

-- A zone and a UTC day in one number; the wall clock of a row of clock.
CREATE MACRO slot(zid, day) AS zid * 4194304 + day;
CREATE MACRO local(us, before_us, change_us, after_us) AS us + CASE WHEN us >= change_us THEN after_us ELSE before_us END;

-- The wall clock of a zone, minus UTC.
CREATE MACRO zone_offset(zone, us) AS epoch_us(timezone(zone, make_timestamptz(us))) - us;

-- Calendar. Monday is 0; hour 0 of the week is Monday 00:00.
CREATE MACRO weekday(day) AS (day + 3) % 7;
CREATE MACRO hour_of_week(hour) AS (hour + 72) % 168;
-- The last three and first two days of a month: 1, 2 and 3, the last, of the old one,
-- 4 and 5 of the new; or 0.
CREATE MACRO month_end(day) AS
    CASE WHEN day(date_of(day)) <= 2 THEN 3 + day(date_of(day))
         WHEN day(date_of(day + 3)) <= 3 THEN day(date_of(day + 3)) ELSE 0 END;
CREATE MACRO is_month_end(day) AS month_end(day) > 0;

CREATE MACRO since_month_end(day) AS
    CASE WHEN day(date_of(day + 1)) = 1 THEN 0 ELSE day(date_of(day)) END;

-- Half-life of a habit: 180 days. One is 2^30.
CREATE MACRO decay(age_days) AS
    round(pow(2.0, 30 - age_days / 180.0))::BIGINT;
-- The same for when debtors look, whose half-life is chosen by what it foretells: a
-- variable of those who chose.
CREATE MACRO look_half_life() AS coalesce(getvariable('look_half_life'), 180.0);
CREATE MACRO look_decay(age_days) AS
    round(pow(2.0, 30 - age_days / look_half_life()))::BIGINT;
-- The same weight apart from a factor that all of a sum share, and that factor on
-- the day of asking: so a running sum need not be made anew every day.
CREATE MACRO growth(day) AS pow(2.0, (day - 20000) / 180.0);
CREATE MACRO paid_then(grown, day) AS (coalesce(grown, 0) / growth(day))::DOUBLE;

-- Lists, in the fixed order of channels, weekdays, methods and parts of the day.
CREATE MACRO channel_number(name) AS
    CASE name WHEN 'email' THEN 0 WHEN 'sms' THEN 1 WHEN 'whatsapp' THEN 2
              WHEN 'letter' THEN 3 WHEN 'phone' THEN 4 END;
CREATE MACRO method_number(name) AS
    CASE name WHEN 'transfer' THEN 0 WHEN 'app' THEN 1 WHEN 'card' THEN 2
              WHEN 'direct_debit' THEN 3 WHEN 'cash' THEN 4 WHEN 'link' THEN 5 ELSE 6 END;
CREATE MACRO kind_number(name) AS
    CASE name WHEN 'delivered' THEN 0 WHEN 'opened' THEN 2 WHEN 'clicked' THEN 4 WHEN 'viewed' THEN 3 WHEN 'replied' THEN 5
              WHEN 'answered' THEN 6 WHEN 'bounced' THEN 1 WHEN 'unsubscribed' THEN 7 WHEN 'complained' THEN 8 END;
-- Days late as they are packed, within 20 bits; and a bit of a packed number.
CREATE MACRO bounded(days) AS greatest(least(days, 524287), -524288);
CREATE MACRO flag(x, i) AS CASE WHEN x THEN 1 << i ELSE 0 END;
-- The area of a profile: country (the creditor's where unknown) and the first
-- two characters of the postcode. It is also the region of weather and signals.
CREATE MACRO profile_area(own, creditors, postcode) AS
    coalesce(nullif(own, ''), creditors, '') || left(postcode, 2);
