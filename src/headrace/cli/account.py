"""``headrace account``: accounts at partners: list them, make one, sign it in, try whether it works."""

import json
import sys
import time
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from headrace.cli.client import FLOWS, Client, signed_in
from headrace.cli.options import DATA, LOOK, AsJson, DataDir
from headrace.cli.printing import say, tell
from headrace.cli.tables import Row, member, minute, show_all
from headrace.errors import RequestError

app = typer.Typer(
    name="account", help="Accounts at partners: list them, make one, sign it in, try it.", no_args_is_help=True
)


@app.command("list")
def list_(
    destination: Annotated[str, typer.Option(help="List those of one destination alone, by its id.")] = "",
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """List the accounts, newest first."""
    wanted = {"property": f"connectionSpec.id=={destination}"} if destination else {}
    with signed_in(data_dir) as client:
        items = [*client.items(f"{FLOWS}/connections", wanted)]
    show_all(items, _ACCOUNT, as_json=as_json)


@app.command()
def create(
    file: Annotated[
        Path | None, typer.Argument(help="The account as JSON, as the API takes it.", show_default=False)
    ] = None,
    destination: Annotated[str, typer.Option(help="The destination's id, where there is no file.")] = "",
    name: Annotated[str, typer.Option(help="The account's name; without it, the destination's.")] = "",
    way: Annotated[
        str, typer.Option("--with", help="How to sign in, where the destination has several ways: BEARER.")
    ] = "",
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """
    Make an account and print its id. Without a file, asks for what the destination wants, secrets without showing them.

    Where nobody types, the answers are the lines of the input, in the order of the form.

    headrace account create --destination 3e0d6c39-f47b-4c16-8b5d-1d6cf4d5c0b4
    """
    if (file is None) == (not destination):
        raise RequestError(
            "give either a file, or --destination with the id of one; `headrace destination list` has it"
        )
    with signed_in(data_dir) as client:
        document = json.loads(_text(file)) if file is not None else _asked(client, destination, name, way)
        made = client.post(f"{FLOWS}/connections", document)
    tell(made, made["id"], as_json=as_json)


@app.command("test")
def try_(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The account's id.", show_default=False)] = "",
    connection: Annotated[
        str, typer.Option(help="A target connection of a destination of files, whose storage is tried instead.")
    ] = "",
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """
    Try an account: sign in at the partner for real; at a storage, write a tiny file and remove it.

    Exit code 1: it does not work, and the message says why.
    """
    if bool(id_) == bool(connection):
        raise RequestError("give either an account's id, or --connection with that of a target connection")
    where = f"connections/{id_}" if id_ else f"targetConnections/{connection}"
    with signed_in(data_dir) as client:
        trial = client.send("POST", f"{FLOWS}/{where}/test")
    verdict = "it works" if trial["ok"] else f"it does not work ({trial['code']})"
    tell(trial, f"{verdict}: {trial['message']}\ntried: {', '.join(trial['checked'])}", as_json=as_json)
    if not trial["ok"]:
        raise typer.Exit(1)


@app.command()
def authorize(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The account's id.", show_default=False)],
    open_: Annotated[
        bool, typer.Option("--open", help="Open the address in the browser of this machine, if this is a terminal.")
    ] = False,
    timeout: Annotated[int, typer.Option(min=1, help="How many seconds to wait.")] = 600,
    data_dir: DataDir = DATA,
) -> None:
    """
    Sign an account in at the partner's own page: print the address to open there, and wait until it has ended.

    Exit code 1: nobody was signed in, and the message says why. Whoever opens the address signs in for this account.
    """
    with signed_in(data_dir) as client:
        before = _sign_in(client, id_)
        departure = client.send("POST", f"{FLOWS}/connections/{id_}/authorize")
        say(f"open this address, and sign in there:\n{departure['authorizationUrl']}")
        if open_ and sys.stdout.isatty():
            webbrowser.open(departure["authorizationUrl"])
        after = _came_back(client, id_, before, time.monotonic() + timeout)
    if after is None:
        say(f"nobody came back within {timeout} s; the address counts until {departure['expiresAt']}")
        raise typer.Exit(1)
    if not _is_another_issue(before, after) or after["state"] != "signed-in":
        say(f"not signed in: {after.get('reason') or after['state']}")
        raise typer.Exit(1)
    say("the account is signed in, and what waited for it is on its way")


def _sign_in(client: Client, id_: str) -> Row:
    (item,) = client.get(f"{FLOWS}/connections/{id_}")["items"]
    return _stands(item)


def _stands(account: Row) -> Row:
    return dict(account.get("x-headrace", {}).get("signIn", {}))  # What has no credentials does not stand at all.


def _came_back(client: Client, id_: str, before: Row, deadline: float) -> Row | None:
    """Wait until an account stands otherwise, or has another reason for standing so; ``None``: it took too long."""
    with Console(stderr=True).status("waiting for whoever signs in"):
        while time.monotonic() < deadline:
            after = _sign_in(client, id_)
            has_failed = after.get("reason") not in (None, before.get("reason"))
            if has_failed or _is_another_issue(before, after):
                return after
            time.sleep(LOOK)
    return None


def _is_another_issue(before: Row, after: Row) -> bool:
    return bool(after.get("issue", 0) != before.get("issue", 0))


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}") from None


def _asked(client: Client, destination: str, name: str, way: str) -> Row:
    """Ask for what a destination wants of who signs in there."""
    (spec,) = client.get(f"{FLOWS}/connectionSpecs/{destination}")["items"]
    document: Row = {"name": name or spec["name"], "connectionSpec": {"id": destination, "version": spec["version"]}}
    chosen = _chosen(spec["authSpec"], way)
    if chosen is not None:
        form = chosen["spec"]
        fields = ((one, form["properties"][one], one in form["required"]) for one in form["x-headrace"]["order"])
        given = {one: _value(asked, one, is_required=is_required) for one, asked, is_required in fields}
        document["auth"] = {"specName": chosen["name"], "params": {one: text for one, text in given.items() if text}}
    return document


def _chosen(ways: list[Row], way: str) -> Row | None:
    names = [item["name"] for item in ways]
    if way and way not in names:
        raise RequestError(f"{way!r} is not a way to sign in at this destination; these are: {', '.join(names)}")
    if len(names) > 1 and not way:
        raise RequestError(f"this destination has several ways to sign in; say --with and one of: {', '.join(names)}")
    return next((item for item in ways if way in ("", item["name"])), None)


def _value(asked: Row, name: str, *, is_required: bool) -> str:
    default = None if is_required else str(asked.get("default", ""))
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n") or (default or "")
    is_hidden = asked.get("format") == "password"
    return str(
        typer.prompt(asked.get("title", name), default=default, hide_input=is_hidden, show_default=bool(default))
    )


_ACCOUNT = {
    "id": member("id"),
    "name": member("name"),
    "destination": lambda account: account["connectionSpec"]["id"],
    "signs in with": lambda account: account.get("auth", {}).get("specName", ""),
    "how it stands": lambda account: str(_stands(account).get("state", "")),
    "modified": lambda account: minute(account["updatedAt"]),
}
