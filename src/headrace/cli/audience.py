"""``headrace audience``: sets of people: declare them, look ahead, find out who is in them, upload their members."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from headrace.cli.client import Client, signed_in
from headrace.cli.options import DATA, AsJson, DataDir, NoWait, read_json
from headrace.cli.printing import say_json, tell
from headrace.cli.tables import minute, show_rows
from headrace.errors import RequestError

app = typer.Typer(
    name="audience", help="Sets of people: declare them, and find out who is in them.", no_args_is_help=True
)

Row = dict[str, Any]
Id = Annotated[str, typer.Argument(metavar="ID", help="The audience's id.", show_default=False)]
Anew = Annotated[
    bool, typer.Option("--anew", help="The list before was lost: ask people's documents who was a member until now.")
]
Definition = Annotated[
    Path, typer.Argument(metavar="FILE", help="The audience as JSON, as the API takes it.", show_default=False)
]
_KINDS = {".csv": "text/csv", ".parquet": "application/vnd.apache.parquet"}
#: The states in which an evaluation does not go on by itself.
_AT_REST = ("held", "applied", "failed", "dropped")
#: Seconds between two looks at an evaluation.
LOOK = 0.2


@app.command("list")
def list_(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """List the audiences with their sizes, also those that only people carry."""
    with signed_in(data_dir) as client:
        items = client.get("/audiences")["items"]
    if as_json:
        say_json(items)
        return
    rows = [
        (*(item[name] for name in ("id", "namespace", "name", "kind")), str(item["size"]), _last_state(item))
        for item in items
    ]
    show_rows(("id", "namespace", "name", "kind", "members", "last"), rows)


@app.command()
def show(id_: Id, data_dir: DataDir = DATA) -> None:
    """Show an audience, as JSON."""
    with signed_in(data_dir) as client:
        shown = client.get(_path(id_))
    say_json(shown)


@app.command()
def create(file: Definition, data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """Declare an audience and print its id."""
    with signed_in(data_dir) as client:
        made = client.post("/audiences", read_json(file))
    tell(made, made["id"], as_json=as_json)


@app.command()
def preview(file: Definition, data_dir: DataDir = DATA) -> None:
    """Say who the query of an audience would have in it, without keeping anything."""
    with signed_in(data_dir) as client:
        seen = client.post("/audiences/preview", read_json(file))
    sys.stdout.write(f"{seen['count']} members, {seen['rejected']} rows name nobody\n")
    sys.stdout.write("".join(f"  {key}\n" for key in seen["sample"]))


@app.command()
def evaluate(id_: Id, anew: Anew = False, data_dir: DataDir = DATA, no_wait: NoWait = False) -> None:
    """Find out who is in an audience. Exit code 1: it failed, or is held until somebody confirms it."""
    with signed_in(data_dir) as client:
        _finish(client, id_, client.send("POST", f"{_path(id_)}/evaluate{'?anew=true' if anew else ''}"), no_wait)


@app.command()
def confirm(
    id_: Id,
    number: Annotated[int, typer.Argument(help="The evaluation's number.", show_default=False)],
    data_dir: DataDir = DATA,
    no_wait: NoWait = False,
) -> None:
    """Take an evaluation in that was held because very many would leave."""
    with signed_in(data_dir) as client:
        _finish(client, id_, client.send("POST", f"{_path(id_)}/evaluations/{number}/confirm"), no_wait)


@app.command()
def upload(
    id_: Id,
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file with members.", show_default=False)],
    add: Annotated[bool, typer.Option("--add", help="Those who are members already stay.")] = False,
    anew: Anew = False,
    valid_until: Annotated[str, typer.Option(help="Until when they are members, in ISO 8601.")] = "",
    data_dir: DataDir = DATA,
    no_wait: NoWait = False,
) -> None:
    """Upload a file with the members of an audience. Exit code 1: it cannot be read, or is held."""
    kind = _KINDS.get(file.suffix.lower())
    if kind is None:
        raise RequestError(f"{file} is neither .csv nor .parquet by its name")
    if add and anew:
        raise RequestError("--add keeps those who are members, and --anew looks who they are: give one of the two")
    query = urlencode(
        {"mode": "add" if add else "anew" if anew else "replace"} | ({"validUntil": valid_until} if valid_until else {})
    )
    try:
        content = file.open("rb")
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}") from None
    with content, signed_in(data_dir) as client:
        length = {"Content-Length": str(os.fstat(content.fileno()).st_size)}
        _finish(client, id_, client.send("POST", f"{_path(id_)}/upload?{query}", content, kind, length), no_wait)


@app.command()
def history(id_: Id, data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """List how the members of an audience were found out, newest first."""
    with signed_in(data_dir) as client:
        items = client.get(f"{_path(id_)}/evaluations")["items"]
    if as_json:
        say_json(items)
        return
    rows = []
    for item in items:
        counts = (_count(item[name]) for name in ("membersBefore", "membersAfter", "entered", "left"))
        said = (str(item["number"]), minute(item["askedAt"]), item["cause"], item["state"])
        rows.append((*said, *counts, item["reason"] or ""))
    show_rows(("number", "when", "cause", "state", "before", "after", "entered", "left", "why"), rows)


def _path(id_: str) -> str:
    return f"/audiences/{quote(id_, safe='')}"


def _last_state(item: Row) -> str:
    return str((item["lastEvaluation"] or {"state": ""})["state"])


def _count(value: int | None) -> str:
    return "" if value is None else str(value)


def _finish(client: Client, id_: str, asked: Row, no_wait: bool) -> None:
    """Wait for an evaluation, and say what came of it; end the command where nothing was taken in."""
    if no_wait:
        sys.stdout.write(f"{asked['run']}\n")
        return
    found = asked
    while found["state"] not in _AT_REST:
        time.sleep(LOOK)
        listed = client.get(f"{_path(id_)}/evaluations?limit=1000")["items"]
        found = next(item for item in listed if item["number"] == asked["number"])
    for row in found["rejects"]:
        sys.stdout.write(f"{row['file']}:{row['line']}: {row['reason']} ({row['code']})\n")
    if found["state"] != "applied":
        sys.stderr.write(f"headrace: evaluation {found['number']} {found['state']}: {found['reason']}\n")
        raise typer.Exit(1)
    counts = f"{found['membersAfter']} members: {found['entered']} entered, {found['left']} left"
    sys.stdout.write(f"{counts}, {found['rejected']} rows rejected\n")
