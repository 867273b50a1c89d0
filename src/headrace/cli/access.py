"""``headrace access``: users, API clients, sandboxes and the audit of the server that runs on this machine."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from headrace.cli.client import signed_in
from headrace.cli.options import DATA, AsJson, DataDir
from headrace.cli.tables import Row, member, minute, show_all, show_one
from headrace.errors import RequestError
from headrace.model.roles import PERMISSIONS, ROLES

app = typer.Typer(name="access", help="Say who may do what: users, API clients, sandboxes.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="The e-mail address.", show_default=False)]
ClientId = Annotated[str, typer.Argument(help="The client's id.", show_default=False)]
Sandboxes = Annotated[
    list[str] | None, typer.Option("--sandbox", help="A sandbox, once for each; without it, all.", show_default=False)
]
_ROLES, _PERMISSIONS = ", ".join(ROLES), ", ".join(PERMISSIONS)


@app.command()
def users(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """List the users."""
    with signed_in(data_dir) as client:
        show_all(client.get("/access/users")["items"], _USER, as_json=as_json)


@app.command("user-add")
def user_add(
    email: Email,
    role: Annotated[list[str], typer.Option("--role", help=f"A role, once for each: {_ROLES}.", show_default=False)],
    name: Annotated[str, typer.Option(help="Their name.", show_default="what stands before the @")] = "",
    sandbox: Sandboxes = None,
    one_time: Annotated[
        bool, typer.Option("--one-time", help="Print a password that is made here, instead of asking for one.")
    ] = False,
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """
    Make a user. Asks for their password without showing it; where nobody types, it is the first line of the input.

    headrace access user-add ana@example.com --role author --one-time
    """
    places: tuple[str | None, ...] = tuple(sandbox) if sandbox else (None,)
    given = [{"role": one, "sandbox": where} for one in role for where in places]
    document: Row = {"email": email, "name": name or email.partition("@")[0], "roles": given}
    if not one_time:
        document["password"] = _ask_password()
    with signed_in(data_dir) as client:
        show_one(client.post("/access/users", document), _USER | _PASSWORD, as_json=as_json)


@app.command("user-disable")
def user_disable(email: Email, data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """Keep a user from signing in, and end what they do now."""
    with signed_in(data_dir) as client:
        found = (user for user in client.get("/access/users")["items"] if user["email"] == email.casefold())
        user = next(found, None)
        if user is None:
            raise RequestError(f"there is no user {email!r}; `headrace access users` lists them")
        body = json.dumps({**user, "disabled": True}).encode()
        path, extra = f"/access/users/{user['id']}", {"If-Match": user["etag"]}
        show_one(client.send("PUT", path, body, extra=extra), _USER, as_json=as_json)


@app.command()
def clients(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """List the API clients, also those that are revoked."""
    with signed_in(data_dir) as client:
        show_all(client.get("/access/clients")["items"], _CLIENT, as_json=as_json)


@app.command("client-add")
def client_add(
    name: Annotated[str, typer.Argument(help="What it is for.", show_default=False)],
    role: Annotated[
        str | None, typer.Option(help=f"A role, whose permissions it gets: {_ROLES}.", show_default=False)
    ] = None,
    permission: Annotated[
        list[str] | None,
        typer.Option("--permission", help=f"A permission, once for each: {_PERMISSIONS}.", show_default=False),
    ] = None,
    sandbox: Sandboxes = None,
    expires: Annotated[
        datetime | None,
        typer.Option(help="When it ends: a date, or a moment in UTC.", show_default="never"),
    ] = None,
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """
    Make an API client and print its secret, this once.

    headrace access client-add "nightly load" --permission profiles:write --sandbox prod --expires 2027-12-31
    """
    ends = None if expires is None else expires.replace(tzinfo=UTC).isoformat()
    rights = {"role": role, "permissions": permission or None, "sandboxes": sandbox or None, "expiresAt": ends}
    with signed_in(data_dir) as client:
        made = client.post("/access/clients", {"name": name, **rights})
        show_one(made, _CLIENT | _SECRET, as_json=as_json)


@app.command("client-rotate")
def client_rotate(id_: ClientId, data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """
    Give an API client another secret and print it; the old one and its tokens end at once.

    If it is the client that these commands sign in with, its new secret is written to credentials.json.
    """
    with signed_in(data_dir) as client:
        rotated = client.send("POST", f"/access/clients/{id_}/secret")
    _keep_secret(data_dir / "credentials.json", rotated)
    show_one(rotated, _CLIENT | _SECRET, as_json=as_json)


@app.command("client-revoke")
def client_revoke(id_: ClientId, data_dir: DataDir = DATA) -> None:
    """End an API client and its tokens, for good."""
    with signed_in(data_dir) as client:
        client.send("DELETE", f"/access/clients/{id_}")


@app.command()
def sandboxes(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """List the sandboxes."""
    with signed_in(data_dir) as client:
        show_all(client.get("/access/sandboxes")["items"], _SANDBOX, as_json=as_json)


@app.command("sandbox-add")
def sandbox_add(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.", show_default=False)],
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """Make a sandbox."""
    with signed_in(data_dir) as client:
        show_one(client.post("/access/sandboxes", {"name": name}), _SANDBOX, as_json=as_json)


@app.command()
def audit(
    sandbox: Annotated[str, typer.Option(help="List what was changed in this sandbox alone.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The most to list.")] = 50,
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """List who changed what, newest first."""
    query = urlencode({"limit": limit, **({"sandbox": sandbox} if sandbox else {})})
    with signed_in(data_dir) as client:
        show_all(client.get(f"/audit?{query}")["items"], _ENTRY, as_json=as_json)


def _ask_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _keep_secret(path: Path, rotated: Row) -> None:
    """Write a client's new secret where the old one stood, if it is ours."""
    kept = json.loads(path.read_text())
    if kept["client_id"] != rotated["clientId"]:
        return
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(json.dumps(kept | {"client_secret": rotated["clientSecret"]}, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _roles(user: Row) -> str:
    return ", ".join(f"{given['role']} in {given['sandbox'] or 'all'}" for given in user["roles"])


def _state(client: Row) -> str:
    if client["revokedAt"] is not None:
        return f"revoked {minute(client['revokedAt'])}"
    return f"until {minute(client['expiresAt'])}" if client["expiresAt"] is not None else "good"


#: What a table shows of each noun: the column's title, and what stands in it.
_USER = {
    "e-mail": member("email"),
    "name": member("name"),
    "roles": _roles,
    "state": lambda user: "disabled" if user["disabled"] else "good",
}
_PASSWORD = {"password, shown this once": member("password")}
_CLIENT = {
    "client id": member("clientId"),
    "name": member("name"),
    "permissions": lambda client: ", ".join(client["permissions"]),
    "sandboxes": lambda client: "all" if client["sandboxes"] is None else ", ".join(client["sandboxes"]),
    "state": _state,
    "last used": lambda client: minute(client["lastUsedAt"]),
}
_SECRET = {"secret, shown this once": member("clientSecret")}
_SANDBOX = {"name": member("name"), "id": member("id")}
_ENTRY = {
    "entry": member("entry"),
    "at": lambda entry: minute(entry["at"]),
    "sandbox": member("sandbox"),
    "who": member("actor"),
    "did": member("action"),
    "to": lambda entry: f"{entry['noun']} {entry['id']}",
    "details": lambda entry: "" if entry["details"] is None else json.dumps(entry["details"]),
}
