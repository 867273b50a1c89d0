"""What the routes of audiences answer."""

from headrace.api.schema import (
    COUNT,
    COUNT_OR_NULL,
    DATE,
    DATE_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    YES_OR_NO,
    Schema,
    items_of,
    list_of,
    of_object,
    ref,
)

_STATES = ["asked", "finding", "held", "confirmed", "taking", "applied", "failed", "dropped"]
_SNAPSHOT: Schema = of_object({"dataset": TEXT, "snapshot": COUNT})

SCHEMAS: dict[str, Schema] = {
    "Evaluation": of_object(
        {
            "number": COUNT,
            "state": {"enum": _STATES},
            "cause": {"enum": ["asked", "schedule", "snapshot", "upload"]},
            "reason": TEXT_OR_NULL,
            "run": TEXT,
            "membersBefore": COUNT_OR_NULL,
            "membersAfter": COUNT_OR_NULL,
            "entered": COUNT_OR_NULL,
            "left": COUNT_OR_NULL,
            "done": COUNT,
            "rejected": COUNT,
            "rejects": list_of(ref("BadRow")),
            "snapshots": list_of(_SNAPSHOT),
            "validUntil": DATE_OR_NULL,
            "askedAt": DATE,
            "beganAt": DATE_OR_NULL,
            "endedAt": DATE_OR_NULL,
            "milliseconds": COUNT_OR_NULL,
        },
        about="How members of an audience were found out, and how many came and went. `rejects` lists the first.",
    ),
    "StoredAudience": of_object(
        {
            "id": TEXT,
            "audienceId": TEXT,
            "namespace": TEXT,
            "name": TEXT,
            "kind": {"enum": ["profiles", "sql", "upload", "external"]},
            "isDeclared": YES_OR_NO,
            "size": COUNT,
            "datasets": list_of(TEXT),
            "createdAt": DATE,
            "modifiedAt": DATE,
            "etag": TEXT_OR_NULL,
            "lastEvaluation": {"anyOf": [ref("Evaluation"), {"type": "null"}]},
        },
        about="The `AudienceDefinition` as it was sent, and how many members it has now.",
    ),
    "Evaluations": of_object({"items": list_of(ref("Evaluation")), "next": COUNT_OR_NULL}),
    "AudiencePreview": of_object({"count": COUNT, "sample": list_of(TEXT), "rejected": COUNT}),
    "MembersTaken": of_object(
        {"accepted": COUNT, "rejected": list_of(of_object({"line": COUNT, "code": TEXT, "reason": TEXT}))}
    ),
    "Segment": of_object(
        {"id": TEXT, "name": TEXT, "description": TEXT, "creationTime": COUNT, "updateTime": COUNT},
        about="An audience as the original's API of segment definitions has it.",
    ),
    "UpsAudience": of_object(
        {"id": TEXT, "audienceId": TEXT, "namespace": TEXT, "name": TEXT, "type": TEXT, "metrics": {"type": "object"}},
        about="An audience as the original's API of audiences has it; `x-headrace` holds what is ours.",
    ),
}

_UPS = "/data/core/ups"
#: What a success answers, by method and path.
ANSWERS: dict[tuple[str, str], Schema | None] = {
    ("get", "/audiences"): items_of("StoredAudience"),
    ("post", "/audiences"): ref("StoredAudience"),
    ("post", "/audiences/preview"): ref("AudiencePreview"),
    ("get", "/audiences/{id}"): ref("StoredAudience"),
    ("put", "/audiences/{id}"): ref("StoredAudience"),
    ("delete", "/audiences/{id}"): None,
    ("post", "/audiences/{id}/evaluate"): ref("Evaluation"),
    ("get", "/audiences/{id}/evaluations"): ref("Evaluations"),
    ("post", "/audiences/{id}/evaluations/{number}/confirm"): ref("Evaluation"),
    ("post", "/audiences/{id}/evaluations/{number}/drop"): ref("Evaluation"),
    ("post", "/audiences/{id}/upload"): ref("Evaluation"),
    ("post", "/audiences/{id}/members"): ref("MembersTaken"),
    ("get", f"{_UPS}/audiences"): of_object({"children": list_of(ref("UpsAudience")), "_page": {"type": "object"}}),
    ("post", f"{_UPS}/audiences"): ref("UpsAudience"),
    ("get", f"{_UPS}/audiences/{{id}}"): ref("UpsAudience"),
    ("put", f"{_UPS}/audiences/{{id}}"): ref("UpsAudience"),
    ("patch", f"{_UPS}/audiences/{{id}}"): ref("UpsAudience"),
    ("delete", f"{_UPS}/audiences/{{id}}"): None,
    ("get", f"{_UPS}/segment/definitions"): of_object(
        {"segments": list_of(ref("Segment")), "page": {"type": "object"}, "link": {"type": "object"}}
    ),
    ("post", f"{_UPS}/segment/definitions"): ref("Segment"),
    ("post", f"{_UPS}/segment/definitions/bulk-get"): of_object({"results": {"type": "object"}}),
    ("get", f"{_UPS}/segment/definitions/{{id}}"): ref("Segment"),
    ("patch", f"{_UPS}/segment/definitions/{{id}}"): ref("Segment"),
    ("delete", f"{_UPS}/segment/definitions/{{id}}"): of_object({"message": TEXT}),
}
