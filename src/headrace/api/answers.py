"""What routes answer, as the OpenAPI document says it: the schema of each success, and how each refusal looks."""

from typing import Any

from headrace.api import (
    access_answers,
    alert_answers,
    audience_answers,
    dataset_answers,
    governance_answers,
    parked_answers,
    run_answers,
)
from headrace.api.schema import (
    COUNT,
    DATE,
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
from headrace.services.browser_sign_in import CALLBACK

_STORED = {"instanceId": TEXT, "createdDate": DATE, "lastModifiedDate": DATE}
_OF_A_DESTINATION = dict.fromkeys(("imsOrg", "sandboxName", "sandboxId", "destConfigId"), TEXT)
_PAGE = {"_page": of_object({"next": {"type": ["string", "null"]}, "count": COUNT}, about="Only where asked for.")}


def _stored(block: str, added: dict[str, Schema]) -> Schema:
    about = f"The `{block}` as it was sent, its secrets masked, with what the server adds."
    return of_object(added, {"x-headrace": ref("Additions")}, about)


def _page_of(name: str) -> Schema:
    return of_object({"items": list_of(ref(name))}, _PAGE)


#: The schemas of answers, by name; bodies have theirs from the blocks.
SCHEMAS: dict[str, Schema] = {
    **access_answers.SCHEMAS,
    **run_answers.SCHEMAS,
    **parked_answers.SCHEMAS,
    **dataset_answers.SCHEMAS,
    **governance_answers.SCHEMAS,
    **alert_answers.SCHEMAS,
    **audience_answers.SCHEMAS,
    "ConfigurationProblem": of_object(
        {"code": TEXT, "path": TEXT, "message": TEXT, "severity": {"enum": ["error", "warning"]}},
        about="One thing to mend: `path` is a JSON pointer.",
    ),
    "Problem": of_object(
        {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT, "code": TEXT},
        {
            "errors": list_of(ref("ConfigurationProblem")),
            "uses": list_of(of_object({"noun": TEXT, "id": TEXT, "name": TEXT})),
            "usesElsewhere": COUNT,
            "violations": list_of(ref("PolicyViolation")),
        },
        "What is wrong (RFC 9457). `code` does not change: script on it.",
    ),
    "GatewayError": of_object({"error_code": TEXT, "message": TEXT}, about="A header is missing or wrong."),
    "FlowServiceError": of_object({"errorMessage": TEXT, "errorDetails": TEXT}, about="As the flow service says it."),
    "Additions": of_object(
        {},
        {
            "warnings": list_of(ref("ConfigurationProblem")),
            "fingerprints": {"type": "object"},
            "error": ref("KeyTrouble"),
        },
        "What Headrace adds: warnings, and the fingerprints of masked secrets by JSON pointer.",
    ),
    "SignIn": of_object(
        {
            "state": {
                "type": "string",
                "enum": ["ready", "not-signed-in", "signed-in", "sign-in-needed", "refused", "revoked"],
            }
        },
        {"reason": TEXT, "since": DATE, "issue": COUNT},
        "How an account is signed in at the partner; `ready` needs no token. `issue` rises with every sign-in there,"
        " and when credentials are replaced or revoked.",
    ),
    "KeyTrouble": of_object(
        {"code": TEXT, "message": TEXT}, about="In lists: the secrets of this object cannot be opened, and why."
    ),
    "StoredDestination": _stored("Destination", _STORED | _OF_A_DESTINATION),
    "StoredDestinationServer": _stored("DestinationServer", _STORED),
    "StoredAudienceTemplate": _stored("AudienceTemplate", _STORED),
    "StoredCredentials": _stored("Credentials", _STORED),
    "Version": of_object({"version": COUNT, "action": TEXT, "actor": TEXT, "date": DATE}, about="Who did what, when."),
    "Versions": of_object({"items": list_of(ref("Version")), "next": {"type": ["integer", "null"]}}),
    "VersionDocument": of_object(
        {"instanceId": TEXT, "x-headrace": of_object({"version": ref("Version")})}, about="An object as it was."
    ),
    "Change": of_object(
        {"op": {"enum": ["add", "remove", "replace"]}, "path": TEXT}, {"before": {}, "after": {}}, "One difference."
    ),
    "Diff": of_object({"from": COUNT, "to": COUNT, "changes": list_of(ref("Change"))}),
    "PublishDetails": of_object(
        {
            "configId": TEXT,
            "allowedOrgs": TEXTS,
            "status": {"enum": ["TEST", "REVIEW", "APPROVED", "PUBLISHED", "DENIED", "REVOKED", "DEPRECATED"]},
            "destinationType": {"enum": ["DEV", "PUBLIC"]},
        },
        {"publishedDate": {"type": "integer"}, "x-headrace": {"type": "object"}},
        "One request to publish, or the version that is being worked on (`DEV`).",
    ),
    "Submissions": of_object(
        {"destinationId": TEXT, "publishDetailsList": list_of(ref("PublishDetails"))},
        {"x-headrace": ref("Additions")},
        "The requests to publish a destination.",
    ),
    "RequestSummary": {
        "allOf": [
            ref("PublishDetails"),
            of_object({"destinationId": TEXT, "organization": TEXT, "sandbox": TEXT, "submittedBy": TEXT}),
        ]
    },
    "FrozenDocument": of_object(
        {
            "noun": TEXT,
            "id": TEXT,
            "version": COUNT,
            "document": {"type": "object"},
            "changes": list_of(ref("Change")),
        },
        about="One document of a request, and what makes it another than what is published now.",
    ),
    "RequestInReview": {
        "allOf": [
            ref("RequestSummary"),
            of_object(
                {
                    "documents": list_of(ref("FrozenDocument")),
                    "published": {"type": ["string", "null"]},
                    "origins": TEXTS,
                    "newOrigins": TEXTS,
                    "fields": TEXTS,
                    "errors": list_of(ref("ConfigurationProblem")),
                    "warnings": list_of(ref("ConfigurationProblem")),
                }
            ),
        ]
    },
    "ConnectionSpec": of_object(
        {"id": TEXT, "name": TEXT, "version": TEXT, "providerId": TEXT},
        {
            "authSpec": list_of(of_object({"name": TEXT, "type": TEXT, "spec": {"type": "object"}})),
            "encryptionSpecs": list_of({"type": "object"}),
            "targetSpec": {"type": "object"},
            "x-headrace": of_object(
                {
                    "configId": {"type": ["string", "null"]},
                    "version": COUNT,
                    "origins": TEXTS,
                    "fields": TEXTS,
                },
                {"signing": TEXT},
                about="Where the destination sends, what (`identity:email`, `attribute:*`), and how it is signed.",
            ),
        },
        "A destination that can be connected to.",
    ),
    "ConsentRequired": of_object(
        {
            "configId": {"type": ["string", "null"]},
            "origins": TEXTS,
            "fields": TEXTS,
            "errors": list_of(ref("ConfigurationProblem")),
        },
        about="A newer version of the destination: what is new in it, and what does not fit.",
    ),
    "AtPartner": of_object(
        {
            "state": {"enum": ["creating", "ready", "failed", "deleting"]},
            "reason": {"type": ["string", "null"]},
            "attempts": COUNT,
        },
        about="How something stands at the partner, and how often in a row that was tried.",
    ),
    "PartnerLeftAlone": of_object(
        {"state": {"enum": ["slowed", "down"]}, "reason": TEXT, "since": DATE, "nextTry": DATE},
        about="The partner has too much to do, or keeps failing: nothing is sent until the next try.",
    ),
    "AudienceAtPartner": {
        "allOf": [
            of_object({"id": TEXT, "namespace": TEXT, "name": TEXT_OR_NULL, "alias": TEXT_OR_NULL}),
            ref("AtPartner"),
        ]
    },
    "PartnersAudience": of_object({"id": TEXT, "name": TEXT}, about="An audience that the partner has."),
    "FlowServiceObject": of_object(
        {"id": TEXT, "version": TEXT, "etag": TEXT},
        {
            "x-headrace": of_object(
                {},
                {
                    "consentRequired": ref("ConsentRequired"),
                    "audiences": list_of(ref("AudienceAtPartner")),
                    "atPartner": ref("AtPartner"),
                    "partner": ref("PartnerLeftAlone"),
                    "error": ref("KeyTrouble"),
                    "signIn": ref("SignIn"),
                },
            )
        },
        "The object as it was sent, its secrets masked, with what the server adds.",
    ),
    "CreatedObject": of_object({"id": TEXT, "etag": TEXT}, {"x-headrace": ref("Additions")}),
    "FlowServicePage": of_object(
        {"items": list_of(ref("FlowServiceObject"))},
        {"_links": of_object({}, {"next": of_object({"href": TEXT})})},
        "One page; `_links.next` leads on.",
    ),
    "FlowSpec": of_object(
        {"id": TEXT, "name": TEXT, "version": TEXT, "sourceConnectionSpecIds": TEXTS, "targetConnectionSpecIds": TEXTS},
        about="A kind of dataflow: from what to what.",
    ),
    "FlowRun": of_object(
        {"id": TEXT, "flowId": TEXT, "createdAt": COUNT, "updatedAt": COUNT, "metrics": {"type": "object"}},
        about="One run of a dataflow; `metrics.statusSummary` says how it stands.",
    ),
    "ActivationPlan": of_object(
        {
            "name": TEXT,
            "dataflow": TEXT_OR_NULL,
            "steps": list_of(
                of_object(
                    {
                        "action": {"enum": ["create", "change", "remove", "keep"]},
                        "noun": TEXT,
                        "name": TEXT,
                        "changes": TEXTS,
                    }
                )
            ),
            "violations": list_of(ref("PolicyViolation")),
            "x-headrace": of_object({"warnings": list_of(ref("ConfigurationProblem"))}),
        },
        about="What it takes to make an activation true, and the policies that deny it.",
    ),
    "Leaving": of_object(
        {
            **dict.fromkeys(("people", "entries", "messages", "mostPerMessage", "looked", "of"), COUNT),
            "groups": {"type": "object", "additionalProperties": COUNT},
            "next": {"type": ["integer", "null"]},
        },
        about="What would leave of those who were looked at; `messages` as full as they may be.",
    ),
    "ActivationStanding": of_object(
        {
            "id": TEXT,
            "name": TEXT,
            "state": TEXT,
            "reason": TEXT_OR_NULL,
            "destination": of_object({"id": TEXT, "name": TEXT}),
            "account": {"anyOf": [of_object({"id": TEXT, "name": TEXT}), {"type": "null"}]},
            "audiences": TEXTS,
            "mapping": TEXTS,
            "windows": list_of(
                of_object(
                    {"audience": TEXT, "namespace": TEXT, "state": TEXT, "from": TEXT_OR_NULL, "to": TEXT_OR_NULL}
                )
            ),
            "backfill": of_object({"looked": COUNT, "of": COUNT}),
        },
        about="An activation, and how far its members of before have been looked at.",
    ),
    "StoredSchema": of_object({"id": TEXT, "version": COUNT, "name": TEXT, "jsonSchema": {"type": "object"}}),
    "StoredMappingSet": of_object({"id": TEXT, "version": COUNT, "mappings": list_of({"type": "object"})}),
    "UnionSchema": of_object(
        {"$id": TEXT, "title": TEXT, "type": TEXT, "properties": {"type": "object"}},
        about="The schema of people, read off those that `x-headrace.people` counts.",
    ),
    "LandingZone": of_object(
        {"containerName": TEXT, "containerTTL": TEXT}, about="A container, and how many days files are kept."
    ),
    "LandingZoneCredentials": of_object(
        dict.fromkeys(("containerName", "SASToken", "storageAccountName", "SASUri", "expiryDate"), TEXT),
        about="A way to read a landing zone, good until `expiryDate`; whoever has `SASUri` can read.",
    ),
    "Counted": of_object({"count": COUNT}, about="How many there are."),
    "Choice": of_object({"name": TEXT, "value": {"type": ["string", "integer"]}}, about="A label and its value."),
    "PartnerSchema": of_object(
        {"type": {"const": "object"}, "properties": {"type": "object"}}, about="A JSON Schema, as the partner gives it."
    ),
    "Trial": of_object(
        {"ok": YES_OR_NO, "code": TEXT, "message": TEXT, "checked": TEXTS},
        about="What came of trying an account: `checked` are the steps, the one that failed as the last.",
    ),
    "Token": of_object({"access_token": TEXT, "token_type": TEXT, "expires_in": COUNT}),
    "TokenError": of_object({"error": TEXT, "error_description": TEXT}, about="As OAuth 2 says it (RFC 6749)."),
}

_AUTHORING, _FLOWS = "/data/core/activation/authoring", "/data/foundation/flowservice"
_CONVERSION = "/data/foundation/conversion"
_LANDING = "/data/foundation/connectors/landingzone"
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
        ("post", path): ref(name),
        ("put", path): ref(name),
        ("get", one): ref(name),
        ("post", one): ref(name),
        ("put", one): ref(name),
        ("delete", one): None,
        ("get", f"{one}/versions"): ref("Versions"),
        ("get", f"{one}/versions/{{version}}"): ref("VersionDocument"),
        ("post", f"{one}/versions/{{version}}/restore"): ref(name),
        ("get", f"{one}/diff"): ref("Diff"),
    }


