"""What the routes of alerts answer."""

from headrace.api.schema import COUNT, DATE, DATE_OR_NULL, TEXT, TEXT_OR_NULL, TEXTS, Schema, items_of, of_object, ref

_SUBSCRIPTION = "/alerts/subscriptions"
_NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}

SCHEMAS: dict[str, Schema] = {
    "Alert": of_object(
        {
            "alert": TEXT,
            "title": TEXT,
            "state": {"enum": ["raised", "recovered"]},
            "about": of_object(
                {
                    "type": {"enum": ["dataflow", "account", "process", "installation"]},
                    "id": TEXT,
                    "name": TEXT_OR_NULL,
                }
            ),
            "threshold": _NUMBER_OR_NULL,
            "unit": TEXT_OR_NULL,
            "reason": TEXT,
            "episode": COUNT,
            "raisedAt": DATE,
            "recoveredAt": DATE_OR_NULL,
        },
        about="Something that is wrong, or was.",
    ),
    "StoredAlertSubscription": of_object(
        {"id": TEXT, "alerts": TEXTS, "createdAt": DATE, "modifiedAt": DATE, "etag": TEXT},
        about="The `AlertSubscription` as it was sent, with dots for its secret.",
    ),
}

#: What a success answers, by method and path.
ANSWERS: dict[tuple[str, str], Schema | None] = {
    ("get", "/alerts"): items_of("Alert"),
    ("get", _SUBSCRIPTION): items_of("StoredAlertSubscription"),
    ("post", _SUBSCRIPTION): ref("StoredAlertSubscription"),
    ("get", f"{_SUBSCRIPTION}/{{id}}"): ref("StoredAlertSubscription"),
    ("delete", f"{_SUBSCRIPTION}/{{id}}"): None,
    ("post", f"{_SUBSCRIPTION}/{{id}}/test"): of_object({"run": of_object({"id": TEXT})}),
}
