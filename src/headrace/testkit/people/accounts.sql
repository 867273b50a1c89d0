-- Accounts: companies that people work for. People name them by their numbers.
WITH souls AS (
    SELECT range AS number, soul(range, $salt) AS soul FROM range($first, $last)
),
drawn AS (
    SELECT souls.*, pick(words.homes, luck(soul, 2)) AS land, digits(number, 6) AS code,
        luck(soul, 7) AS size_now, NULL::UBIGINT AS size_was,
        concat('2026-05-01T', time_text(luck(soul, 8))) AS size_since,
        luck(soul, 9) AS renewal_now, was(soul, 110, 0) AS renewal_was,
        since(soul, 110, 0, 0, 1) AS renewal_since
    FROM souls, words
)
SELECT number, concat('{', concat_ws(',',
    concat('"accountKey":"A-', code, '","accountName":"', pick(words.employers, luck(soul, 1)), '"'),
    concat('"accountOrganization":{"industry":"', pick(words.industries, luck(soul, 3)), '","numberOfEmployees":',
        CASE WHEN size_now < 429496730::UBIGINT THEN 1000 + below(luck(soul, 4), 90000)
             ELSE 1 + below(luck(soul, 4), 999) END,
        ',"annualRevenue":{"amount":', 100 + below(luck(soul, 5), 90000), '000,"currencyCode":"EUR"},"website":',
        '"https://a', number, '.example.com/"}'),
    concat('"accountPhone":{"number":"', pick_of(words.mobile, words.mobile_from, land, luck(soul, 26)),
        digits(below(luck(soul, 27), words.free_numbers[land]), words.free_digits[land]), '"}'),
    concat('"accountBillingAddress":{', address(soul, words, land, 0), '}'),
    CASE WHEN number > 0 AND happens(luck(soul, 10), 15)
         THEN concat('"parentAccountKey":"A-', digits(below(luck(soul, 11), number), 6), '"') END,
    concat('"identityMap":{"b2bAccount":[', identity('A-' || code, ',"primary":true'), ']}'),
    concat('"segmentMembership":{', concat_ws(',', {memberships}), '}')
), '}', chr(10)) AS line
FROM drawn, words