def _flow_service(noun: str) -> dict[tuple[str, str], Schema | None]:
    path = f"{_FLOWS}/{noun}"
    return {
        ("get", path): items_of("FlowServiceObject"),
        ("get", f"{path}/{{id}}"): items_of("FlowServiceObject"),
        ("post", path): ref("CreatedObject"),
        ("patch", f"{path}/{{id}}"): ref("CreatedObject"),
        ("post", f"{path}/{{id}}/action"): ref("CreatedObject"),
        ("delete", f"{path}/{{id}}"): None,
    }


def _conversion(noun: str, name: str) -> dict[tuple[str, str], Schema | None]:
    path = f"/data/foundation/conversion/{noun}"
    return {
        ("get", path): of_object({"data": list_of(ref(name)), "_page": {"type": "object"}}),
        ("post", path): ref(name),
        ("get", f"{path}/{{id}}"): ref(name),
    }


_NEXT = of_object({}, {"next": of_object({"href": TEXT})})
_FLOW_RUNS = of_object({"items": list_of(ref("FlowRun"))}, {"_links": _NEXT})
#: What a success answers, by method and path; ``None``: nothing.
ANSWERS: dict[tuple[str, str], Schema | None] = {
    **access_answers.ANSWERS,
    **run_answers.ANSWERS,
    **parked_answers.ANSWERS,
    **dataset_answers.ANSWERS,
    **governance_answers.ANSWERS,
    **alert_answers.ANSWERS,
    **audience_answers.ANSWERS,
    **{
        key: answer for path, name in _KINDS.items() for key, answer in _authoring(f"{_AUTHORING}/{path}", name).items()
    },
    ("get", f"{_AUTHORING}/destinations/{{instance_id}}"): {
        "anyOf": [ref("StoredDestination"), items_of("StoredDestination")]
    },
    ("post", f"{_AUTHORING}/destinations/publish"): ref("Submissions"),
    ("get", f"{_AUTHORING}/destinations/publish"): list_of(ref("Submissions")),
    ("get", f"{_AUTHORING}/destinations/publish/{{instance_id}}"): ref("Submissions"),
    ("put", f"{_AUTHORING}/destinations/publish/{{instance_id}}"): ref("Submissions"),
    ("post", f"{_AUTHORING}/destinations/publish/{{instance_id}}/withdraw"): ref("PublishDetails"),
    ("get", "/publishing/requests"): items_of("RequestSummary"),
    ("get", "/publishing/requests/{config_id}"): ref("RequestInReview"),
    **{
        ("post", f"/publishing/requests/{{config_id}}/{step}"): ref("PublishDetails")
        for step in ("approve", "reject", "withdraw")
    },
    ("post", "/data/core/activation/disflowprovider/adhocrun"): of_object(
        {},
        {
            "order": list_of(of_object({"segment": TEXT, "order": TEXT, "statusURL": TEXT})),
            "destinations": list_of(
                of_object({"flowId": TEXT, "datasets": list_of(of_object({"id": TEXT, "statusURL": TEXT}))})
            ),
        },
        about="A run for each audience: `order` is its dataflow; or one for all datasets of each of `destinations`.",
    ),
    ("get", f"{_FLOWS}/connectionSpecs"): items_of("ConnectionSpec"),
    ("get", f"{_FLOWS}/connectionSpecs/{{id}}"): items_of("ConnectionSpec"),
    ("get", f"{_FLOWS}/connectionSpecs/{{id}}/configs"): ref("EligibleDatasets"),
    ("post", f"{_FLOWS}/connectionSpecs/{{id}}/choices"): items_of("Choice"),
    ("post", f"{_FLOWS}/connectionSpecs/{{id}}/schema"): ref("PartnerSchema"),
    ("post", f"{_FLOWS}/targetConnections/{{id}}/consent"): ref("CreatedObject"),
    ("post", f"{_FLOWS}/connections/{{id}}/authorize"): of_object(
        {"authorizationUrl": TEXT, "expiresAt": DATE}, about="The partner's page, and until when it counts."
    ),
    ("get", f"{_FLOWS}/connections/{{id}}/test"): ref("Trial"),
    ("post", f"{_FLOWS}/connections/{{id}}/test"): ref("Trial"),
    ("get", f"{_FLOWS}/targetConnections/{{id}}/audiences"): items_of("AudienceAtPartner"),
    ("get", f"{_FLOWS}/flows/{{id}}/audiences/atPartner"): items_of("PartnersAudience"),
    ("post", f"{_FLOWS}/flows/{{id}}/audiences/retry"): items_of("AudienceAtPartner"),
    ("post", f"{_FLOWS}/flows/{{id}}/audiences/{{namespace}}/{{audience}}/adopt"): items_of("AudienceAtPartner"),
    **{
        key: answer
        for noun in ("connections", "sourceConnections", "targetConnections", "flows")
        for key, answer in _flow_service(noun).items()
    },
    **{
        ("get", f"{_FLOWS}/{noun}"): {"anyOf": [ref("FlowServicePage"), ref("Counted")]}
        for noun in ("connections", "sourceConnections", "targetConnections", "flows")
    },
    ("get", "/activations"): {
        "anyOf": [of_object({"items": list_of(ref("ActivationStanding"))}, {"_links": _NEXT}), ref("Counted")]
    },
    ("get", "/data/core/ups/config/entityTypes/_xdm.context.profile"): ref("UnionSchema"),
    **{
        key: answer
        for noun, name in (("schemas", "StoredSchema"), ("mappingSets", "StoredMappingSet"))
        for key, answer in _conversion(noun, name).items()
    },
    ("delete", "/data/foundation/conversion/mappingSets/{id}"): None,
    ("get", _LANDING): ref("LandingZone"),
    ("get", f"{_LANDING}/credentials"): ref("LandingZoneCredentials"),
    ("post", f"{_LANDING}/credentials"): ref("LandingZoneCredentials"),
    ("post", "/activations"): ref("ActivationPlan"),
    ("post", "/activations/plan"): {
        "allOf": [
            ref("ActivationPlan"),
            of_object(
                {"leaving": ref("Leaving"), "samples": list_of({"type": "object"})},
                {"files": list_of({"type": "object"})},
            ),
        ]
    },
    ("get", f"{_FLOWS}/runs/{{id}}"): items_of("FlowRun"),
    ("get", f"{_FLOWS}/runs"): {"anyOf": [_FLOW_RUNS, ref("Counted")]},
    ("get", f"{_FLOWS}/flowSpecs"): items_of("FlowSpec"),
    ("get", f"{_FLOWS}/flowSpecs/{{id}}"): items_of("FlowSpec"),
}

