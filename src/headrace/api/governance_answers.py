"""What the routes of consent and erasure answer."""

from headrace.api.schema import COUNT, DATE, TEXT, Schema, items_of, of_object, ref

SCHEMAS: dict[str, Schema] = {
    "StoredConsentPolicy": of_object(
        {
            "id": TEXT,
            "name": TEXT,
            "conditions": {"type": "array"},
            "createdAt": DATE,
            "modifiedAt": DATE,
            "etag": TEXT,
        },
        about="The `ConsentPolicy` as it was sent.",
    ),
    "WithheldReason": of_object({"reason": TEXT, "changes": COUNT}),
}
_POLICIES = "/governance/consent-policies"
ANSWERS: dict[tuple[str, str], Schema | None] = {
    ("get", _POLICIES): items_of("StoredConsentPolicy"),
    ("post", _POLICIES): ref("StoredConsentPolicy"),
    ("get", f"{_POLICIES}/{{id}}"): ref("StoredConsentPolicy"),
    ("put", f"{_POLICIES}/{{id}}"): ref("StoredConsentPolicy"),
    ("delete", f"{_POLICIES}/{{id}}"): None,
    ("get", "/dataflows/{id}/withheld"): items_of("WithheldReason"),
}
