"""The OpenAPI document: what the routes say of themselves, and the blocks that their bodies are."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

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
from headrace.model.block import Block
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.flow import BaseConnection, Flow, SourceConnection, TargetConnection

#: Which block the body of a path's POST and PUT is; that of one object is its collection's, unless it is named.
BODIES: dict[str, type[Block]] = {
    "/data/core/activation/authoring/destination-servers": DestinationServer,
    "/data/core/activation/authoring/destinations": Destination,
    "/data/foundation/flowservice/connections": BaseConnection,
    "/data/foundation/flowservice/sourceConnections": SourceConnection,
    "/data/foundation/flowservice/targetConnections": TargetConnection,
    "/data/foundation/flowservice/flows": Flow,
    "/access/organizations": NewOrganization,
    "/access/sandboxes": NewSandbox,
    "/access/users": NewUser,
    "/access/users/{id}": UserSettings,
    "/access/users/{id}/password": PasswordReset,
    "/access/clients": ClientSettings,
    "/access/sessions": SignIn,
    "/access/me/password": PasswordChange,
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
    blocks = sorted({*BODIES.values()}, key=lambda block: block.__name__)
    references, definitions = models_json_schema(
        [(block, "validation") for block in blocks], by_alias=True, ref_template="#/components/schemas/{model}"
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(definitions.get("$defs", {}))
    components["securitySchemes"] = _SCHEMES
    needs = needs_of(app)
    for path, operations in document["paths"].items():
        block = _body_of(path)
        for method, operation in operations.items():
            if block is not None and method in ("post", "put"):
                content = {"application/json": {"schema": references[block, "validation"]}}
                operation["requestBody"] = {"required": True, "content": content}
            _describe_access(operation, needs.get((method.upper(), path)) or _OPEN)
    return document


def _body_of(path: str) -> type[Block] | None:
    collection, _, rest = path.partition("/{")
    return BODIES.get(path) or (None if "/" in rest else BODIES.get(collection))


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