#: Operations that answer with what a partner says.
_ASK_PARTNERS = {f"{_FLOWS}/connectionSpecs/{{id}}/choices", f"{_FLOWS}/connectionSpecs/{{id}}/schema"}
#: Operations that call partners on demand, or may.
_ON_DEMAND = {
    ("post", "/alerts/subscriptions/{id}/test"),
    *(("post", path) for path in _ASK_PARTNERS),
    ("get", f"{_FLOWS}/connections/{{id}}/test"),
    ("post", f"{_FLOWS}/connections/{{id}}/test"),
    ("post", f"{_FLOWS}/connections/{{id}}/authorize"),
    ("post", f"{_FLOWS}/targetConnections"),
    ("patch", f"{_FLOWS}/targetConnections/{{id}}"),
    ("post", f"{_FLOWS}/flows"),
    ("patch", f"{_FLOWS}/flows/{{id}}"),
    ("get", f"{_FLOWS}/flows/{{id}}/audiences/atPartner"),
    ("post", f"{_FLOWS}/flows/{{id}}/audiences/retry"),
    ("post", "/dataflows/{id}/activate-now"),
    ("post", f"{_FLOWS}/flows/{{id}}/audiences/{{namespace}}/{{audience}}/adopt"),
    ("post", "/runs/{id}/retry"),
}
_PROBLEM = {"application/problem+json": {"schema": ref("Problem")}}
_GATEWAY = {"application/json": {"schema": ref("GatewayError")}}
_FLOW_SERVICE = {"application/json": {"schema": ref("FlowServiceError")}}
_MEANINGS = {
    400: "The request, or what it says, is not right.",
    401: "The access token is not valid.",
    403: "A header is missing or wrong, or the caller may not do this.",
    404: "There is no such object here.",
    409: "The object is in use, was decided, or was changed by somebody else just now.",
    412: "The object was changed since it was read.",
    413: "The body is larger than what is read.",
    422: "The idempotency key came with another request before.",
    429: "Signing in failed too often in a row, partners were called too often on demand, or it was done not long ago.",
    502: "The partner was not reached, or refused; the message says what it said.",
    503: "The store cannot take anything now.",
}


