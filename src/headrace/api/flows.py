"""The flow service's API: accounts, connections and dataflows, as the original's clients know it."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from headrace.api.doors import Doors, JsonBody, allowed, doors
from headrace.errors import HeadraceError, NotFound, RequestError, StaleVersion
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.publishing import Agreement
from headrace.model.reading import read as read_block
from headrace.services import accounts, activation, connecting, declared
from headrace.services.accounts import ACCOUNT, SOURCE, TARGET
from headrace.services.at_partner import operating
from headrace.services.caller import Caller
from headrace.services.catalog import Edition
from headrace.services.moving import Held
from headrace.store.dataflows import StoredDataflow
from headrace.store.documents import Declared


class FlowServiceRoute(APIRoute):
    """A route that answers an unknown id and a stale version in the flow service's own shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except NotFound as error:
                return _refused(404, "Not found.", error)
            except StaleVersion as error:
                return _refused(412, "The version does not match.", error)

        return answer


router = APIRouter(prefix="/data/foundation/flowservice", tags=["activation"], route_class=FlowServiceRoute)

Handed = Annotated[Doors, Depends(doors)]
Reader = Annotated[Caller, Depends(allowed("activation:read", sandbox="prod"))]
Operator = Annotated[Caller, Depends(allowed("activation:write", sandbox="prod"))]
Object = dict[str, Any]


@router.get("/connectionSpecs", summary="List the destinations that can be connected")
async def list_specs(caller: Reader, handed: Handed) -> Object:
    return {"items": [_profile_store(), *(await connecting.listing(handed.store, caller, _spec))]}


