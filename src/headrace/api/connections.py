"""The flow service's API: what can be connected, accounts, source and target connections."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from headrace.api.doors import Doors, Handed, JsonBody, allowed
from headrace.api.flows import FlowServiceRoute, IfMatch, Patch, patch_of
from headrace.api.listed import Filters, Listing, page_of
from headrace.clock import iso
from headrace.errors import NotFound, OperationError
from headrace.model.flow import DATA_LAKE_SPEC, PROFILE_STORE_SPEC, ChoicesWanted, SchemaWanted
from headrace.model.publishing import Agreement
from headrace.model.reading import read as read_block
from headrace.services import (
    accounts,
    connecting,
    declared,
    flow_specs,
    sealing,
    signing_secrets,
    sources,
    specs,
    targets,
    trying,
)
from headrace.services.accounts import ACCOUNT, SOURCE, TARGET
from headrace.services.caller import Caller
from headrace.services.catalog import Edition
from headrace.services.listing import MOST
from headrace.store.documents import Declared

router = APIRouter(prefix="/data/foundation/flowservice", tags=["activation"], route_class=FlowServiceRoute)

Reader = Annotated[Caller, Depends(allowed("activation:read", sandbox="prod"))]
Operator = Annotated[Caller, Depends(allowed("activation:write", sandbox="prod"))]
Object = dict[str, Any]
Fresh = Annotated[bool, Query(description="Ask the partner again, whatever it answered lately.")]
OURS = {"x-headrace": True}
Abandon = Annotated[
    bool,
    Query(
        description="Leave at the partner what is still to be deleted there, and keep no account of it.",
        json_schema_extra=OURS,
    ),
]


# -- what can be connected ----------------------------------------------------------------------------------------


@router.get("/connectionSpecs", summary="List the destinations that can be connected")
async def list_specs(caller: Reader, handed: Handed, asked: Filters) -> Object:
    found = await connecting.listing(handed.store, caller, _spec)
    return {"items": asked.kept([_profile_store(), _data_lake(), *found])}


@router.get("/connectionSpecs/{id}", summary="Read what connecting to a destination needs")
async def read_spec(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002 - the original's name
    if id == PROFILE_STORE_SPEC:
        return {"items": [_profile_store()]}
    if id == DATA_LAKE_SPEC:
        return {"items": [_data_lake()]}
    return {"items": [await connecting.read(handed.store, caller, id, _spec)]}


@router.get("/flowSpecs", summary="List the kinds of dataflows")
async def list_flow_specs(caller: Reader, handed: Handed, asked: Filters) -> Object:
    return {"items": asked.kept(await flow_specs.kinds(handed.store, caller))}


@router.get("/flowSpecs/{id}", summary="Read a kind of dataflow")
async def read_flow_spec(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    kinds = await flow_specs.kinds(handed.store, caller)
    found = [kind for kind in kinds if kind["id"] == id]
    if not found:
        known = ", ".join(f"{kind['id']} ({kind['name']})" for kind in kinds)
        raise NotFound(f"there is no flow spec {id!r}; these are: {known}")
    return {"items": found}


@router.get("/connectionSpecs/{id}/configs", summary="List the datasets that can be sent")
async def eligible_datasets(
    id: str,  # noqa: A002
    caller: Reader,
    handed: Handed,
    output_type: Annotated[
        Literal["activationDatasets"], Query(alias="outputType", description="What is listed: `activationDatasets`.")
    ],
    output_field: Annotated[
        Literal["datasets"], Query(alias="outputField", description="As what it is listed: `datasets`.")
    ],
    start: Annotated[int, Query(ge=0, lt=1 << 31, description="How many to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST, description="The most to list.")] = 20,
    properties: Annotated[str, Query(description="The members to show, with commas between; without it, all.")] = "",
) -> Object:
    if id != DATA_LAKE_SPEC:
        await connecting.read(handed.store, caller, id, _spec)  # There is one of this id, and it has no datasets.
    found = await handed.datasets.listing(caller) if id == DATA_LAKE_SPEC else []
    wanted = {name.strip() for name in properties.split(",") if name.strip()}
    shown = [_eligible(item, wanted) for item, snapshot in found if snapshot is not None]
    items, end = shown[start : start + limit], min(start + limit, len(shown))
    page = {"start": start, "end": max(start, end), "total": len(shown), "hasNext": end < len(shown)}
    return {"items": items, "pageInfo": page}


@router.post("/connectionSpecs/{id}/choices", summary="Look up at the partner what a field can be", openapi_extra=OURS)
async def choices(
    id: str,  # noqa: A002
    caller: Operator,
    body: JsonBody,
    handed: Handed,
    fresh: Fresh = False,
) -> Object:
    asked, _ = read_block(ChoicesWanted, body)
    return {"items": await connecting.choices(handed.store, handed.lookups, caller, id, asked, fresh=fresh)}


@router.post(
    "/connectionSpecs/{id}/schema", summary="Look up at the partner which attributes it takes", openapi_extra=OURS
)
async def schema(
    id: str,  # noqa: A002
    caller: Operator,
    body: JsonBody,
    handed: Handed,
    fresh: Fresh = False,
) -> Object:
    asked, _ = read_block(SchemaWanted, body)
    return await connecting.schema(handed.store, handed.lookups, caller, id, asked, fresh=fresh)


# -- accounts -----------------------------------------------------------------------------------------------------


@router.post("/connections", summary="Create an account", status_code=201)
async def create_account(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    item = await accounts.create_account(
        handed.store,
        handed.clock,
        handed.keyring,
        caller,
        body,
        password_grant=handed.settings.allow_password_grant,
        trials=handed.trials,
    )
    return _versioned(item)


@router.get("/connections", summary="List the accounts, newest first")
async def list_accounts(caller: Reader, handed: Handed, asked: Listing) -> Object:
    items = await declared.listing(handed.store, caller, ACCOUNT)
    told = await accounts.sign_ins(handed.store, caller, items)
    shown = [_account(item, accounts.listed(handed.keyring, caller, item), told) for item in items]
    return page_of("/connections", shown, asked)


@router.get("/connections/{id}", summary="Read an account; its credentials are masked")
async def read_account(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    item = await declared.read(handed.store, caller, ACCOUNT, id)
    told = await accounts.sign_ins(handed.store, caller, [item])
    return {"items": [_account(item, accounts.shown(handed.keyring, caller, item), told)]}


@router.patch("/connections/{id}", summary="Change an account by JSON Patch; `/auth/params` replaces its credentials")
async def patch_account(
    id: str,  # noqa: A002
    caller: Operator,
    patch: Annotated[Patch, Depends(patch_of("account"))],
    handed: Handed,
) -> Object:
    item = await accounts.change_account(
        handed.store, handed.clock, handed.keyring, caller, id, *patch, trials=handed.trials
    )
    handed.tokens.forget(caller.tenant, id)
    await handed.wake(caller.number)
    return _versioned(item)


@router.delete("/connections/{id}", summary="Delete an account and its credentials", status_code=204)
async def delete_account(id: str, caller: Operator, handed: Handed, if_match: IfMatch = None) -> Response:  # noqa: A002
    await handed.revoking.delete(caller, id, if_match)
    handed.runs.wake()
    return Response(status_code=204)


@router.post("/connections/{id}/test", summary="Try an account: sign in at the partner for real", openapi_extra=OURS)
async def try_account(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    means = (handed.store, handed.partners, handed.lookups, handed.call_limit)
    trial = await trying.try_account(*means, caller, id, handed.trials)
    return trial.as_json()


@router.get("/connections/{id}/test", summary="Try an account, as the original's clients ask for it")
async def try_account_too(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    return await try_account(id, caller, handed)


# -- source connections -------------------------------------------------------------------------------------------


@router.post("/sourceConnections", summary="Create a source connection", status_code=201)
async def create_source(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    return _versioned(await sources.create_source(handed.store, handed.clock, caller, body))


@router.get("/sourceConnections", summary="List the source connections, newest first")
async def list_sources(caller: Reader, handed: Handed, asked: Listing) -> Object:
    items = await declared.listing(handed.store, caller, SOURCE)
    return page_of("/sourceConnections", [_object(item, item.document) for item in items], asked)


@router.get("/sourceConnections/{id}", summary="Read a source connection")
async def read_source(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    item = await declared.read(handed.store, caller, SOURCE, id)
    return {"items": [_object(item, item.document)]}


@router.patch("/sourceConnections/{id}", summary="Change a source connection by JSON Patch")
async def patch_source(
    id: str,  # noqa: A002
    caller: Operator,
    patch: Annotated[Patch, Depends(patch_of("source connection"))],
    handed: Handed,
) -> Object:
    return _versioned(await sources.change_source(handed.store, handed.clock, caller, id, *patch))


@router.delete("/sourceConnections/{id}", summary="Delete a source connection", status_code=202)
async def delete_source(id: str, caller: Operator, handed: Handed, if_match: IfMatch = None) -> Response:  # noqa: A002
    await sources.delete_source(handed.store, handed.clock, caller, id, if_match)
    return Response(status_code=202)


# -- target connections -------------------------------------------------------------------------------------------


@router.post("/targetConnections", summary="Create a target connection", status_code=201)
async def create_target(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    return _versioned(
        await targets.create_target(
            handed.store,
            handed.clock,
            handed.keyring,
            caller,
            body,
            handed.lookups,
            most=handed.settings.most_destinations,
            trials=handed.trials,
        )
    )


@router.get("/targetConnections", summary="List the target connections, newest first")
async def list_targets(caller: Reader, handed: Handed, asked: Listing) -> Object:
    items = {item.id: item for item in await declared.listing(handed.store, caller, TARGET)}
    plain = [_object(item, sealing.without_sealed(item.document)) for item in items.values()]
    page = page_of("/targetConnections", plain, asked)
    if "items" in page:
        page["items"] = [await _listed_target(handed, caller, items[shown["id"]]) for shown in page["items"]]
    return page


@router.get("/targetConnections/{id}", summary="Read a target connection")
async def read_target(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    return {"items": [await _target(handed, caller, await declared.read(handed.store, caller, TARGET, id))]}


@router.patch("/targetConnections/{id}", summary="Change a target connection by JSON Patch")
async def patch_target(
    id: str,  # noqa: A002
    caller: Operator,
    patch: Annotated[Patch, Depends(patch_of("target connection"))],
    handed: Handed,
) -> Object:
    stores = (handed.store, handed.clock, handed.keyring)
    item = await targets.change_target(*stores, caller, id, *patch, handed.lookups, trials=handed.trials)
    await handed.wake(caller.number)
    return _versioned(item)


@router.delete("/targetConnections/{id}", summary="Delete a target connection and its secrets", status_code=202)
async def delete_target(
    id: str,  # noqa: A002
    caller: Operator,
    handed: Handed,
    if_match: IfMatch = None,
    abandon: Abandon = False,
) -> Response:
    await targets.delete_target(handed.store, handed.clock, caller, id, if_match, abandon=abandon)
    return Response(status_code=202)


@router.post(
    "/targetConnections/{id}/test", summary="Try whether files can be written to the storage", openapi_extra=OURS
)
async def try_target(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    trial = await trying.try_target(handed.store, handed.call_limit, caller, id, handed.trials)
    return trial.as_json()


@router.post(
    "/targetConnections/{id}/consent",
    summary="Agree to the newest version of the destination, and use it",
    openapi_extra=OURS,
)
async def consent(id: str, caller: Operator, body: JsonBody, handed: Handed) -> Object:  # noqa: A002
    agreement, _ = read_block(Agreement, body)
    item = await targets.consent(handed.store, handed.clock, caller, id, agreement.config_id)
    await handed.wake(caller.number)
    return _versioned(item)


async def _target(handed: Doors, caller: Caller, item: Declared) -> Object:
    return _object(item, await targets.shown_target(handed.store, handed.keyring, caller, item))


async def _listed_target(handed: Doors, caller: Caller, item: Declared) -> Object:
    """Return a target connection for a list, in which one whose key cannot be had says so and hides no other."""
    try:
        return await _target(handed, caller, item)
    except OperationError as error:
        document = sealing.without_sealed(item.document)
        added = {**document.get("x-headrace", {}), "error": sealing.fault(error)}
        return _object(item, {**document, "x-headrace": added})


def _versioned(item: Declared) -> Object:
    return {"id": item.id, "etag": declared.etag(item)}


def _account(item: Declared, document: Object, told: dict[str, Object]) -> Object:
    """Return an account with how it is signed in."""
    shown = _object(item, document)
    if item.id not in told:
        return shown
    sign_in = {**told[item.id]}
    if "since" in sign_in:
        sign_in["since"] = iso(sign_in["since"])
    return {**shown, "x-headrace": {**shown.get("x-headrace", {}), "signIn": sign_in}}


def _object(item: Declared, document: Object) -> Object:
    return {
        "id": item.id,
        "createdAt": item.created_at,
        "updatedAt": item.modified_at,
        **document,
        "version": "1.0",
        "etag": declared.etag(item),
    }


def _eligible(item: Declared, wanted: set[str]) -> Object:
    """Return a dataset as the original lists it; ``id`` is always there."""
    members = {
        "id": item.id,
        "name": item.document["name"],
        "description": item.document.get("description"),
        "state": "ENABLED",
        "created": item.created_at,
        "updated": item.modified_at,
    }
    return {name: value for name, value in members.items() if not wanted or name == "id" or name in wanted}


def _profile_store() -> Object:
    return {"id": PROFILE_STORE_SPEC, "name": "profileStore", "version": "1.0", "providerId": "headrace"}


def _data_lake() -> Object:
    return {"id": DATA_LAKE_SPEC, "name": "activation-datalake", "version": "1.0", "providerId": "headrace"}


def _spec(edition: Edition) -> Object:
    """
    Return a destination as a connection spec: how to sign in, and the form, as JSON Schemas.

    Of what the author declared, it tells where people are sent and what of them, and nothing else.
    """
    destination, shown = edition.destination, edition.disclosure
    encryption = specs.encryption_specs(destination)
    return {
        "id": edition.id,
        "name": destination.name,
        "version": "1.0",
        "providerId": "headrace",
        "authSpec": specs.auth_specs(destination),
        **({"encryptionSpecs": encryption} if encryption else {}),
        "targetSpec": {
            "spec": specs.form_spec(destination.customer_data_fields),
            "attributes": {"partnerSchema": {"jsonSchema": specs.partner_schema(destination.schema_config)}},
        },
        "x-headrace": {
            "configId": edition.config_id,
            "version": edition.version,
            "origins": [*shown.origins],
            "fields": [*shown.fields],
            **({"signing": scheme} if (scheme := signing_secrets.scheme_of(edition.server)) is not None else {}),
        },
    }