def _said(content: dict[str, Any], description: str = "Done.") -> dict[str, Any]:
    return {"description": description, "content": content}


_TOKEN_ERROR = _said({"application/json": {"schema": ref("TokenError")}}, "The credentials are not right.")
#: The answers of operations that follow no rule of ours.
_OWN: dict[str, dict[str, Any]] = {
    "/ims/token/v3": {
        "200": _said({"application/json": {"schema": ref("Token")}}),
        "400": _TOKEN_ERROR,
        "401": _TOKEN_ERROR,
        "413": _said(_PROBLEM, _MEANINGS[413]),
        "429": _said({"application/json": {"schema": ref("TokenError")}}, _MEANINGS[429]),
        "503": _said(_PROBLEM, _MEANINGS[503]),
    },
    CALLBACK: {
        "200": _said({"text/html": {"schema": TEXT}}, "Somebody is signed in; the page says so."),
        "400": _said({"text/html": {"schema": TEXT}} | _PROBLEM, "Nobody is; the page says why."),
        "503": _said(_PROBLEM, _MEANINGS[503]),
    },
    "/metrics": {
        "200": _said({"text/plain": {"schema": TEXT}}),
        "401": _said(_PROBLEM, _MEANINGS[401]),
        "403": _said(_PROBLEM, _MEANINGS[403]),
        "503": _said(_PROBLEM, _MEANINGS[503]),
    },
}


