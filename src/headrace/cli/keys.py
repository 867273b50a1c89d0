"""``headrace keys``: the keys that seal secrets, on the server that runs on this machine."""

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from headrace.cli.client import Client, sign_in
from headrace.errors import OperationError

app = typer.Typer(name="keys", help="Give secrets other keys, while everything runs.", no_args_is_help=True)

Row = dict[str, Any]
DataDir = Annotated[
    Path, typer.Option(envvar="HEADRACE_DATA_DIR", help="The data directory of the server that is running.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Every = Annotated[bool, typer.Option("--all", help="For every organization; the host alone may.")]
Prune = Annotated[bool, typer.Option("--prune", help="Then remove older keys that nothing needs any more.")]
Resume = Annotated[bool, typer.Option("--resume", help="Make no new key: only do what is left of the last rotation.")]
_HERE = Path("headrace-data")


@app.command()
def status(every: Every = False, data_dir: DataDir = _HERE, as_json: AsJson = False) -> None:
    """List the data keys, how many secrets each still seals, and the master key that wraps them."""
    with _client(data_dir) as client:
        found = client.get(_path("", every=every))
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    table = Table("organization", "key", "made", "seals", "state", box=SIMPLE_HEAD)
    for organization in found["organizations"]:
        for key in organization["keys"]:
            table.add_row(organization["name"], key["id"], _day(key), str(key["values"]), _state(key))
    Console().print(table)
    for item in found["wrapped"]:
        wraps = "wraps now" if item["masterKey"] == found["masterKey"] else "older"
        sys.stdout.write(f"master key {item['masterKey']} ({wraps}): {item['keys']} keys\n")


@app.command()
def rotate(every: Every = False, resume: Resume = False, prune: Prune = False, data_dir: DataDir = _HERE) -> None:
    """
    Make a new data key, and seal with it everything that older ones have sealed. Deliveries go on.

    Whatever ends this on the way, nothing is lost: run it again with --resume.
    """
    with _client(data_dir) as client:
        if not resume:
            for item in client.send("POST", _path("/rotate", every=every))["items"]:
                sys.stdout.write(f"{item['organization']}: the new key is {item['key']}\n")
        _until_nothing_is_left(client, _path("/reseal", every=every), "secrets")
        if prune:
            for item in client.send("POST", _path("/prune", every=every))["items"]:
                sys.stdout.write(f"{item['organization']}: removed {_listed(item['keys'])}\n")


@app.command("rotate-master")
def rotate_master(resume: Resume = False, prune: Prune = False, data_dir: DataDir = _HERE) -> None:
    """
    Put a new master key into the key file, and wrap all data keys with it.

    Whatever ends this on the way, nothing is lost: run it again with --resume.
    """
    with _client(data_dir) as client:
        if not resume:
            made = client.send("POST", "/keys/master/rotate")
            sys.stdout.write(
                f"the new master key is {made['masterKey']}; copy the key file to where you keep it safe\n"
            )
        _until_nothing_is_left(client, "/keys/master/rewrap", "data keys")
        if prune:
            pruned = client.send("POST", "/keys/master/prune")["items"]
            sys.stdout.write(f"removed {_listed(pruned)}; backups made before need the key file as it was\n")


@contextmanager
def _client(data_dir: Path) -> Iterator[Client]:
    with closing(sign_in(data_dir / "credentials.json")) as client:
        yield client


def _until_nothing_is_left(client: Client, path: str, what: str) -> None:
    """
    Call until nothing is left, and show how far it is.

    Raises:
        OperationError: something cannot be opened, so that the older key is needed.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task, done = progress.add_task(what), 0
        while True:
            step = client.send("POST", path)
            done += step["done"]
            progress.update(task, completed=done, total=done + step["left"])
            if not step["left"] or not step["done"]:
                break
    sys.stdout.write(f"{what}: {done} done, {step['left']} left\n")
    if step["left"]:
        raise OperationError(
            f"{step['left']} {what} are left that could not be opened, or that others changed just now; run this again"
            " with --resume, and see `headrace keys status`"
        )


def _path(path: str, *, every: bool) -> str:
    return f"/keys{path}{'?all=true' if every else ''}"


def _listed(key_ids: list[str]) -> str:
    return ", ".join(key_ids) or "none"


def _day(key: Row) -> str:
    return "" if key["createdAt"] is None else key["createdAt"][:16].replace("T", " ")


def _state(key: Row) -> str:
    if key["isMissing"]:
        return "missing: what it sealed cannot be opened"
    return "seals now" if key["isNewest"] else "older"
