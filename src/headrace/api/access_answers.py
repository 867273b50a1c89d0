"""What the routes about who may do what, and about how things are, answer: their part of the OpenAPI document."""

from headrace.api.schema import (
    COUNT,
    COUNT_OR_NULL,
    DATE,
    DATE_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    YES_OR_NO,
    Schema,
    items_of,
    list_of,
    of_object,
    ref,
)

_USER = {
    "id": TEXT,
    "email": TEXT,
    "name": TEXT,
    "roles": list_of(of_object({"role": TEXT, "sandbox": TEXT_OR_NULL})),
    "disabled": YES_OR_NO,
    "createdAt": DATE,
    "modifiedAt": DATE,
    "etag": TEXT,
}
_CLIENT = {
    "clientId": TEXT,
    "name": TEXT,
    "permissions": TEXTS,
    "sandboxes": {"type": ["array", "null"], "items": TEXT},
    "createdAt": DATE_OR_NULL,
    "createdBy": TEXT_OR_NULL,
    "expiresAt": DATE_OR_NULL,
    "lastUsedAt": DATE_OR_NULL,
    "revokedAt": DATE_OR_NULL,
}
_KEY = of_object(
    {"id": TEXT, "createdAt": DATE_OR_NULL, "values": COUNT, "isNewest": YES_OR_NO, "isMissing": YES_OR_NO}
)
_STATES = ("accepted", "delivered", "superseded", "withheld", "parked", "pending", "messages")
_BALANCE: dict[str, Schema] = dict.fromkeys(_STATES, COUNT)

_QUOTA = of_object({"used": COUNT, "most": COUNT_OR_NULL}, about="How much is used, and the most; null: no limit.")
_QUOTAS = of_object(dict.fromkeys(("waiting", "people", "requests", "bytes"), _QUOTA))

SCHEMAS: dict[str, Schema] = {
    "Organization": of_object({"name": TEXT, "isHost": YES_OR_NO}),
    "FirstClient": of_object(
        {"name": TEXT, "sandbox": TEXT, "client": of_object({"clientId": TEXT, "clientSecret": TEXT})},
        about="An organization with its first client, whose secret is shown this once.",
    ),
    "Sandbox": of_object({"name": TEXT, "id": TEXT}),
    "User": of_object(_USER),
    "UserWithPassword": of_object(_USER, {"password": TEXT}, "A password that was made is shown this once."),
    "ApiClient": of_object(_CLIENT),
    "ApiClientWithSecret": of_object({**_CLIENT, "clientSecret": TEXT}, about="The secret is shown this once."),
    "Session": of_object(
        {
            "user": ref("User"),
            "organization": ref("Organization"),
            "sandboxes": list_of(of_object({"name": TEXT, "id": TEXT, "roles": TEXTS, "permissions": TEXTS})),
            "permissions": TEXTS,
            "csrfToken": TEXT,
        },
        about="Who is signed in; `csrfToken` goes into `X-CSRF-Token` of whatever changes something.",
    ),
    "Caller": of_object(
        {"actor": TEXT, "organization": ref("Organization"), "sandbox": TEXT_OR_NULL, "permissions": TEXTS}
    ),
    "AuditEntry": of_object(
        {
            "entry": COUNT,
            "at": DATE,
            "actor": TEXT,
            "action": TEXT,
            "noun": TEXT,
            "id": TEXT,
            "version": COUNT_OR_NULL,
            "sandbox": TEXT_OR_NULL,
            "details": {"type": ["object", "null"]},
            "hash": TEXT,
        }
    ),
    "AuditEntries": of_object({"items": list_of(ref("AuditEntry")), "next": COUNT_OR_NULL}),
    "AuditVerdict": of_object(
        {"whole": YES_OR_NO, "firstBreak": COUNT_OR_NULL, "newest": {"type": ["object", "null"]}},
        about="Whether the chain is whole; else the first entry that is not as it was written.",
    ),
    "Keys": of_object(
        {
            "organizations": list_of(of_object({"name": TEXT, "keys": list_of(_KEY)})),
            "masterKey": TEXT,
            "wrapped": list_of(of_object({"masterKey": TEXT, "keys": COUNT})),
        },
        about="Data keys, oldest first, with the number of values that each seals; how many each master key wraps.",
    ),
    "NewKeys": of_object({"items": list_of(of_object({"organization": TEXT, "key": TEXT}))}),
    "PrunedKeys": of_object({"items": list_of(of_object({"organization": TEXT, "keys": TEXTS}))}),
    "MasterKey": of_object({"masterKey": TEXT}),
    "PrunedMasterKeys": of_object({"items": TEXTS}),
    "RotationProgress": of_object(
        {"done": COUNT, "left": COUNT, "unreadable": COUNT},
        about="What this call did, what is left for the next, and what was tried and does not open.",
    ),
    "Audience": of_object({"namespace": TEXT, "id": TEXT, "name": TEXT_OR_NULL}),
    "Ledger": of_object(
        _BALANCE,
        {"audiences": list_of(of_object({"audience": {"anyOf": [ref("Audience"), {"type": "null"}]}, **_BALANCE}))},
        "What became of every change: `accepted` is the sum of the five after it.",
    ),
    "Receipt": of_object(
        {"accepted": COUNT, "rejected": list_of(of_object({"line": COUNT, "code": TEXT, "reason": TEXT}))}
    ),
    "Namespace": of_object(
        {
            "id": COUNT,
            "code": TEXT,
            "name": TEXT,
            "idType": TEXT,
            "namespaceType": TEXT,
            "custom": YES_OR_NO,
            "status": TEXT,
            "description": TEXT_OR_NULL,
        },
        {
            "hashFunction": TEXT,
            "transform": TEXT,
            "createTime": COUNT,
            "updateTime": COUNT,
            "x-headrace": of_object({"declared": YES_OR_NO}, about="False: it came with a profile."),
        },
        "A namespace of identities.",
    ),
    "NamespaceCodes": of_object({"codes": list_of(TEXT)}),
    "OwnQuota": of_object({"quotas": _QUOTAS}),
    "SandboxQuota": of_object({"id": TEXT, "organization": TEXT, "sandbox": TEXT, "quotas": _QUOTAS}),
    "Health": of_object({"status": TEXT}),
}

