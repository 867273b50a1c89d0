"""Who may do what: access tokens, organizations, sandboxes, users, API clients."""

import base64
import binascii
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote_plus

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse

from headrace.api.doors import Doors, Handed, JsonBody, allowed_in_organization, open_to_everybody, open_to_signed_in
from headrace.clock import iso
from headrace.errors import TooManyTries, Unauthorized
from headrace.services import access, clients, organizations, users
from headrace.services.access import FirstClient
from headrace.services.caller import Principal
from headrace.store.access import Organization, Tenant
from headrace.store.clients import Client
from headrace.store.users import User

router = APIRouter(tags=["access"])

Reader = Annotated[Principal, Depends(allowed_in_organization("access:read"))]
Admin = Annotated[Principal, Depends(allowed_in_organization("access:write"))]
Host = Annotated[Principal, Depends(allowed_in_organization("access:write", host=True))]
Anybody = Annotated[Principal, Depends(open_to_signed_in("Everybody may know who they are and what they may do."))]
IfMatch = Annotated[str | None, Header(description="The user's `etag`, in its quotes; without it, any version.")]
Object = dict[str, Any]
OURS = {"x-headrace": True}
_TOKEN = open_to_everybody("This is where API clients sign in.")


@router.post(
    "/ims/token/v3", summary="Exchange a client's credentials for an access token", dependencies=[Depends(_TOKEN)]
)
async def token(request: Request, handed: Handed) -> Response:
    form = {name: values[0] for name, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()}
    if form.get("grant_type") != "client_credentials":
        return _refused("unsupported_grant_type", "grant_type must be client_credentials", 400)
    basic = _basic(request.headers.get("authorization", ""))
    client_id, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
    try:
        issued = await access.issue_token(handed.store, handed.clock, client_id, secret)
    except Unauthorized as error:
        return _refused("invalid_client", error.message, 401)
    except TooManyTries as error:
        return _refused("slow_down", error.message, 429, {"Retry-After": str(error.seconds)})
    body = {"access_token": issued, "token_type": "bearer", "expires_in": access.TOKEN_LIFE - 1}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.get("/access/me", summary="Who am I, and what may I do here", openapi_extra=OURS)
async def me(
    principal: Anybody,
    handed: Handed,
    x_sandbox_name: Annotated[
        str | None, Header(description="Where; without it, what holds in every sandbox is told.")
    ] = None,
) -> Object:
    permissions = principal.grants.everywhere
    if x_sandbox_name is not None:
        permissions = (await access.admit(handed.store, principal, x_sandbox_name)).permissions
    return {
        "actor": principal.actor,
        "organization": _organization(principal.organization),
        "sandbox": x_sandbox_name,
        "permissions": sorted(permissions),
    }


@router.get("/access/organizations", summary="List the organizations: the host's see all", openapi_extra=OURS)
async def list_organizations(principal: Reader, handed: Handed) -> Object:
    return {"items": [_organization(item) for item in await organizations.listing(handed.store, principal)]}


@router.post(
    "/access/organizations",
    summary="Make an organization with its first sandbox and an admin client; the host alone may",
    status_code=201,
    openapi_extra=OURS,
)
async def create_organization(principal: Host, body: JsonBody, handed: Handed) -> Response:
    return _with_secret(_first(await organizations.create(handed.store, handed.clock, principal, body)), 201)


@router.get("/access/sandboxes", summary="List the sandboxes", openapi_extra=OURS)
async def list_sandboxes(principal: Reader, handed: Handed) -> Object:
    return {"items": [_sandbox(item) for item in await organizations.sandboxes(handed.store, principal)]}


@router.post("/access/sandboxes", summary="Make a sandbox", status_code=201, openapi_extra=OURS)
async def create_sandbox(principal: Admin, body: JsonBody, handed: Handed) -> Object:
    return _sandbox(await organizations.create_sandbox(handed.store, handed.clock, principal, body))


@router.get("/access/users", summary="List the users", openapi_extra=OURS)
async def list_users(principal: Reader, handed: Handed) -> Object:
    items, names = await users.listing(handed.store, principal), await _names(principal, handed)
    return {"items": [shown_user(item, names) for item in items]}


@router.post("/access/users", summary="Make a user", status_code=201, openapi_extra=OURS)
async def create_user(principal: Admin, body: JsonBody, handed: Handed) -> Response:
    user, password = await users.create(handed.store, handed.clock, handed.passwords, principal, body)
    shown = shown_user(user, await _names(principal, handed)) | _password(password)
    return _with_secret(shown, 201, users.etag(user))


@router.get("/access/users/{id}", summary="Read a user", openapi_extra=OURS)
async def read_user(id: str, principal: Reader, handed: Handed) -> Response:  # noqa: A002
    return await _user(await users.get(handed.store, principal, id), principal, handed)


@router.put("/access/users/{id}", summary="Replace a user's settings; disabling ends sessions", openapi_extra=OURS)
async def replace_user(
    id: str,  # noqa: A002
    principal: Admin,
    body: JsonBody,
    handed: Handed,
    if_match: IfMatch = None,
) -> Response:
    return await _user(
        await users.replace(handed.store, handed.clock, principal, id, body, if_match), principal, handed
    )


