"""What the routes of governance answer: the original's lists and objects, and ours."""

from headrace.api.schema import (
    COUNT,
    DATE,
    DATE_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    Schema,
    items_of,
    list_of,
    of_object,
    ref,
)

_PREFIX = "/data/foundation/dulepolicy"
_KIND: Schema = {"enum": ["core", "custom"]}
_PLACE = {"imsOrg": TEXT, "sandboxName": TEXT, "_links": of_object({"self": of_object({"href": TEXT})})}
_DATES = {"created": COUNT, "updated": COUNT}

SCHEMAS: dict[str, Schema] = {
    "GovernedLabel": of_object(
        {"name": TEXT, "category": TEXT, "friendlyName": TEXT, **_PLACE},
        {"description": TEXT, **_DATES},
        "A usage label.",
    ),
    "GovernedAction": of_object({"name": TEXT, **_PLACE}, {"description": TEXT, **_DATES}, "A marketing action."),
    "GovernedPolicy": of_object(
        {
            "id": TEXT,
            "name": TEXT,
            "status": {"enum": ["DRAFT", "ENABLED", "DISABLED"]},
            "marketingActionRefs": TEXTS,
            "deny": {"type": "object"},
            **_PLACE,
        },
        {"description": TEXT, **_DATES},
        "A policy.",
    ),
    "EnabledCorePolicies": of_object({"policyIds": TEXTS, "updated": COUNT, **_PLACE}),
    "Constraints": of_object(
        {
            "timestamp": COUNT,
            "imsOrg": TEXT,
            "sandboxName": TEXT,
            "marketingActionRef": TEXT,
            "duleLabels": TEXTS,
            "violatedPolicies": list_of(ref("GovernedPolicy")),
        },
        {"discoveredLabels": list_of({"type": "object"})},
        "The policies that deny a marketing action for data with these labels.",
    ),
    "LabelledData": of_object(
        {"kind": {"enum": ["field", "dataset", "namespace"]}, "name": TEXT, "labels": TEXTS, "modifiedAt": DATE},
        about="The labels on an attribute (by path), a dataset (by id) or a namespace (by code).",
    ),
    "LineageStep": of_object({"noun": TEXT, "id": TEXT, "name": TEXT}),
    "Fix": of_object(
        {"action": {"enum": ["remove", "unlabel", "disable"]}, "noun": TEXT, "id": TEXT, "name": TEXT, "message": TEXT},
        {"label": TEXT},
        "Something that may be done about a violation.",
    ),
    "PolicyViolation": of_object(
        {
            "policy": of_object({"id": TEXT, "name": TEXT, "kind": _KIND}),
            "marketingActions": TEXTS,
            "labels": TEXTS,
            "dataflow": of_object({"id": TEXT, "name": TEXT}),
            "lineage": list_of(of_object({"label": TEXT, "steps": list_of(ref("LineageStep"))})),
            "fixes": list_of(ref("Fix")),
            "message": TEXT,
        },
        about="A policy that a dataflow violates: by which labels, on which way from the data to the destination.",
    ),
    "PolicyCheck": of_object(
        {"dataflow": TEXT, "name": TEXT, "state": TEXT, "violations": list_of(ref("PolicyViolation"))}
    ),
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


def _page_of(name: str) -> Schema:
    page = of_object({"start": TEXT, "count": COUNT, "next": TEXT})
    return of_object({"_page": page, "_links": {"type": "object"}, "children": list_of(ref(name))})


def _listed(path: str, name: str, key: str) -> dict[tuple[str, str], Schema | None]:
    return {
        ("get", f"{_PREFIX}/{path}"): _page_of(name),
        ("get", f"{_PREFIX}/{path}/{{{key}}}"): ref(name),
    }


def _named(path: str, name: str) -> dict[tuple[str, str], Schema | None]:
    one = f"{_PREFIX}/{path}/custom/{{name}}"
    return {
        **_listed(f"{path}/core", name, "name"),
        **_listed(f"{path}/custom", name, "name"),
        ("put", one): ref(name),
        ("delete", one): None,
    }


_CONSENT = "/governance/consent-policies"

#: What a success answers, by method and path.
ANSWERS: dict[tuple[str, str], Schema | None] = {
    **_named("labels", "GovernedLabel"),
    **_named("marketingActions", "GovernedAction"),
    **_listed("policies/core", "GovernedPolicy", "id"),
    **_listed("policies/custom", "GovernedPolicy", "id"),
    ("post", f"{_PREFIX}/policies/custom"): ref("GovernedPolicy"),
    ("put", f"{_PREFIX}/policies/custom/{{id}}"): ref("GovernedPolicy"),
    ("patch", f"{_PREFIX}/policies/custom/{{id}}"): ref("GovernedPolicy"),
    ("delete", f"{_PREFIX}/policies/custom/{{id}}"): None,
    ("get", f"{_PREFIX}/enabledCorePolicies"): ref("EnabledCorePolicies"),
    ("put", f"{_PREFIX}/enabledCorePolicies"): ref("EnabledCorePolicies"),
    **{
        (method, f"{_PREFIX}/marketingActions/{kind}/{{name}}/constraints"): ref("Constraints")
        for method in ("get", "post")
        for kind in ("core", "custom")
    },
    ("post", f"{_PREFIX}/bulk-eval"): list_of(of_object({"status": COUNT, "body": {"type": "object"}})),
    ("get", "/governance/labels"): items_of("LabelledData"),
    ("post", "/governance/labels"): items_of("LabelledData"),
    ("get", "/governance/violations"): items_of("PolicyViolation"),
    ("get", "/dataflows/{id}/policy-check"): ref("PolicyCheck"),
    ("get", _CONSENT): items_of("StoredConsentPolicy"),
    ("post", _CONSENT): ref("StoredConsentPolicy"),
    ("get", f"{_CONSENT}/{{id}}"): ref("StoredConsentPolicy"),
    ("put", f"{_CONSENT}/{{id}}"): ref("StoredConsentPolicy"),
    ("delete", f"{_CONSENT}/{{id}}"): None,
    ("get", "/dataflows/{id}/withheld"): items_of("WithheldReason"),
    ("get", "/ingest/erasures"): items_of("Erasure"),
    ("post", "/ingest/erasures"): ref("Erasure"),
    ("get", "/ingest/erasures/{id}"): ref("Erasure"),
    ("post", "/ingest/erasures/{id}/lift"): ref("Erasure"),
}