#: What a success answers, by method and path; ``None``: nothing.
ANSWERS: dict[tuple[str, str], Schema | None] = {
    ("get", "/access/me"): ref("Caller"),
    ("put", "/access/me/password"): None,
    ("get", "/access/organizations"): items_of("Organization"),
    ("post", "/access/organizations"): ref("FirstClient"),
    ("get", "/access/sandboxes"): items_of("Sandbox"),
    ("post", "/access/sandboxes"): ref("Sandbox"),
    ("get", "/access/users"): items_of("User"),
    ("post", "/access/users"): ref("UserWithPassword"),
    ("get", "/access/users/{id}"): ref("User"),
    ("put", "/access/users/{id}"): ref("User"),
    ("delete", "/access/users/{id}"): None,
    ("post", "/access/users/{id}/password"): ref("UserWithPassword"),
    ("get", "/access/clients"): items_of("ApiClient"),
    ("post", "/access/clients"): ref("ApiClientWithSecret"),
    ("get", "/access/clients/{id}"): ref("ApiClient"),
    ("put", "/access/clients/{id}"): ref("ApiClient"),
    ("delete", "/access/clients/{id}"): None,
    ("post", "/access/clients/{id}/secret"): ref("ApiClientWithSecret"),
    ("post", "/access/sessions"): ref("Session"),
    ("get", "/access/sessions/current"): ref("Session"),
    ("delete", "/access/sessions/current"): None,
    ("get", "/audit"): ref("AuditEntries"),
    ("get", "/audit/verify"): ref("AuditVerdict"),
    ("get", "/keys"): ref("Keys"),
    ("post", "/keys/rotate"): ref("NewKeys"),
    ("post", "/keys/reseal"): ref("RotationProgress"),
    ("post", "/keys/prune"): ref("PrunedKeys"),
    ("post", "/keys/master/rotate"): ref("MasterKey"),
    ("post", "/keys/master/rewrap"): ref("RotationProgress"),
    ("post", "/keys/master/prune"): ref("PrunedMasterKeys"),
    ("post", "/ingest/profiles"): ref("Receipt"),
    ("get", "/dataflows/{id}/ledger"): ref("Ledger"),
    ("get", "/data/core/idnamespace/identities"): list_of(ref("Namespace")),
    ("post", "/data/core/idnamespace/identities"): ref("Namespace"),
    ("get", "/data/core/idnamespace/identities/{id}"): ref("Namespace"),
    ("put", "/data/core/idnamespace/identities/{id}"): ref("Namespace"),
    ("get", "/namespace-order"): ref("NamespaceCodes"),
    ("put", "/namespace-order"): ref("NamespaceCodes"),
    ("get", "/quota"): ref("OwnQuota"),
    ("get", "/quotas"): items_of("SandboxQuota"),
    ("put", "/quotas/{id}"): ref("SandboxQuota"),
    ("get", "/healthz"): ref("Health"),
}

#: Where a password is looked at: it may be wrong, and tried too often.
SIGNING_IN = frozenset({"/access/sessions", "/access/me/password"})