@router.delete("/access/users/{id}", summary="Delete a user", status_code=204, openapi_extra=OURS)
async def delete_user(id: str, principal: Admin, handed: Handed, if_match: IfMatch = None) -> Response:  # noqa: A002
    await users.delete(handed.store, handed.clock, principal, id, if_match)
    return Response(status_code=204)


@router.post(
    "/access/users/{id}/password", summary="Give a user another password; ends their sessions", openapi_extra=OURS
)
async def reset_password(id: str, principal: Admin, body: JsonBody, handed: Handed) -> Response:  # noqa: A002
    user, password = await users.reset_password(handed.store, handed.clock, handed.passwords, principal, id, body)
    shown = shown_user(user, await _names(principal, handed)) | _password(password)
    return _with_secret(shown, 200, users.etag(user))


@router.get("/access/clients", summary="List the API clients, also those that are revoked", openapi_extra=OURS)
async def list_clients(principal: Reader, handed: Handed) -> Object:
    items, names = await clients.listing(handed.store, principal), await _names(principal, handed)
    return {"items": [_client(item, names) for item in items]}


@router.post("/access/clients", summary="Make an API client", status_code=201, openapi_extra=OURS)
async def create_client(principal: Admin, body: JsonBody, handed: Handed) -> Response:
    client, secret = await clients.create(handed.store, handed.clock, principal, body)
    return _with_secret({**_client(client, await _names(principal, handed)), "clientSecret": secret}, 201)


@router.get("/access/clients/{id}", summary="Read an API client", openapi_extra=OURS)
async def read_client(id: str, principal: Reader, handed: Handed) -> Object:  # noqa: A002
    return _client(await clients.get(handed.store, principal, id), await _names(principal, handed))


@router.put("/access/clients/{id}", summary="Replace an API client's settings", openapi_extra=OURS)
async def replace_client(id: str, principal: Admin, body: JsonBody, handed: Handed) -> Object:  # noqa: A002
    changed = await clients.replace(handed.store, handed.clock, principal, id, body)
    return _client(changed, await _names(principal, handed))


@router.delete("/access/clients/{id}", summary="Revoke an API client", status_code=204, openapi_extra=OURS)
async def revoke_client(id: str, principal: Admin, handed: Handed) -> Response:  # noqa: A002
    await clients.revoke(handed.store, handed.clock, principal, id)
    return Response(status_code=204)


@router.post("/access/clients/{id}/secret", summary="Give an API client another secret", openapi_extra=OURS)
async def rotate_secret(id: str, principal: Admin, handed: Handed) -> Response:  # noqa: A002
    client, secret = await clients.rotate(handed.store, handed.clock, principal, id)
    return _with_secret({**_client(client, await _names(principal, handed)), "clientSecret": secret}, 200)


def shown_user(user: User, names: dict[int, str]) -> Object:
    """Return a user as the API shows them; ``names`` are those of the organization's sandboxes."""
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "roles": [{"role": role, "sandbox": names.get(tenant)} for tenant, role in user.roles],
        "disabled": user.disabled_at is not None,
        "createdAt": iso(user.created_at),
        "modifiedAt": iso(user.modified_at),
        "etag": users.etag(user),
    }


def _basic(authorization: str) -> tuple[str, str] | None:
    """Read a client's credentials from HTTP Basic, in which each half is encoded like a form's."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return unquote_plus(client_id), unquote_plus(secret)


def _refused(error: str, description: str, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": description}, status, headers)


def _with_secret(shown: Object, status: int, etag: str | None = None) -> JSONResponse:
    headers = {"Cache-Control": "no-store", **({"ETag": etag} if etag is not None else {})}
    return JSONResponse(shown, status, headers)


def _password(password: str | None) -> Object:
    return {} if password is None else {"password": password}


async def _names(principal: Principal, handed: Handed) -> dict[int, str]:
    return {item.tenant: item.sandbox for item in await organizations.sandboxes(handed.store, principal)}


async def _user(user: User, principal: Principal, handed: Doors) -> Response:
    shown = shown_user(user, await _names(principal, handed))
    return JSONResponse(shown, headers={"ETag": users.etag(user)})


def _organization(item: Organization) -> Object:
    return {"name": item.name, "isHost": item.is_host}


def _sandbox(item: Tenant) -> Object:
    return {"name": item.sandbox, "id": item.sandbox_id}


def _first(item: FirstClient) -> Object:
    client = {"clientId": item.client_id, "clientSecret": item.client_secret}
    return {"name": item.organization, "sandbox": item.sandbox, "client": client}


def _client(item: Client, names: dict[int, str]) -> Object:
    return {
        "clientId": item.client_id,
        "name": item.name or item.client_id,
        "permissions": list(item.permissions),
        "sandboxes": None if item.tenants is None else [names[tenant] for tenant in item.tenants],
        "createdAt": _moment(item.created_at),
        "createdBy": item.created_by,
        "expiresAt": _moment(item.expires_at),
        "lastUsedAt": _moment(item.last_used_at),
        "revokedAt": _moment(item.revoked_at),
    }


def _moment(at: int | None) -> str | None:
    return None if at is None else iso(at)
