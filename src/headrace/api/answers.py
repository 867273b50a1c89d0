"""What routes answer, as the OpenAPI document says it: the schema of each success, and how each refusal looks."""

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_DATE: Schema = {"type": "string", "format": "date-time"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TEXTS: Schema = {"type": "array", "items": _TEXT}


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None, about: str = "") -> Schema:
    schema: Schema = {"type": "object", "properties": {**required, **(optional or {})}, "required": [*required]}
    return {**schema, "description": about} if about else schema


def _list_of(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_STORED = {"instanceId": _TEXT, "createdDate": _DATE, "lastModifiedDate": _DATE}
_OF_A_DESTINATION = dict.fromkeys(("imsOrg", "sandboxName", "sandboxId", "destConfigId"), _TEXT)
_PAGE = {"_page": _object({"next": {"type": ["string", "null"]}, "count": _COUNT}, about="Only where asked for.")}


def _stored(block: str, added: dict[str, Schema]) -> Schema:
    about = f"The `{block}` as it was sent, its secrets masked, with what the server adds."
    return _object(added, {"x-headrace": _ref("Additions")}, about)


def _page_of(name: str) -> Schema:
    return _object({"items": _list_of(_ref(name))}, _PAGE)


def _items_of(name: str) -> Schema:
    return _object({"items": _list_of(_ref(name))})


#: The schemas of answers, by name; bodies have theirs from the blocks.
SCHEMAS: dict[str, Schema] = {
    "ConfigurationProblem": _object(
        {"code": _TEXT, "path": _TEXT, "message": _TEXT, "severity": {"enum": ["error", "warning"]}},
        about="One thing to mend: `path` is a JSON pointer.",
    ),
    "Problem": _object(
        {"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT, "code": _TEXT},
        {
            "errors": _list_of(_ref("ConfigurationProblem")),
            "uses": _list_of(_object({"noun": _TEXT, "id": _TEXT, "name": _TEXT})),
            "usesElsewhere": _COUNT,
        },
        "What is wrong (RFC 9457). `code` does not change: script on it.",
    ),
    "GatewayError": _object({"error_code": _TEXT, "message": _TEXT}, about="A header is missing or wrong."),
    "FlowServiceError": _object({"errorMessage": _TEXT, "errorDetails": _TEXT}, about="As the flow service says it."),
    "Additions": _object(
        {},
        {"warnings": _list_of(_ref("ConfigurationProblem")), "fingerprints": {"type": "object"}},
        "What Headrace adds: warnings, and the fingerprints of masked secrets by JSON pointer.",
    ),
    "StoredDestination": _stored("Destination", _STORED | _OF_A_DESTINATION),
    "StoredDestinationServer": _stored("DestinationServer", _STORED),
    "StoredAudienceTemplate": _stored("AudienceTemplate", _STORED),
    "StoredCredentials": _stored("Credentials", _STORED),
    "Version": _object(
        {"version": _COUNT, "action": _TEXT, "actor": _TEXT, "date": _DATE}, about="Who did what, when."
    ),
    "Versions": _object({"items": _list_of(_ref("Version")), "next": {"type": ["integer", "null"]}}),
    "VersionDocument": _object(
        {"instanceId": _TEXT, "x-headrace": _object({"version": _ref("Version")})}, about="An object as it was."
    ),
    "Change": _object(
        {"op": {"enum": ["add", "remove", "replace"]}, "path": _TEXT}, {"before": {}, "after": {}}, "One difference."
    ),
    "Diff": _object({"from": _COUNT, "to": _COUNT, "changes": _list_of(_ref("Change"))}),
    "PublishDetails": _object(
        {
            "configId": _TEXT,
            "allowedOrgs": _TEXTS,
            "status": {"enum": ["TEST", "REVIEW", "APPROVED", "PUBLISHED", "DENIED", "REVOKED", "DEPRECATED"]},
            "destinationType": {"enum": ["DEV", "PUBLIC"]},
        },
        {"publishedDate": {"type": "integer"}, "x-headrace": {"type": "object"}},
        "One request to publish, or the version that is being worked on (`DEV`).",
    ),
    "Submissions": _object(
        {"destinationId": _TEXT, "publishDetailsList": _list_of(_ref("PublishDetails"))},
        {"x-headrace": _ref("Additions")},
        "The requests to publish a destination.",
    ),
    "RequestSummary": {
        "allOf": [
            _ref("PublishDetails"),
            _object({"destinationId": _TEXT, "organization": _TEXT, "sandbox": _TEXT, "submittedBy": _TEXT}),
        ]
    },
    "FrozenDocument": _object(
        {
            "noun": _TEXT,
            "id": _TEXT,
            "version": _COUNT,
            "document": {"type": "object"},
            "changes": _list_of(_ref("Change")),
        },
        about="One document of a request, and what makes it another than what is published now.",
    ),
    "RequestInReview": {
        "allOf": [
            _ref("RequestSummary"),
            _object(
                {
                    "documents": _list_of(_ref("FrozenDocument")),
                    "published": {"type": ["string", "null"]},
                    "origins": _TEXTS,
                    "newOrigins": _TEXTS,
                    "fields": _TEXTS,
                    "errors": _list_of(_ref("ConfigurationProblem")),
                    "warnings": _list_of(_ref("ConfigurationProblem")),
                }
            ),
        ]
    },
    "ConnectionSpec": _object(
        {"id": _TEXT, "name": _TEXT, "version": _TEXT, "providerId": _TEXT},
        {
            "authSpec": _list_of(_object({"name": _TEXT, "type": _TEXT})),
            "targetSpec": {"type": "object"},
            "x-headrace": _object(
                {
                    "configId": {"type": ["string", "null"]},
                    "version": _COUNT,
                    "origins": _TEXTS,
                    "fields": _TEXTS,
                },
                about="Where the destination sends, and what: `identity:email`, `attribute:*`.",
            ),
        },
        "A destination that can be connected to.",
    ),
    "ConsentRequired": _object(
        {
            "configId": {"type": ["string", "null"]},
            "origins": _TEXTS,
            "fields": _TEXTS,
            "errors": _list_of(_ref("ConfigurationProblem")),
        },
        about="A newer version of the destination: what is new in it, and what does not fit.",
    ),
    "FlowServiceObject": _object(
        {"id": _TEXT, "version": _TEXT, "etag": _TEXT},
        {"x-headrace": _object({}, {"consentRequired": _ref("ConsentRequired")})},
        "The object as it was sent, its secrets masked, with what the server adds.",
    ),
    "CreatedObject": _object({"id": _TEXT, "etag": _TEXT}),
    "Token": _object({"access_token": _TEXT, "token_type": _TEXT, "expires_in": _COUNT}),
    "TokenError": _object({"error": _TEXT, "error_description": _TEXT}, about="As OAuth 2 says it (RFC 6749)."),
}

_AUTHORING, _FLOWS = "/data/core/activation/authoring", "/data/foundation/flowservice"
_KINDS = {
    "destinations": "StoredDestination",
    "destination-servers": "StoredDestinationServer",
    "audience-templates": "StoredAudienceTemplate",
    "credentials": "StoredCredentials",
}


def _authoring(path: str, name: str) -> dict[tuple[str, str], Schema | None]:
    one = f"{path}/{{instance_id}}"
    return {
        ("get", path): _page_of(name),
        ("post", path): _ref(name),
        ("put", path): _ref(name),
        ("get", one): _ref(name),
        ("post", one): _ref(name),
        ("put", one): _ref(name),
        ("delete", one): None,
        ("get", f"{one}/versions"): _ref("Versions"),
        ("get", f"{one}/versions/{{version}}"): _ref("VersionDocument"),
        ("post", f"{one}/versions/{{version}}/restore"): _ref(name),
        ("get", f"{one}/diff"): _ref("Diff"),
    }


def _flow_service(noun: str) -> dict[tuple[str, str], Schema | None]:
    path = f"{_FLOWS}/{noun}"
    return {
        ("get", path): _items_of("FlowServiceObject"),
        ("get", f"{path}/{{id}}"): _items_of("FlowServiceObject"),
        ("post", path): _ref("CreatedObject"),
        ("patch", f"{path}/{{id}}"): _ref("CreatedObject"),
        ("post", f"{path}/{{id}}/action"): _ref("CreatedObject"),
        ("delete", f"{path}/{{id}}"): None,
    }


#: What a success answers, by method and path; ``None``: nothing.
ANSWERS: dict[tuple[str, str], Schema | None] = {
    **{
        key: answer for path, name in _KINDS.items() for key, answer in _authoring(f"{_AUTHORING}/{path}", name).items()
    },
    ("get", f"{_AUTHORING}/destinations/{{instance_id}}"): {
        "anyOf": [_ref("StoredDestination"), _items_of("StoredDestination")]
    },
    ("post", f"{_AUTHORING}/destinations/publish"): _ref("Submissions"),
    ("get", f"{_AUTHORING}/destinations/publish"): _list_of(_ref("Submissions")),
    ("get", f"{_AUTHORING}/destinations/publish/{{instance_id}}"): _ref("Submissions"),
    ("put", f"{_AUTHORING}/destinations/publish/{{instance_id}}"): _ref("Submissions"),
    ("post", f"{_AUTHORING}/destinations/publish/{{instance_id}}/withdraw"): _ref("PublishDetails"),
    ("get", "/publishing/requests"): _items_of("RequestSummary"),
    ("get", "/publishing/requests/{config_id}"): _ref("RequestInReview"),
    **{
        ("post", f"/publishing/requests/{{config_id}}/{step}"): _ref("PublishDetails")
        for step in ("approve", "reject", "withdraw")
    },
    ("get", f"{_FLOWS}/connectionSpecs"): _items_of("ConnectionSpec"),
    ("get", f"{_FLOWS}/connectionSpecs/{{id}}"): _items_of("ConnectionSpec"),
    ("post", f"{_FLOWS}/targetConnections/{{id}}/consent"): _ref("CreatedObject"),
    **{
        key: answer
        for noun in ("connections", "sourceConnections", "targetConnections", "flows")
        for key, answer in _flow_service(noun).items()
    },
}

_PROBLEM = {"application/problem+json": {"schema": _ref("Problem")}}
_GATEWAY = {"application/json": {"schema": _ref("GatewayError")}}
_FLOW_SERVICE = {"application/json": {"schema": _ref("FlowServiceError")}}
_MEANINGS = {
    400: "The request, or what it says, is not right.",
    401: "The access token is not valid.",
    403: "A header is missing or wrong, or the caller may not do this.",
    404: "There is no such object here, or no such sandbox.",
    409: "The object is in use, was decided, or was changed by somebody else just now.",
    412: "The object was changed since it was read.",
    413: "The body is larger than what is read.",
    429: "Signing in failed too often in a row.",
    503: "The store cannot take anything now.",
}


def _said(content: dict[str, Any], description: str = "Done.") -> dict[str, Any]:
    return {"description": description, "content": content}


_TOKEN_ERROR = _said({"application/json": {"schema": _ref("TokenError")}}, "The credentials are not right.")
#: The answers of operations that follow no rule of ours.
_OWN: dict[str, dict[str, Any]] = {
    "/ims/token/v3": {
        "200": _said({"application/json": {"schema": _ref("Token")}}),
        "400": _TOKEN_ERROR,
        "401": _TOKEN_ERROR,
        "429": _TOKEN_ERROR,
        "413": _said(_PROBLEM, _MEANINGS[413]),
        "503": _said(_PROBLEM, _MEANINGS[503]),
    },
    "/metrics": {
        "200": _said({"text/plain": {"schema": _TEXT}}),
        "401": _said(_PROBLEM, _MEANINGS[401]),
        "403": _said(_PROBLEM, _MEANINGS[403]),
        "503": _said(_PROBLEM, _MEANINGS[503]),
    },
}


#: Refusals that are not of the rules below.
_MORE = {("post", "/access/sessions"): (401, 403, 429), ("put", "/access/me/password"): (429,)}


def answers_of(method: str, path: str, operation: dict[str, Any], *, is_open: bool) -> dict[str, Any]:
    """Return the responses of an operation: its success as the tables have it, and every refusal that it may meet."""
    if path in _OWN:
        return _OWN[path]
    responses = {status: answer for status, answer in operation["responses"].items() if status != "422"}
    success = next(status for status in responses if status.startswith("2"))
    if (method, path) in ANSWERS:
        responses[success] = _success(ANSWERS[method, path], has_etag=_has_etag(method, path))
    refused = [400, 503] if is_open else [400, 401, 403, 404, 503]
    refused += _MORE.get((method, path), ())
    refused += [404] if "{" in path else []
    changes = method in ("post", "put", "patch", "delete")
    refused += [409, 412] if changes and not is_open else []
    refused += [413] if "requestBody" in operation else []
    for status in sorted(set(refused)):
        responses.setdefault(str(status), _refusal(status, path))
    return responses


def _success(schema: Schema | None, *, has_etag: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done."}
    if schema is not None:
        answer["content"] = {"application/json": {"schema": schema}}
    if has_etag:
        answer["headers"] = {"ETag": {"schema": _TEXT, "description": "The version, to send as `If-Match`."}}
    return answer


def _has_etag(method: str, path: str) -> bool:
    is_one = path.endswith("/restore") or (method == "get") == path.endswith("/{instance_id}") or method == "put"
    return path.startswith(_AUTHORING) and "/publish" not in path and is_one and method in ("get", "post", "put")


def _refusal(status: int, path: str) -> dict[str, Any]:
    content: dict[str, Any] = dict(_PROBLEM)
    if status in (400, 401, 403):
        content |= _GATEWAY
    if path.startswith(_FLOWS) and status in (404, 412):
        content |= _FLOW_SERVICE
    return _said(content, _MEANINGS[status])
