"""What the routes of consent and erasure answer."""

from headrace.api.schema import (
    COUNT,
    DATE,
    DATE_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    items_of,
    list_of,
    of_object,
    ref,
)

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
    "Erasure": of_object(
        {
            "id": TEXT,
            "state": {"enum": ["asked", "telling", "done"]},
            "askedBy": TEXT,
            "askedAt": DATE,
            "removedAt": DATE_OR_NULL,
            "endedAt": DATE_OR_NULL,
            "liftedAt": DATE_OR_NULL,
            "people": COUNT,
            "receipts": list_of(ref("ErasureReceipt")),
        },
        about="`telling`: they are removed here, and partners are being told. No identity of theirs is kept.",
    ),
    "ErasureReceipt": of_object(
        {
            "dataflow": TEXT,
            "name": TEXT,
            "state": {"enum": ["told", "unknown", "telling", "failed", "cannot-be-told"]},
            "reason": TEXT_OR_NULL,
            "at": DATE,
            "people": COUNT,
        },
        about="What became of telling one partner. `unknown`: it was never told of them; `failed`: it is tried again.",
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
    ("get", "/ingest/erasures"): items_of("Erasure"),
    ("post", "/ingest/erasures"): ref("Erasure"),
    ("get", "/ingest/erasures/{id}"): ref("Erasure"),
    ("post", "/ingest/erasures/{id}/lift"): ref("Erasure"),
}
