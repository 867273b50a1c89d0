-- Everything that is random is a hash, in plain arithmetic: of the number of the person, the seed, and what it is for.
-- So it is the same on every machine, in every version of the engine, however the work is divided.
-- A hash has 32 bits; UBIGINT holds the product of two such numbers.

CREATE MACRO low(x) AS (x & 4294967295::UBIGINT);
CREATE MACRO stir1(x) AS low(xor(x, x >> 16::UBIGINT) * 2146121005::UBIGINT);
CREATE MACRO stir2(x) AS low(xor(x, x >> 15::UBIGINT) * 2221713035::UBIGINT);
CREATE MACRO stir3(x) AS xor(x, x >> 16::UBIGINT);
CREATE MACRO stir(x) AS stir3(stir2(stir1(x)));

-- Who somebody is: no two numbers below 2^32 of one seed are the same.
CREATE MACRO soul(number, salt) AS stir(xor(number::UBIGINT, salt::UBIGINT));

-- A number from 0 up to 2^32 for a purpose, and for a purpose the so-many-th time: what somebody is, times odds of the
-- purpose, modulo a prime. What is multiplied stands there once, so that the engine need not plan for a second.
CREATE MACRO luck(soul, purpose) AS (soul * getvariable('odds')[purpose]) % 4294967291::UBIGINT;
CREATE MACRO again(soul, purpose, times) AS
    (soul * low(getvariable('odds')[purpose] + times::UBIGINT * 2246822519::UBIGINT)) % 4294967291::UBIGINT;

CREATE MACRO happens(luck, percent) AS luck < percent::UBIGINT * 42949673::UBIGINT;
CREATE MACRO below(luck, bound) AS ((luck * bound::UBIGINT) >> 32::UBIGINT)::BIGINT;
CREATE MACRO pick(things, luck) AS things[1 + below(luck, len(things))];
-- One of the things of a country: they stand in one list for all.
CREATE MACRO pick_of(things, starts, place, luck) AS
    things[1 + starts[place] + below(luck, starts[place + 1] - starts[place])];

CREATE MACRO digits(number, width) AS lpad(number::VARCHAR, greatest(width, len(number::VARCHAR))::INTEGER, '0');
CREATE MACRO day_text(first, days) AS (first + days::INTEGER)::VARCHAR;
CREATE MACRO time_text(luck) AS
    concat(digits(below(luck, 86400) // 3600, 2), ':', digits(below(luck, 86400) // 60 % 60, 2), ':',
           digits(below(luck, 86400) % 60, 2), 'Z');
CREATE MACRO hex8(luck) AS lpad(lower(hex(luck)), 8, '0');
CREATE MACRO uuid_text(soul, purpose) AS
    concat(hex8(luck(soul, purpose)), '-', left(hex8(luck(soul, purpose + 1)), 4),
           '-4', right(hex8(luck(soul, purpose + 1)), 3), '-a', left(hex8(luck(soul, purpose + 2)), 3), '-',
           right(hex8(luck(soul, purpose + 2)), 4), hex8(luck(soul, purpose + 3)));

-- What changes, changes every so many days, from a day on that is each person's own: how often it has by a day.
CREATE MACRO phase(soul, purpose, period) AS below(luck(soul, purpose), period);
CREATE MACRO epoch(phase, period, day) AS (day::BIGINT - 1 - phase + period) // period;
CREATE MACRO changes_on(phase, period, day) AS day::BIGINT > 0 AND (day::BIGINT - 1) % period = phase;
-- The draw that counts, and the one before it; at first, one in eight has a time before.
CREATE MACRO now_is(soul, purpose, epoch) AS again(soul, purpose + 1, epoch);
CREATE MACRO was(soul, purpose, epoch) AS
    CASE WHEN epoch > 0 THEN again(soul, purpose + 1, epoch - 1)
         WHEN luck(soul, purpose + 2) < 536870912::UBIGINT THEN luck(soul, purpose + 3) END;
-- When it changed last: in the half year before day 0, or on its day; day 1 is the first of July.
CREATE MACRO since(soul, purpose, epoch, phase, period) AS
    concat(CASE WHEN epoch = 0 THEN day_text(DATE '2026-01-01', below(luck(soul, purpose + 4), 180))
                ELSE day_text(DATE '2026-07-01', phase + (epoch - 1) * period) END,
           'T', time_text(again(soul, purpose + 5, epoch)));

-- A membership in an audience that is for who draws a number between two: still in, left, or never there.
CREATE MACRO membership(id, now_is, was, low, high, since, until) AS
    CASE WHEN now_is >= low::UBIGINT AND now_is < high::UBIGINT
         THEN concat('"', id, '":{"status":"realized","lastQualificationTime":"', since, '"', until, '}')
         WHEN was >= low::UBIGINT AND was < high::UBIGINT
         THEN concat('"', id, '":{"status":"exited","lastQualificationTime":"', since, '"}') END;

-- The id of a browser: 38 digits.
CREATE MACRO visitor(soul, times) AS
    concat(digits(below(again(soul, 85, times), 1_000_000_000), 9), digits(below(again(soul, 86, times), 1_000_000_000), 9),
           digits(below(again(soul, 87, times), 1_000_000_000), 9), digits(below(again(soul, 88, times), 1_000_000_000), 9),
           digits(below(again(soul, 89, times), 100), 2));

-- JSON from texts that are JSON; what is null is left out.
CREATE MACRO given(value, content) AS CASE WHEN value IS NOT NULL THEN content END;
CREATE MACRO identity(id, more) AS concat('{"id":"', id, '"', more, '}');
CREATE MACRO braces(name, content) AS CASE WHEN content <> '' THEN concat('"', name, '":{', content, '}') END;
CREATE MACRO listed(name, content) AS CASE WHEN content <> '' THEN concat('"', name, '":[', content, ']') END;

-- Where everybody is at home, by words that are JSON already.
CREATE MACRO street(soul, words, land, times) AS
    concat(pick_of(words.streets, words.streets_from, land, again(soul, 40, times)), ' ',
           1 + below(again(soul, 41, times), 180));
CREATE MACRO address(soul, words, land, times) AS
    concat('"street1":"', street(soul, words, land, times), '",',
           pick_of(words.cities, words.cities_from, land, again(soul, 42, times)),
           ',"country":"', words.countries[land], '","countryCode":"', words.codes[land], '"');
