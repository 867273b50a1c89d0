"""What the routes of parked changes answer."""

from headrace.api.schema import (
    COUNT,
    COUNT_OR_NULL,
    DATE,
    DATE_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    YES_OR_NO,
    Schema,
    list_of,
    of_object,
    ref,
)

_HEADERS: Schema = list_of(of_object({"name": TEXT, "value": TEXT}))

SCHEMAS: dict[str, Schema] = {
    "ParkedChange": of_object(
        {
            "number": COUNT,
            "profile": TEXT,
            "audience": {"anyOf": [ref("Audience"), {"type": "null"}]},
            "sequence": COUNT,
            "firstTriedAt": DATE_OR_NULL,
            "parkedAt": DATE,
            "attempts": COUNT,
            "code": TEXT,
            "reason": TEXT,
            "message": TEXT_OR_NULL,
            "status": COUNT_OR_NULL,
            "configurationChanged": {"type": ["boolean", "null"]},
        },
        about="A change laid aside. `message`: in which it was sent; none: it was not.",
    ),
    "ParkedChanges": of_object({"items": list_of(ref("ParkedChange")), "next": COUNT_OR_NULL}),
    "ParkedCounts": of_object(
        {
            "changes": COUNT,
            "items": list_of(
                of_object(
                    {
                        "code": TEXT,
                        "changes": COUNT,
                        "firstAt": DATE,
                        "lastAt": DATE,
                        "unchangedConfiguration": COUNT,
                        "reason": TEXT,
                    }
                )
            ),
        },
        about="Parked changes by code, most first, with the reason of the newest.",
    ),
    "ParkedMessage": of_object(
        {
            "message": TEXT_OR_NULL,
            "kept": YES_OR_NO,
            "request": {
                "anyOf": [
                    of_object(
                        {
                            "method": TEXT,
                            "url": TEXT,
                            "headers": _HEADERS,
                            "body": TEXT,
                            "bytes": COUNT,
                            "truncated": YES_OR_NO,
                        }
                    ),
                    {"type": "null"},
                ]
            },
            "answer": {
                "anyOf": [
                    of_object({"status": COUNT, "headers": _HEADERS, "body": TEXT, "truncated": YES_OR_NO}),
                    {"type": "null"},
                ]
            },
        },
        about="A message as it was rendered and what was answered, without secrets. Not kept: nothing, or no more.",
    ),
    "ParkedRun": of_object(
        {
            "run": ref("Run"),
            "changes": COUNT,
            "unchangedConfiguration": COUNT,
            "waitsFor": TEXT_OR_NULL,
        },
        about="A run, how many changes it is about, and how many of them were made of what is still in force.",
    ),
}

#: What a success answers, by method and path.
ANSWERS: dict[tuple[str, str], Schema | None] = {
    ("get", "/dataflows/{id}/parked"): ref("ParkedChanges"),
    ("get", "/dataflows/{id}/parked/counts"): ref("ParkedCounts"),
    ("get", "/dataflows/{id}/parked/{number}"): ref("ParkedChange"),
    ("get", "/dataflows/{id}/parked/{number}/message"): ref("ParkedMessage"),
    ("post", "/dataflows/{id}/parked/replay"): ref("ParkedRun"),
    ("post", "/dataflows/{id}/parked/discard"): ref("ParkedRun"),
}