@router.get("/connectionSpecs/{id}", summary="Read what connecting to a destination needs")
async def read_spec(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002 - the original's name
    if id == PROFILE_STORE_SPEC:
        return {"items": [_profile_store()]}
    return {"items": [await connecting.read(handed.store, caller, id, _spec)]}


@router.post("/connections", summary="Create an account", status_code=201)
async def create_account(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    return _created(await accounts.create_account(handed.store, handed.clock, handed.keyring, caller, body))


@router.get("/connections", summary="List the accounts")
async def list_accounts(caller: Reader, handed: Handed) -> Object:
    items = await declared.listing(handed.store, caller, ACCOUNT)
    return {"items": [_object(item, accounts.shown(handed.keyring, caller, item)) for item in items]}


@router.get("/connections/{id}", summary="Read an account; its credentials are masked")
async def read_account(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    item = await declared.read(handed.store, caller, ACCOUNT, id)
    return {"items": [_object(item, accounts.shown(handed.keyring, caller, item))]}


@router.post("/sourceConnections", summary="Create a source connection", status_code=201)
async def create_source(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    return _created(await accounts.create_source(handed.store, handed.clock, caller, body))


@router.get("/sourceConnections", summary="List the source connections")
async def list_sources(caller: Reader, handed: Handed) -> Object:
    return {"items": [_object(item, item.document) for item in await declared.listing(handed.store, caller, SOURCE)]}


@router.get("/sourceConnections/{id}", summary="Read a source connection")
async def read_source(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    item = await declared.read(handed.store, caller, SOURCE, id)
    return {"items": [_object(item, item.document)]}


@router.post("/targetConnections", summary="Create a target connection", status_code=201)
async def create_target(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    return _created(await accounts.create_target(handed.store, handed.clock, handed.keyring, caller, body))


@router.get("/targetConnections", summary="List the target connections")
async def list_targets(caller: Reader, handed: Handed) -> Object:
    items = await declared.listing(handed.store, caller, TARGET)
    documents = [await accounts.shown_target(handed.store, handed.keyring, caller, item) for item in items]
    return {"items": [_object(item, document) for item, document in zip(items, documents, strict=True)]}


@router.get("/targetConnections/{id}", summary="Read a target connection")
async def read_target(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    item = await declared.read(handed.store, caller, TARGET, id)
    return {"items": [_object(item, await accounts.shown_target(handed.store, handed.keyring, caller, item))]}


@router.post(
    "/targetConnections/{id}/consent",
    summary="Agree to the newest version of the destination, and use it",
    openapi_extra={"x-headrace": True},
)
async def consent(id: str, caller: Operator, body: JsonBody, handed: Handed) -> Object:  # noqa: A002
    agreement, _ = read_block(Agreement, body)
    item = await accounts.consent(handed.store, handed.clock, caller, id, agreement.config_id)
    await handed.wake(caller.number)
    return {"id": item.id, "etag": declared.etag(item)}


@router.post("/flows", summary="Create a dataflow", status_code=201)
async def create_flow(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    stored = await activation.create(handed.store, handed.clock, caller, body)
    await handed.wake(caller.number)
    return {"id": stored.id, "etag": activation.etag(stored)}


@router.get("/flows", summary="List the dataflows, newest first")
async def list_flows(
    caller: Reader, handed: Handed, limit: Annotated[int, Query(ge=1, le=100, description="The most to list.")] = 100
) -> Object:
    items = (await activation.listing(handed.store, caller))[:limit]
    held = await connecting.held_back(handed.store, caller, items)
    shown = await operating.shown(handed.store, caller, items)
    return {"items": [_flow(item, caller, held.get(item.id), shown.get(item.id)) for item in items]}


@router.get("/flows/{id}", summary="Read a dataflow")
async def read_flow(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    item = await activation.get(handed.store, caller, id)
    held = await connecting.held_back(handed.store, caller, [item])
    shown = await operating.shown(handed.store, caller, [item])
    return {"items": [_flow(item, caller, held.get(item.id), shown.get(item.id))]}


@router.patch("/flows/{id}", summary="Change a dataflow by JSON Patch")
async def patch_flow(
    id: str,  # noqa: A002
    caller: Operator,
    body: JsonBody,
    handed: Handed,
    if_match: Annotated[str | None, Header(description="The dataflow's `etag`, in its quotes.")] = None,
) -> Object:
    if not isinstance(body, list) or not all(isinstance(operation, dict) for operation in body):
        raise ConfigurationError([Problem("patch", "", "a JSON Patch is an array of operations")])
    if if_match is None:
        raise RequestError("`If-Match` with the dataflow's etag is needed to change it")
    stored = await activation.patch(handed.store, handed.clock, caller, id, if_match, body)
    await handed.wake(caller.number)
    return {"id": stored.id, "etag": activation.etag(stored)}


@router.post("/flows/{id}/action", summary="Enable or disable a dataflow")
async def act_on_flow(
    id: str,  # noqa: A002
    caller: Operator,
    handed: Handed,
    op: Annotated[str, Query(pattern="^(enable|disable)$", description="`enable` or `disable`.")],
) -> Object:
    stored = await activation.switch(handed.store, handed.clock, caller, id, on=op == "enable")
    await handed.wake(caller.number)
    return {"id": stored.id, "etag": activation.etag(stored)}


@router.delete("/flows/{id}", summary="Delete a dataflow; what waited is withheld", status_code=202)
async def delete_flow(id: str, caller: Operator, handed: Handed) -> Response:  # noqa: A002
    await activation.delete(handed.store, handed.clock, caller, id)
    return Response(status_code=202)


def _refused(status: int, message: str, error: HeadraceError) -> JSONResponse:
    return JSONResponse({"errorMessage": message, "errorDetails": error.message}, status)


def _created(item: Declared) -> Object:
    return {"id": item.id, "etag": declared.etag(item)}


def _object(item: Declared, document: Object) -> Object:
    return {
        "id": item.id,
        "createdAt": item.created_at,
        "updatedAt": item.modified_at,
        **document,
        "version": "1.0",
        "etag": declared.etag(item),
    }


def _flow(stored: StoredDataflow, caller: Caller, held: Held | None, at_partner: Object | None) -> Object:
    added: Object = {"reason": stored.reason} if stored.reason else {}
    added |= at_partner or {}
    added |= {"consentRequired": accounts.told(held)} if held is not None else {}
    extra = {"x-headrace": added} if added else {}
    return {
        "id": stored.id,
        "createdAt": stored.created_at,
        "updatedAt": stored.modified_at,
        "sandboxId": caller.tenant.sandbox_id,
        "sandboxName": caller.tenant.sandbox,
        "imsOrgId": caller.tenant.organization,
        **stored.document,
        "version": "1.0",
        "state": "enabled" if stored.state == "enabled" else "disabled",
        "etag": activation.etag(stored),
        **extra,
    }


def _profile_store() -> Object:
    return {"id": PROFILE_STORE_SPEC, "name": "profileStore", "version": "1.0", "providerId": "headrace"}


def _spec(edition: Edition) -> Object:
    """
    Return a destination as a connection spec: how to sign in, and the customer data as a JSON Schema.

    Of what the author declared, it tells where people are sent and what of them, and nothing else.
    """
    document, shown = edition.document, edition.disclosure
    fields = document.get("customerDataFields", [])
    return {
        "id": edition.id,
        "name": document["name"],
        "version": "1.0",
        "providerId": "headrace",
        "authSpec": [
            {"name": entry["authType"], "type": entry["authType"]}
            for entry in document.get("customerAuthenticationConfigurations", [])
        ],
        "targetSpec": {
            "spec": {
                "type": "object",
                "properties": {field["name"]: _property(field) for field in fields},
                "required": [field["name"] for field in fields if field.get("isRequired")],
            }
        },
        "x-headrace": {
            "configId": edition.config_id,
            "version": edition.version,
            "origins": [*shown.origins],
            "fields": [*shown.fields],
        },
    }


def _property(field: Object) -> Object:
    copied = ("type", "title", "description", "enum", "pattern", "default")
    return {name: field[name] for name in copied if field.get(name) is not None}
