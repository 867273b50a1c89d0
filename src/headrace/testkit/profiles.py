"""
People who do not exist: as many source profiles as wanted, the same ones every time.

Profile ``n`` of a seed is the same however many are asked for, on every machine and every version of Python, so that a
test, the demo and a benchmark speak of the same people. Their addresses and telephone numbers are of the ranges kept
free for that: ``example.com`` and its sisters, and the numbers that films use.

>>> first, second = generate(2)
>>> next(generate(1, start=1)) == second
True
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple, TypeVar

import orjson

from headrace.model.profile import Profile
from headrace.testkit.countries import HOMES, Country

Item = TypeVar("Item")
Identities = dict[str, list[dict[str, Any]]]


class Audience(NamedTuple):
    """One of the audiences that generated people are in."""

    namespace: str
    id: str
    name: str


AUDIENCES: Final = (
    Audience("ups", "6f2b8c1e-5a47-4d0b-9c3e-0a1d2f3b4c01", "Loyal customers"),
    Audience("ups", "6f2b8c1e-5a47-4d0b-9c3e-0a1d2f3b4c02", "Left a basket behind"),
    Audience("ups", "6f2b8c1e-5a47-4d0b-9c3e-0a1d2f3b4c03", "Likely to leave"),
    Audience("CustomerAudienceUpload", "c7d4e9a0-13b6-4f82-8e55-7b9a6c5d4e01", "Newsletter readers"),
    Audience("CustomerAudienceUpload", "c7d4e9a0-13b6-4f82-8e55-7b9a6c5d4e02", "Invited to the autumn sale"),
)
#: How many of all people are in each of them, in the same order.
_SHARES: Final = (0.40, 0.30, 0.15, 0.45, 0.25)
_MOST_AUDIENCES: Final = 4

#: The smallest legal profile: something to know the person by, and nothing else.
SMALLEST: Final[Profile] = {"profileId": "1"}

#: The profile with everything: every block, every kind of value, and the texts that break careless templates.
EVERYTHING: Final[Profile] = {
    "profileId": "everything",
    "person": {
        "name": {"firstName": 'Zoë "Zo"', "lastName": "O'Hara & Söhne", "fullName": "Zoë <Zo> O'Hara 山田"},
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
    "employer": {"name": "O'Hara & Söhne"},
    "loyalty": {"tier": "gold", "points": 0, "balance": -12.5, "memberSince": "2019-12-31", "expires": None},
    "commerce": {"orders": 9007199254740991, "lifetimeValue": 1e-7, "lastPurchase": "2026-03-31T23:59:59.999Z"},
    "preferences": {
        "language": "fr-FR",
        "newsletter": False,
        "interests": ["gardening", "jazz & blues", 'the "old" town', ""],
        "channels": {"email": {"frequency": 7}, "sms": {}},
    },
    "consents": {"marketing": {"email": {"val": "y"}, "sms": {"val": "n"}}, "share": {"val": "y"}},
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
            AUDIENCES[3].id: {"status": "realized", "lastQualificationTime": "2026-03-04T00:00:00Z"},
            AUDIENCES[4].id: {"status": "exited", "lastQualificationTime": "2026-03-05T12:00:00Z"},
        },
    },
}


_DOMAINS: Final = ("example.com", "example.com", "example.org", "mail.example.net")
_EMPLOYERS: Final = (
    "O'Hara & Söhne",
    "Brown & Sons Ltd.",
    'Café "Zur Post" GmbH & Co. KG',
    "L'Épicerie d'Émile",
    "株式会社サンプル",
    "Acme, Inc.",
    "A < B Analytics",
)
_TIERS: Final = ("bronze", "bronze", "bronze", "silver", "silver", "gold")
_INTERESTS: Final = ("gardening", "films", "football", "travel", "cooking", "jazz & blues", "photography", "cycling")
_DAYS: Final = tuple((date(2026, 1, 1) + timedelta(days=day)).isoformat() for day in range(180))
_JOINED: Final = tuple((date(2014, 1, 1) + timedelta(days=day)).isoformat() for day in range(0, 12 * 365, 3))

#: Between two seeds there is room for this many people.
_PEOPLE_OF_A_SEED: Final = 1 << 40


def generate(count: int, *, seed: int = 1, start: int = 0) -> Iterator[Profile]:
    """Make ``count`` profiles, beginning with number ``start`` of this seed."""
    luck = Random()  # noqa: S311
    for number in range(start, start + count):
        luck.seed(seed * _PEOPLE_OF_A_SEED + number)
        yield _person(number, luck)


def leave(profile: Profile, audience_id: str, at: datetime) -> Profile:
    """
    Return the profile as it is once the person has left an audience at this moment; the profile given stays as it is.

    Raises:
        ValueError: the person is not in the audience, or came into it later than ``at``.
    """
    left = copy.deepcopy(profile)
    membership = _membership(left, audience_id)
    if at <= datetime.fromisoformat(membership["lastQualificationTime"]):
        raise ValueError(f"the person came into audience {audience_id} at that time or later")
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    membership.update(status="exited", lastQualificationTime=f"{moment}Z")
    return left


def ndjson(profiles: Iterable[Profile]) -> Iterator[bytes]:
    """Write profiles as the ingest door reads them: compact JSON, one a line."""
    return (orjson.dumps(profile, option=orjson.OPT_APPEND_NEWLINE) for profile in profiles)


def _membership(profile: Profile, audience_id: str) -> dict[str, Any]:
    for audiences in profile["segmentMembership"].values():
        membership: dict[str, Any] | None = audiences.get(audience_id)
        if membership and membership["status"] == "realized":
            return membership
    raise ValueError(f"the person is not in audience {audience_id}")


def _person(number: int, luck: Random) -> Profile:
    """Make one person. Only ``random()`` and ``getrandbits()`` are used: Python promises that these never change."""
    random = luck.random
    home = _one(HOMES, random())
    first, last = _one(home.first_names, random()), _one(home.last_names, random())
    email = f"{first.plain}.{last.plain}{number}@{_one(_DOMAINS, random())}"
    profile: Profile = {
        "person": {
            "name": {"firstName": first.written, "lastName": last.written},
            "birthYear": 1940 + int(random() * 68),
        },
        "personalEmail": {"address": email},
    }
    identities: Identities = {"crmId": [{"id": f"C-{number:08d}", "primary": True}], "Email": [{"id": email}]}
    if random() < 0.15:
        _add_employer(profile, identities, number, luck)
    if random() < 0.75:
        phone = f"{_one(home.mobile, random())}{int(random() * 10**home.free_digits):0{home.free_digits}d}"
        profile["mobilePhone"] = {"number": phone}
        identities["Phone"] = [{"id": phone}]
    if random() < 0.8:
        profile["homeAddress"] = _address(home, luck)
    if random() < 0.5:
        profile["loyalty"] = _loyalty(luck)
    if random() < 0.55:
        profile["commerce"] = _commerce(luck)
    profile["preferences"] = _preferences(home, luck)
    _add_devices(identities, luck)
    profile["identityMap"] = identities
    profile["segmentMembership"] = _memberships(luck)
    return profile


def _add_employer(profile: Profile, identities: Identities, number: int, luck: Random) -> None:
    profile["employer"] = {"name": _one(_EMPLOYERS, luck.random())}
    if luck.random() < 0.5:
        address = f"staff{number}@work.example.org"
        profile["workEmail"] = {"address": address}
        identities["Email"].append({"id": address})


def _address(home: Country, luck: Random) -> dict[str, Any]:
    city, postal_code = _one(home.cities, luck.random())
    return {
        "street1": f"{_one(home.streets, luck.random())} {1 + int(luck.random() * 180)}",
        "city": city,
        "postalCode": postal_code,
        "country": home.name,
        "countryCode": home.code,
    }


def _loyalty(luck: Random) -> dict[str, Any]:
    return {
        "tier": _one(_TIERS, luck.random()),
        "points": int(luck.random() * 20_000),
        "memberSince": _one(_JOINED, luck.random()),
    }


def _commerce(luck: Random) -> dict[str, Any]:
    orders = 1 + int(luck.random() * 40)
    cents = orders * (900 + int(luck.random() * 9_000))
    return {"orders": orders, "lifetimeValue": cents / 100, "lastPurchase": _one(_DAYS, luck.random())}


def _preferences(home: Country, luck: Random) -> dict[str, Any]:
    preferences: dict[str, Any] = {"language": home.language, "newsletter": luck.random() < 0.5}
    if luck.random() < 0.3:
        first = int(luck.random() * (len(_INTERESTS) - 2))
        preferences["interests"] = list(_INTERESTS[first : first + 2])
    return preferences


def _add_devices(identities: Identities, luck: Random) -> None:
    if luck.random() < 0.65:
        identities["ECID"] = [{"id": f"{luck.getrandbits(126):038d}"}]
    chance = luck.random()
    if chance < 0.2:
        identities["GAID"] = [{"id": _uuid(luck)}]
    elif chance < 0.35:
        identities["IDFA"] = [{"id": _uuid(luck).upper()}]


def _memberships(luck: Random) -> dict[str, dict[str, Any]]:
    memberships: dict[str, dict[str, Any]] = {}
    inside = [audience for audience, share in zip(AUDIENCES, _SHARES, strict=True) if luck.random() < share]
    for audience in inside[:_MOST_AUDIENCES]:
        second = int(luck.random() * 86_400)
        moment = f"{_one(_DAYS, luck.random())}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
        status = "exited" if luck.random() < 0.06 else "realized"
        memberships.setdefault(audience.namespace, {})[audience.id] = {
            "status": status,
            "lastQualificationTime": moment,
        }
    return memberships


def _uuid(luck: Random) -> str:
    digits = f"{luck.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _one(things: Sequence[Item], luck: float) -> Item:
    """Point at one of the things with a number from 0 up to 1."""
    return things[int(luck * len(things))]
