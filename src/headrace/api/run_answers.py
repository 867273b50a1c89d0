"""What the routes of runs and schedules answer."""

from headrace.api.schema import DATE, TEXT, Schema, items_of, list_of, of_object, ref

_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_MAYBE_DATE: Schema = {"type": ["string", "null"], "format": "date-time"}
_STATES: Schema = {"enum": ["asked", "running", "succeeded", "failed", "cancelled"]}

SCHEMAS: dict[str, Schema] = {
    "Run": of_object(
        {
            "id": TEXT,
            "kind": TEXT,
            "subject": {"type": "object"},
            "state": _STATES,
            "reason": _MAYBE_TEXT,
            "progress": {"type": "object"},
            "actor": TEXT,
            "askedAt": DATE,
            "dueAt": DATE,
            "beganAt": _MAYBE_DATE,
            "endedAt": _MAYBE_DATE,
            "retryOf": _MAYBE_TEXT,
            "schedule": _MAYBE_TEXT,
            "moment": _MAYBE_DATE,
        },
        about="Work that goes on until it is done, whoever dies in between.",
    ),
    "Runs": of_object({"items": list_of(ref("Run")), "next": _MAYBE_TEXT}),
    "Schedule": of_object(
        {
            "id": TEXT,
            "kind": TEXT,
            "subject": {"type": "object"},
            "cron": TEXT,
            "askedUntil": DATE,
            "nextAt": DATE,
            "pausedAt": _MAYBE_DATE,
            "actor": TEXT,
            "createdAt": DATE,
        },
        about="What is run again and again, at the moments of a cron expression in UTC.",
    ),
}

#: What a success answers, by method and path.
ANSWERS: dict[tuple[str, str], Schema | None] = {
    ("get", "/runs"): ref("Runs"),
    ("get", "/runs/{id}"): ref("Run"),
    ("post", "/runs/{id}/cancel"): ref("Run"),
    ("post", "/runs/{id}/retry"): ref("Run"),
    ("get", "/schedules"): items_of("Schedule"),
    ("post", "/schedules/{id}/pause"): ref("Schedule"),
    ("post", "/schedules/{id}/resume"): ref("Schedule"),
    ("post", "/schedules/{id}/trigger"): ref("Run"),
    ("post", "/schedules/{id}/backfill"): items_of("Run"),
    ("post", "/dataflows/{id}/activate-now"): items_of("Run"),
}
