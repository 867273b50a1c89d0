"""The types of records as Parquet has them. What a record lacks is null; moments stay texts, as in JSON."""

import json
from typing import Any, Final

from headrace.testkit.people.making import Kind

_ADDRESS: Final = dict.fromkeys(("street1", "city", "postalCode", "country", "countryCode"), "VARCHAR")
_CONSENT: Final = {"val": "VARCHAR"}
_WHO: Final[dict[str, Any]] = {
    "identityMap": 'MAP(VARCHAR, STRUCT(id VARCHAR, "primary" BOOLEAN, authenticatedState VARCHAR)[])',
    "segmentMembership": (
        "MAP(VARCHAR, MAP(VARCHAR, STRUCT(status VARCHAR, lastQualificationTime VARCHAR, validUntil VARCHAR)))"
    ),
}
_PERSON: Final[dict[str, Any]] = {
    "person": {
        "name": {"firstName": "VARCHAR", "lastName": "VARCHAR", "nickname": "VARCHAR"},
        "birthYear": "INTEGER",
        "birthDate": "DATE",
    },
    "personalEmail": {"address": "VARCHAR"},
    "workEmail": {"address": "VARCHAR"},
    "mobilePhone": {"number": "VARCHAR"},
    "homeAddress": _ADDRESS,
    "addresses": [{"kind": "VARCHAR", **_ADDRESS}],
    "employer": {"name": "VARCHAR", "accountKey": "VARCHAR"},
    "loyalty": {"tier": "VARCHAR", "points": "INTEGER", "memberSince": "DATE", "expires": "DATE"},
    "commerce": {
        "orders": "INTEGER",
        "lifetimeValue": "DOUBLE",
        "lastPurchase": "DATE",
        "recent": [{"order": "VARCHAR", "items": "INTEGER", "isGift": "BOOLEAN"}],
    },
    "preferences": {
        "language": "VARCHAR",
        "newsletter": "BOOLEAN",
        "interests": ["VARCHAR"],
        "channels": "MAP(VARCHAR, STRUCT(frequency INTEGER))",
    },
    "consents": {"marketing": {"email": _CONSENT, "sms": _CONSENT}, "share": _CONSENT},
    "lastVisit": {"ip": "VARCHAR", "at": "VARCHAR"},
    **_WHO,
}
_ACCOUNT: Final[dict[str, Any]] = {
    "accountKey": "VARCHAR",
    "accountName": "VARCHAR",
    "accountOrganization": {
        "industry": "VARCHAR",
        "numberOfEmployees": "INTEGER",
        "annualRevenue": {"amount": "BIGINT", "currencyCode": "VARCHAR"},
        "website": "VARCHAR",
    },
    "accountPhone": {"number": "VARCHAR"},
    "accountBillingAddress": _ADDRESS,
    "parentAccountKey": "VARCHAR",
    **_WHO,
}
_PROSPECT: Final[dict[str, Any]] = {
    "person": {"name": {"firstName": "VARCHAR", "lastName": "VARCHAR"}},
    "homeAddress": _ADDRESS,
    "prospect": {"partner": "VARCHAR", "score": "DOUBLE", "heardOf": "DATE"},
    **_WHO,
}
_TYPES: Final[dict[Kind, dict[str, Any]]] = {"profiles": _PERSON, "accounts": _ACCOUNT, "prospects": _PROSPECT}


def typed(kind: Kind, *, is_numbered: bool) -> str:
    """Return the SQL that makes columns of a line."""
    types = _TYPES[kind] | ({"x-headrace": {"sequence": "BIGINT"}} if is_numbered else {})
    return f"unnest(from_json(line, '{json.dumps(types)}'))"
