"""What the routes of datasets answer."""

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

_BAD_ROW: Schema = of_object({"file": TEXT, "line": COUNT, "code": TEXT, "reason": TEXT})

SCHEMAS: dict[str, Schema] = {
    "Snapshot": of_object(
        {
            "number": COUNT,
            "state": {"enum": ["taking", "ready", "failed"]},
            "reason": TEXT_OR_NULL,
            "run": TEXT,
            "rows": COUNT_OR_NULL,
            "badRows": COUNT_OR_NULL,
            "bad": list_of(ref("BadRow")),
            "bytes": COUNT_OR_NULL,
            "files": list_of(of_object({"path": TEXT, "bytes": COUNT})),
            "columns": list_of(of_object({"name": TEXT, "type": TEXT})),
            "askedAt": DATE,
            "takenAt": DATE_OR_NULL,
        },
        about="What lay there when somebody looked. `bad` lists the first of the rows that cannot be read.",
    ),
    "BadRow": _BAD_ROW,
    "StoredDataset": of_object(
        {
            "id": TEXT,
            "name": TEXT,
            "format": TEXT,
            "createdAt": DATE,
            "modifiedAt": DATE,
            "etag": TEXT,
            "snapshot": {"anyOf": [ref("Snapshot"), {"type": "null"}]},
        },
        about="The `Dataset` as it was sent, with its newest snapshot that is ready.",
    ),
    "Snapshots": of_object({"items": list_of(ref("Snapshot")), "next": COUNT_OR_NULL}),
    "SampleRow": {
        "anyOf": [of_object({"file": TEXT, "line": COUNT, "profile": {"type": "object"}}), ref("BadRow")],
        "description": "A row as the profile that it is, or what is wrong with it.",
    },
    "EligibleDatasets": of_object(
        {
            "items": list_of(of_object({"id": TEXT})),
            "pageInfo": of_object({"start": COUNT, "end": COUNT, "total": COUNT, "hasNext": YES_OR_NO}),
        },
        about="The datasets that have a snapshot.",
    ),
}

#: What a success answers, by method and path.
ANSWERS: dict[tuple[str, str], Schema | None] = {
    ("post", "/datasets"): ref("StoredDataset"),
    ("get", "/datasets"): items_of("StoredDataset"),
    ("get", "/datasets/{id}"): ref("StoredDataset"),
    ("put", "/datasets/{id}"): ref("StoredDataset"),
    ("delete", "/datasets/{id}"): None,
    ("post", "/datasets/{id}/snapshots"): of_object({"snapshot": ref("Snapshot"), "run": ref("Run")}),
    ("get", "/datasets/{id}/snapshots"): ref("Snapshots"),
    ("get", "/datasets/{id}/snapshots/{number}"): ref("Snapshot"),
    ("get", "/datasets/{id}/sample"): items_of("SampleRow"),
    ("post", "/datasets/{id}/load"): ref("Run"),
}
