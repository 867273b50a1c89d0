-- People, of a seed and as they are on a day.
WITH souls AS (
    SELECT range AS number, soul(range, $salt) AS soul FROM range($first, $last)
),
phases AS (
    SELECT souls.*,
        phase(soul, 100, 97) AS standing_at,
        phase(soul, 110, 31) AS basket_at,
        phase(soul, 120, 127) AS newsletter_at,
        phase(soul, 130, 73) AS sale_at,
        phase(soul, 140, 151) AS consent_at,
        phase(soul, 150, 61) AS parcel_at,
        phase(soul, 160, 365) AS home_at,
        phase(soul, 170, 83) AS device_at,
        pick(words.homes, luck(soul, 1)) AS land
    FROM souls, words
),
wanted AS (
    SELECT * FROM phases
    WHERE $day = 0 OR number >= $known
        OR changes_on(standing_at, 97, $day) OR changes_on(basket_at, 31, $day)
        OR changes_on(newsletter_at, 127, $day) OR changes_on(sale_at, 73, $day)
        OR changes_on(consent_at, 151, $day) OR changes_on(parcel_at, 61, $day)
        OR changes_on(home_at, 365, $day) OR changes_on(device_at, 83, $day)
),
chosen AS (
    SELECT * FROM wanted
    WHERE CASE $only WHEN 'all' THEN true
        WHEN 'punctual' THEN NOT happens(again(soul, 190, $day), 3)
        WHEN 'late' THEN happens(again(soul, 190, $day), 3)
        WHEN 'repeated' THEN happens(again(soul, 191, $day), 2) END
),
epochs AS (
    SELECT *,
        epoch(standing_at, 97, $day) AS standing,
        epoch(basket_at, 31, $day) AS basket,
        epoch(newsletter_at, 127, $day) AS newsletter,
        epoch(sale_at, 73, $day) AS sale,
        epoch(consent_at, 151, $day) AS consent,
        epoch(parcel_at, 61, $day) AS parcel,
        epoch(home_at, 365, $day) AS home,
        epoch(device_at, 83, $day) AS device
    FROM chosen
),
drawn AS (
    SELECT epochs.*,
        now_is(soul, 100, standing) AS standing_now, was(soul, 100, standing) AS standing_was,
        since(soul, 100, standing, standing_at, 97) AS standing_since,
        now_is(soul, 110, basket) AS basket_now, was(soul, 110, basket) AS basket_was,
        since(soul, 110, basket, basket_at, 31) AS basket_since,
        now_is(soul, 120, newsletter) AS newsletter_now, was(soul, 120, newsletter) AS newsletter_was,
        since(soul, 120, newsletter, newsletter_at, 127) AS newsletter_since,
        now_is(soul, 130, sale) AS sale_now, was(soul, 130, sale) AS sale_was,
        since(soul, 130, sale, sale_at, 73) AS sale_since,
        now_is(soul, 140, consent) AS consent_now, was(soul, 140, consent) AS consent_was,
        since(soul, 140, consent, consent_at, 151) AS consent_since,
        now_is(soul, 150, parcel) AS parcel_now, was(soul, 150, parcel) AS parcel_was,
        since(soul, 150, parcel, parcel_at, 61) AS parcel_since,
        luck(soul, 7) AS group_now, NULL::UBIGINT AS group_was,
        concat('2026-05-01T', time_text(luck(soul, 8))) AS group_since,
        pick_of(words.first_names, words.first_names_from, land, luck(soul, 2)) AS first_name,
        pick_of(words.last_names, words.last_names_from, land, luck(soul, 3)) AS last_name,
        happens(luck(soul, 4), 15) AS is_employed,
        happens(luck(soul, 5), 75) AS has_phone,
        luck(soul, 6) AS device_kind,
        below(luck(soul, 20), below(luck(soul, 21), number // 20 + 1) + 1) AS account,
        digits(number, 8) AS code
    FROM epochs, words
),
reached AS (
    SELECT drawn.*,
        concat(CASE WHEN happens(luck(soul, 22), 3) THEN upper(first_name.plain) ELSE first_name.plain END,
               '.', last_name.plain, number, '@', pick(words.domains, luck(soul, 23))) AS email,
        CASE WHEN is_employed AND happens(luck(soul, 24), 50) THEN concat('staff', number, '@work.example.org') END
            AS work_email,
        CASE WHEN happens(luck(soul, 25), 8)
             THEN concat(first_name.plain, '+news', number, '@mail.example.net') END AS third_email,
        CASE WHEN has_phone
             THEN concat(pick_of(words.mobile, words.mobile_from, land, luck(soul, 26)),
                         digits(below(luck(soul, 27), words.free_numbers[land]), words.free_digits[land])) END
            AS phone,
        CASE WHEN is_employed THEN soul(account, $employers) END AS employer
    FROM drawn, words
)
SELECT number, concat('{', concat_ws(',',
    concat('"person":{"name":{"firstName":"', first_name.written, '","lastName":"', last_name.written, '"',
        CASE WHEN happens(luck(soul, 28), 6) THEN concat(',"nickname":"', pick(words.nicknames, luck(soul, 29)), '"') END,
        '},"birthYear":', 1940 + below(luck(soul, 30), 68),
        CASE WHEN happens(luck(soul, 31), 60)
             THEN concat(',"birthDate":"',
                  day_text(make_date(1940 + below(luck(soul, 30), 68), 1, 1), below(luck(soul, 32), 365)), '"') END,
        '}'),
    concat('"personalEmail":{"address":"', email, '"}'),
    given(work_email, concat('"workEmail":{"address":"', work_email, '"}')),
    given(phone, concat('"mobilePhone":{"number":"', phone, '"}')),
    CASE WHEN happens(luck(soul, 33), 80) THEN concat('"homeAddress":{', address(soul, words, land, home), '}') END,
    CASE WHEN happens(luck(soul, 34), 12)
         THEN concat('"addresses":[{"kind":"delivery",', address(soul, words, land, 1000), '}',
              CASE WHEN happens(luck(soul, 35), 40)
                   THEN concat(',{"kind":"holiday",', address(soul, words, 1 + (land % len(words.codes)), 1001), '}') END,
              ']') END,
    given(employer, concat('"employer":{"name":"', pick(words.employers, luck(employer, 1)),
                           '","accountKey":"A-', digits(account, 6), '"}')),
    CASE WHEN happens(luck(soul, 36), 60) OR standing_now < 1717986918::UBIGINT
         THEN concat('"loyalty":{"tier":"',
              CASE WHEN standing_now < 171798691::UBIGINT THEN 'gold'
                   WHEN standing_now < 1717986918::UBIGINT THEN 'silver' ELSE 'bronze' END,
              '","points":', below(again(soul, 37, standing), 20000),
              ',"memberSince":"', day_text(DATE '2014-01-01', below(luck(soul, 38), 4380)), '"',
              CASE WHEN happens(luck(soul, 39), 10) THEN ',"expires":null' END, '}') END,
    CASE WHEN happens(luck(soul, 50), 55)
         THEN concat('"commerce":{"orders":', 1 + below(luck(soul, 51), 40) + basket,
              ',"lifetimeValue":', 9 + below(again(soul, 52, basket), 9000), '.',
              1 + below(again(soul, 53, basket), 9), 1 + below(again(soul, 54, basket), 9),
              ',"lastPurchase":"', left(basket_since, 10), '"',
              CASE WHEN happens(luck(soul, 55), 35)
                   THEN concat(',"recent":[{"order":"O-', hex8(again(soul, 56, basket)), '","items":',
                        1 + below(again(soul, 57, basket), 6), ',"isGift":',
                        happens(again(soul, 58, basket), 20), '}',
                        CASE WHEN basket > 0
                             THEN concat(',{"order":"O-', hex8(again(soul, 56, basket - 1)), '","items":',
                                  1 + below(again(soul, 57, basket - 1), 6), ',"isGift":',
                                  happens(again(soul, 58, basket - 1), 20), '}') END,
                        ']') END,
              '}') END,
    concat('"preferences":{"language":"', words.languages[land], '","newsletter":',
        newsletter_now < 1932735283::UBIGINT,
        CASE WHEN happens(luck(soul, 60), 30)
             THEN concat(',"interests":["', pick(words.interests, luck(soul, 61)), '","',
                  pick(words.interests, luck(soul, 62)), '"]') END,
        CASE WHEN happens(luck(soul, 63), 15)
             THEN concat(',"channels":{"email":{"frequency":', 1 + below(luck(soul, 64), 30), '}',
                  CASE WHEN has_phone THEN ',"sms":{}' END, '}') END,
        '}'),
    concat('"consents":{"marketing":{"email":{"val":"',
        CASE WHEN consent_now < 3435973836::UBIGINT THEN 'y' WHEN consent_now < 4080218930::UBIGINT THEN 'n'
             ELSE 'u' END,
        '"}', CASE WHEN has_phone THEN concat(',"sms":{"val":"',
              CASE WHEN happens(again(soul, 65, consent), 40) THEN 'y' ELSE 'n' END, '"}') END,
        '}', CASE WHEN happens(luck(soul, 66), 30) THEN concat(',"share":{"val":"',
             CASE WHEN happens(luck(soul, 67), 70) THEN 'y' ELSE 'n' END, '"}') END, '}'),
    CASE WHEN happens(luck(soul, 70), 20)
         THEN concat('"lastVisit":{"ip":"', CASE WHEN happens(luck(soul, 71), 20)
              THEN concat('2001:db8::', left(hex8(luck(soul, 72)), 4), ':', right(hex8(luck(soul, 72)), 4))
              ELSE concat(pick(words.networks, luck(soul, 73)), 1 + below(luck(soul, 74), 254)) END,
              '","at":"', basket_since, '"}') END,
    concat('"identityMap":{', concat_ws(',',
        concat('"crmId":[', identity('C-' || code, ',"primary":true'), ']'),
        listed('Email', concat_ws(',',
            identity(email, CASE WHEN happens(luck(soul, 75), 25) THEN ',"authenticatedState":"authenticated"' END),
            given(work_email, identity(work_email, '')),
            given(third_email, identity(third_email, ',"authenticatedState":"loggedOut"')))),
        CASE WHEN happens(luck(soul, 76), 30) THEN concat('"Email_LC_SHA256":[', identity(sha256(lower(email)), ''),
             CASE WHEN work_email IS NOT NULL THEN ',' || identity(sha256(work_email), '') END, ']') END,
        given(phone, concat('"Phone_E.164":[', identity(phone, ''), ']')),
        CASE WHEN happens(luck(soul, 77), 65) THEN listed('ECID', concat_ws(',',
            identity(visitor(soul, device), CASE WHEN happens(again(soul, 83, device), 30)
                                     THEN pick(words.states, again(soul, 84, device)) END),
            CASE WHEN device > 0 THEN identity(visitor(soul, device - 1), '')
                 WHEN happens(luck(soul, 78), 15)
                 THEN identity(visitor(soul, 999_999), ',"authenticatedState":"ambiguous"') END)) END,
        CASE WHEN happens(device_kind, 20) THEN concat('"GAID":[', identity(uuid_text(soul, 90), ''), ']')
             WHEN happens(device_kind, 35) THEN concat('"IDFA":[', identity(upper(uuid_text(soul, 90)), ''), ']') END),
        '}'),
    concat('"segmentMembership":{', concat_ws(',', {memberships}), '}'),
    CASE WHEN $numbered THEN concat('"x-headrace":{"sequence":', $day, '}') END
), '}', chr(10)) AS line
FROM reached, words
