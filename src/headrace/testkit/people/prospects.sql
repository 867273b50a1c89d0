-- Prospects: people of whom a data partner tells; nobody knows them yet, so they have no number of a customer.
WITH souls AS (
    SELECT range AS number, soul(range, $salt) AS soul FROM range($first, $last)
),
drawn AS (
    SELECT souls.*, pick(words.homes, luck(soul, 1)) AS land, digits(number, 8) AS code,
        luck(soul, 7) AS likeness_now, was(soul, 110, 0) AS likeness_was,
        since(soul, 110, 0, 0, 1) AS likeness_since
    FROM souls, words
),
named AS (
    SELECT drawn.*,
        pick_of(words.first_names, words.first_names_from, land, luck(soul, 2)) AS first_name,
        pick_of(words.last_names, words.last_names_from, land, luck(soul, 3)) AS last_name
    FROM drawn, words
)
SELECT number, concat('{', concat_ws(',',
    CASE WHEN happens(luck(soul, 4), 70)
         THEN concat('"person":{"name":{"firstName":"', first_name.written, '","lastName":"', last_name.written,
              '"}}') END,
    CASE WHEN happens(luck(soul, 5), 60) THEN concat('"homeAddress":{', address(soul, words, land, 0), '}') END,
    concat('"prospect":{"partner":"', pick(words.partners, luck(soul, 6)), '","score":0.',
        below(luck(soul, 9), 100), 1 + below(luck(soul, 10), 9),
        ',"heardOf":"', day_text(DATE '2026-01-01', below(luck(soul, 11), 180)), '"}'),
    concat('"identityMap":{', concat_ws(',',
        concat('"partnerProspectId":[', identity('P-' || code, ',"primary":true'), ']'),
        CASE WHEN happens(luck(soul, 12), 60)
             THEN concat('"Email_LC_SHA256":[',
                  identity(sha256(concat(first_name.plain, '.', last_name.plain, number, '@example.net')), ''), ']') END,
        CASE WHEN happens(luck(soul, 13), 30) THEN concat('"GAID":[', identity(uuid_text(soul, 90), ''), ']') END),
        '}'),
    concat('"segmentMembership":{', concat_ws(',', {memberships}), '}')
), '}', chr(10)) AS line
FROM named, words
