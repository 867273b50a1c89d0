"""The two profiles that every test of templates begins with: the smallest legal one, and the one with everything."""

from typing import Final

from headrace.model.profile import Profile
from headrace.testkit.people.audiences import AUDIENCES

#: The smallest legal profile: something to know the person by, and nothing else.
SMALLEST: Final[Profile] = {"profileId": "1"}

#: The profile with everything: every block, every kind of value, and the texts that break careless templates.
EVERYTHING: Final[Profile] = {
    "profileId": "everything",
    "person": {
        "name": {
            "firstName": 'Zoë "Zo"',
            "lastName": "O'Hara & Söhne",
            "fullName": "Zoë <Zo> O'Hara 山田",
            "nickname": "🦊",
        },
        "birthYear": 1984,
        "birthDate": "1984-02-29",
    },
    "personalEmail": {"address": "Zoe.OHara+news@Example.com", "primary": True},
    "workEmail": {"address": "zoe@work.example.org"},
    "mobilePhone": {"number": "+12025550123"},
    "homeAddress": {
        "street1": "12 Rue de l'Église\nBâtiment C",
        "city": "Saint-Étienne",
        "postalCode": "01234",
        "country": "France",
        "countryCode": "FR",
        "geo": {"latitude": 45.4397, "longitude": -4.3872},
    },
    "addresses": [
        {
            "kind": "delivery",
            "street1": "ул. Ерёмина 7",
            "city": "京都市",
            "postalCode": "600-8216",
            "countryCode": "JP",
        },
        {"kind": "holiday", "street1": "", "city": "Λευκάδα"},
    ],
    "employer": {"name": "O'Hara & Söhne", "accountKey": "A-000000"},
    "loyalty": {"tier": "gold", "points": 0, "balance": -12.5, "memberSince": "2019-12-31", "expires": None},
    "commerce": {
        "orders": 9007199254740991,
        "lifetimeValue": 1e-7,
        "lastPurchase": "2026-03-31T23:59:59.999Z",
        "recent": [{"order": "O-1", "items": 2, "isGift": True}, {"order": "O-2", "items": 0, "isGift": False}],
    },
    "preferences": {
        "language": "fr-FR",
        "newsletter": False,
        "interests": ["gardening", "jazz & blues", 'the "old" town', ""],
        "channels": {"email": {"frequency": 7}, "sms": {}},
    },
    "consents": {"marketing": {"email": {"val": "y"}, "sms": {"val": "n"}}, "share": {"val": "y"}},
    "lastVisit": {"ip": "2001:db8::1", "at": "2026-03-31T23:59:59Z"},
    "texts": {
        "empty": "",
        "template": "{{ input }} {% if %} {# #}",
        "markup": "</script><b>\"'&amp;",
        "escapes": "tab\tline\nreturn\r\\ \u2028",
        "rightToLeft": "שלום עולם",
        "combined": "e\u0301 👩\u200d👩\u200d👧 🇫🇷",
        "number": "007",
        "boolean": "false",
    },
    "emptyObject": {},
    "emptyList": [],
    "with a.dot and blanks": {"": 1},
    "identityMap": {
        "crmId": [{"id": "C-everything", "primary": True, "authenticatedState": "authenticated"}],
        "Email": [
            {"id": "Zoe.OHara+news@Example.com", "authenticatedState": "loggedOut"},
            {"id": "zoe@work.example.org"},
        ],
        "Phone": [{"id": "+12025550123"}],
        "Phone_E.164": [{"id": "+12025550123"}],
        "Email_LC_SHA256": [{"id": "923331a37e056629938b4206583e9fde870a7e0e2acff0b1b3a1f9d2029eb6e2"}],
        "ECID": [{"id": "36009130265463890527216546013492031853", "authenticatedState": "ambiguous"}],
        "GAID": [{"id": "7c2f0a4e-9b1d-4f6a-8e3c-5d7b9a1c3e5f"}],
        "IDFA": [{"id": "3D1E5F7A-2B4C-4D6E-9F8A-0B1C2D3E4F5A"}],
    },
    "segmentMembership": {
        "ups": {
            AUDIENCES[0].id: {
                "status": "realized",
                "lastQualificationTime": "2026-03-01T10:00:00.947859Z",
                "validUntil": "2027-03-01T10:00:00Z",
                "version": "3",
                "sequence": 12,
                "payload": {"payloadType": "propensity", "payloadPropensityValue": 0.75},
            },
            AUDIENCES[1].id: {"status": "exited", "lastQualificationTime": "2026-03-02T08:30:00Z"},
            AUDIENCES[2].id: {"status": "realized", "lastQualificationTime": "2026-03-03T23:30:00+02:00"},
        },
        "CustomerAudienceUpload": {
            AUDIENCES[3].id: {
                "status": "realized",
                "lastQualificationTime": "2026-03-04T00:00:00Z",
                "validUntil": "2036-01-01T00:00:00Z",
            },
            AUDIENCES[4].id: {"status": "exited", "lastQualificationTime": "2026-03-05T12:00:00Z"},
        },
    },
}
