"""The OpenAPI document: what the routes say of themselves, and the blocks that their bodies are."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from headrace.api.answers import SCHEMAS, answers_of
from headrace.api.doors import SESSION_COOKIE, Needs
from headrace.api.needs import needs_of
from headrace.model.access import (
    ClientSettings,
    NewOrganization,
    NewSandbox,
    NewUser,
    PasswordChange,
    PasswordReset,
    SignIn,
    UserSettings,
)
from headrace.model.activation import Activation
from headrace.model.alert import AlertSubscription
from headrace.model.audience import AudienceDefinition
from headrace.model.audience_template import Adoption, AudienceTemplate
from headrace.model.block import Block
from headrace.model.consent import ConsentPolicy
from headrace.model.credentials import Credentials
from headrace.model.dataset import Dataset
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.erasure import ErasureRequest
from headrace.model.flow import (
    BaseConnection,
    ChoicesWanted,
    Flow,
    SchemaWanted,
    SourceConnection,
    TargetConnection,
)
from headrace.model.governance import EnabledPolicies, LabelsPut, MarketingAction, Policy, UsageLabel
from headrace.model.mapping_set import ConversionSchema, MappingSet
from headrace.model.namespace import NamespaceDocument, NamespaceOrder
from headrace.model.publishing import Agreement, Reason, Submission
from headrace.model.quota import QuotaRequest

_AUTHORING, _FLOWS = "/data/core/activation/authoring", "/data/foundation/flowservice"
_POLICIES = "/data/foundation/dulepolicy"
_KINDS: dict[str, type[Block]] = {
    f"{_AUTHORING}/destinations": Destination,
    f"{_AUTHORING}/destination-servers": DestinationServer,
    f"{_AUTHORING}/audience-templates": AudienceTemplate,
    f"{_AUTHORING}/credentials": Credentials,
}
#: Which block the body of a path's POST and PUT is.
BODIES: dict[str, type[Block]] = {
    **_KINDS,
    **{f"{path}/{{instance_id}}": block for path, block in _KINDS.items()},
    f"{_AUTHORING}/destinations/publish": Submission,
    f"{_AUTHORING}/destinations/publish/{{instance_id}}": Submission,
    f"{_AUTHORING}/destinations/publish/{{instance_id}}/withdraw": Reason,
    "/publishing/requests/{config_id}/reject": Reason,
    "/publishing/requests/{config_id}/withdraw": Reason,
    "/alerts/subscriptions": AlertSubscription,
    "/audiences": AudienceDefinition,
    "/audiences/preview": AudienceDefinition,
    "/audiences/{id}": AudienceDefinition,
    "/datasets": Dataset,
    "/ingest/erasures": ErasureRequest,
    "/governance/consent-policies": ConsentPolicy,
    "/governance/consent-policies/{id}": ConsentPolicy,
    "/datasets/{id}": Dataset,
    f"{_FLOWS}/connections": BaseConnection,
    f"{_FLOWS}/connectionSpecs/{{id}}/choices": ChoicesWanted,
    f"{_FLOWS}/connectionSpecs/{{id}}/schema": SchemaWanted,
    f"{_FLOWS}/sourceConnections": SourceConnection,
    f"{_FLOWS}/targetConnections": TargetConnection,
    f"{_FLOWS}/targetConnections/{{id}}/consent": Agreement,
    f"{_FLOWS}/flows/{{id}}/audiences/{{namespace}}/{{audience}}/adopt": Adoption,
    f"{_FLOWS}/flows": Flow,
    "/data/foundation/conversion/schemas": ConversionSchema,
    "/data/foundation/conversion/mappingSets": MappingSet,
    "/activations": Activation,
    "/activations/plan": Activation,
    "/access/organizations": NewOrganization,
    "/access/sandboxes": NewSandbox,
    "/access/users": NewUser,
    "/access/users/{id}": UserSettings,
    "/access/users/{id}/password": PasswordReset,
    "/access/clients": ClientSettings,
    "/access/clients/{id}": ClientSettings,
    "/access/sessions": SignIn,
    "/access/me/password": PasswordChange,
    "/data/core/idnamespace/identities": NamespaceDocument,
    "/data/core/idnamespace/identities/{id}": NamespaceDocument,
    "/namespace-order": NamespaceOrder,
    f"{_POLICIES}/labels/custom/{{name}}": UsageLabel,
    f"{_POLICIES}/marketingActions/custom/{{name}}": MarketingAction,
    f"{_POLICIES}/policies/custom": Policy,
    f"{_POLICIES}/policies/custom/{{id}}": Policy,
    f"{_POLICIES}/enabledCorePolicies": EnabledPolicies,
    "/governance/labels": LabelsPut,
    "/quotas/{id}": QuotaRequest,
}
_PATCH: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"op": {"type": "string"}, "path": {"type": "string"}, "value": {}},
        "required": ["op", "path"],
    },
    "description": "A JSON Patch (RFC 6902).",
}
_ENTITY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "entityType": {"const": "dataSet"},
        "entityId": {"type": "string"},
        "entityMeta": {"type": "object", "properties": {"fields": {"type": "array", "items": {"type": "string"}}}},
    },
    "required": ["entityType", "entityId"],
}
_ENTITIES: dict[str, Any] = {"type": "array", "items": _ENTITY, "description": "Datasets."}
_EVALUATION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "evalRef": {"type": "string", "description": "A reference to a marketing action."},
        "includeDraft": {"type": "boolean"},
        "labels": {"type": "array", "items": {"type": "string"}},
        "entityList": {"type": "array", "items": _ENTITY},
    },
    "required": ["evalRef"],
}
_CREDENTIALS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "grant_type": {"const": "client_credentials"},
        "client_id": {"type": "string"},
        "client_secret": {"type": "string"},
    },
    "required": ["grant_type", "client_id", "client_secret"],
}
_MEANT: dict[str, Any] = {
    "numbers": {"type": "array", "items": {"type": "integer"}, "description": "Those of these numbers."},
    "code": {"type": "string"},
    "audience": {
        "type": "object",
        "properties": {"id": {"type": "string"}, "namespace": {"type": "string", "default": "ups"}},
        "required": ["id"],
    },
    "profile": {"type": "string", "description": "The key that the list of parked changes shows."},
    "message": {"type": "string"},
    "from": {"type": "string", "format": "date-time"},
    "to": {"type": "string", "format": "date-time"},
    "all": {"const": True, "description": "In the place of conditions: everything that is parked."},
}
_REPLAYED: dict[str, Any] = {
    "type": "object",
    "properties": {**_MEANT, "resume": {"type": "boolean", "description": "A dataflow that is held goes on with it."}},
    "description": "Which parked changes are meant: those that meet every condition, or all.",
}
_DISCARDED: dict[str, Any] = {
    "type": "object",
    "properties": {**_MEANT, "reason": {"type": "string", "description": "Why; the audit keeps it."}},
    "required": ["reason"],
    "description": "Which parked changes are meant: those that meet every condition, or all.",
}
_SENT_DATASETS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "flowId": {"type": "string", "description": "The dataflow."},
        "datasets": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
        },
    },
    "required": ["flowId", "datasets"],
}
_EXPORTED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "activationInfo": {
            "type": "object",
            "properties": {"destinations": {"type": "array", "minItems": 1, "items": _SENT_DATASETS}},
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "minProperties": 1,
            "description": "The ids of audiences, by dataflow; with `version=3` the datasets, in `destinations`.",
        },
        "exportIds": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Needed without `version=2` in `Accept`; of no effect.",
        },
        "x-headrace": {
            "type": "object",
            "properties": {"all": {"const": True}},
            "description": "`all`: an empty list stands for all audiences whose dates are today.",
        },
    },
    "required": ["activationInfo"],
    "description": "Whose files, or which datasets, are written now.",
}
#: Bodies that are no blocks.
_OTHER_BODIES = {
    **{
        ("patch", f"{_FLOWS}/{noun}/{{id}}"): _PATCH
        for noun in ("flows", "connections", "sourceConnections", "targetConnections")
    },
    ("patch", f"{_POLICIES}/policies/custom/{{id}}"): _PATCH,
    **{("post", f"{_POLICIES}/marketingActions/{kind}/{{name}}/constraints"): _ENTITIES for kind in ("core", "custom")},
    ("post", f"{_POLICIES}/bulk-eval"): {"type": "array", "items": _EVALUATION, "description": "Evaluations."},
    ("post", "/ims/token/v3"): _CREDENTIALS,
    ("post", "/data/core/activation/disflowprovider/adhocrun"): _EXPORTED,
    ("post", "/dataflows/{id}/parked/replay"): _REPLAYED,
    ("post", "/dataflows/{id}/parked/discard"): _DISCARDED,
}
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API client's access token."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "A user's session; unsafe methods need the header `X-CSRF-Token` too.",
    },
}
_OPEN = Needs(is_signed_in=False)


def reference(app: FastAPI) -> dict[str, Any]:
    """Make the OpenAPI document of an application."""
    document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    references, needed = _add_schemas(document), needs_of(app)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            needs = needed.get((method.upper(), path)) or _OPEN
            if (schema := _body_of(method, path, references)) is not None:
                kind = "application/x-www-form-urlencoded" if schema is _CREDENTIALS else "application/json"
                operation["requestBody"] = {"required": True, "content": {kind: {"schema": schema}}}
            _describe_access(operation, needs)
            operation["responses"] = answers_of(method, path, operation, is_open=not needs.is_signed_in)
    return document


def _add_schemas(document: dict[str, Any]) -> dict[Any, Any]:
    """Put the schemas of blocks and answers into the document, and return how blocks are referred to."""
    blocks = sorted({*BODIES.values()}, key=lambda block: block.__name__)
    references, definitions = models_json_schema(
        [(block, "validation") for block in blocks], by_alias=True, ref_template="#/components/schemas/{model}"
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(definitions.get("$defs", {}))
    schemas.update(SCHEMAS)
    for name in ("HTTPValidationError", "ValidationError"):  # What the framework would answer; we do not.
        schemas.pop(name, None)
    components["securitySchemes"] = _SCHEMES
    return references


def _body_of(method: str, path: str, references: dict[Any, Any]) -> dict[str, Any] | None:
    if (method, path) in _OTHER_BODIES:
        return _OTHER_BODIES[method, path]
    if method not in ("post", "put") or path not in BODIES:
        return None
    schema: dict[str, Any] = references[BODIES[path], "validation"]
    return schema


def _describe_access(operation: dict[str, Any], needs: Needs) -> None:
    """Say what an operation needs: the permission, the ways of signing in, and the headers that go with them."""
    if needs.permission is not None:
        operation["x-headrace-permission"] = needs.permission
    if not needs.is_signed_in:
        return
    operation["security"] = [{scheme: []} for scheme in _SCHEMES]
    headers = [
        _header("x-api-key", "The client's id; a session needs none."),
        _header("x-gw-ims-org-id", "The organization; a session may leave it out."),
    ]
    if needs.in_sandbox:
        headers.append(_header("x-sandbox-name", "The sandbox."))
    operation.setdefault("parameters", []).extend(headers)


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": {"type": "string"}}