def answers_of(method: str, path: str, operation: dict[str, Any], *, is_open: bool) -> dict[str, Any]:
    """Return the responses of an operation: its success as the tables have it, and every refusal that it may meet."""
    if path in _OWN:
        return _OWN[path]
    responses = {status: answer for status, answer in operation["responses"].items() if status != "422"}
    success = next(status for status in responses if status.startswith("2"))
    if (method, path) in ANSWERS:
        responses[success] = _success(ANSWERS[method, path], has_etag=_has_etag(method, path))
    refused = [400, 503] if is_open else [400, 401, 403, 404, 503]  # 404: at least of the sandbox.
    changes = method in ("post", "put", "patch", "delete")
    refused += [409, 412] if changes and not is_open else []
    refused += [401, 403, 429] if path in access_answers.SIGNING_IN else []
    refused += [429] if (method, path) in _ON_DEMAND else []
    refused += [413] if "requestBody" in operation else []
    refused += [422] if path == "/ingest/profiles" else []
    refused += [502] if path in _ASK_PARTNERS else []
    for status in sorted(set(refused)):
        responses.setdefault(str(status), _refusal(status, path))
    return responses


def _success(schema: Schema | None, *, has_etag: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done."}
    if schema is not None:
        answer["content"] = {"application/json": {"schema": schema}}
    if has_etag:
        answer["headers"] = {"ETag": {"schema": TEXT, "description": "The version, to send as `If-Match`."}}
    return answer


def _has_etag(method: str, path: str) -> bool:
    is_one = path.endswith("/restore") or (method == "get") == path.endswith("/{instance_id}") or method == "put"
    return path.startswith(_AUTHORING) and "/publish" not in path and is_one and method in ("get", "post", "put")


def _refusal(status: int, path: str) -> dict[str, Any]:
    content: dict[str, Any] = dict(_PROBLEM)
    if status in (400, 401, 403):
        content |= _GATEWAY
    if path.startswith((_FLOWS, _CONVERSION)) and status in (404, 412):
        content |= _FLOW_SERVICE
    return _said(content, _MEANINGS[status])
