"""The OpenAPI document: what the routes say of themselves, and the blocks that their bodies are."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from headrace.model.block import Block
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.flow import BaseConnection, Flow, SourceConnection, TargetConnection

#: Which block the body of a path's POST and PUT is.
BODIES: dict[str, type[Block]] = {
    "/data/core/activation/authoring/destination-servers": DestinationServer,
    "/data/core/activation/authoring/destinations": Destination,
    "/data/foundation/flowservice/connections": BaseConnection,
    "/data/foundation/flowservice/sourceConnections": SourceConnection,
    "/data/foundation/flowservice/targetConnections": TargetConnection,
    "/data/foundation/flowservice/flows": Flow,
}
_HEADERS = ("x-api-key", "x-gw-ims-org-id", "x-sandbox-name")
_OPEN = ("/ims/token/v3", "/healthz", "/metrics")


def reference(app: FastAPI) -> dict[str, Any]:
    """Make the OpenAPI document of an application."""
    document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    blocks = sorted({*BODIES.values()}, key=lambda block: block.__name__)
    references, definitions = models_json_schema(
        [(block, "validation") for block in blocks], by_alias=True, ref_template="#/components/schemas/{model}"
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(definitions.get("$defs", {}))
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        block = BODIES.get(path.split("/{")[0])
        for method, operation in operations.items():
            if block is not None and method in ("post", "put") and not path.endswith("/action"):
                content = {"application/json": {"schema": references[block, "validation"]}}
                operation["requestBody"] = {"required": True, "content": content}
            if path not in _OPEN:
                operation["security"] = [{"bearer": []}]
                operation.setdefault("parameters", []).extend(_header(name) for name in _HEADERS)
    return document


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": name != "x-sandbox-name", "schema": {"type": "string"}}
