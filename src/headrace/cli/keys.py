"""``headrace keys``: the keys that seal secrets, on the server that runs on this machine."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from headrace.cli.client import Client, signed_in
from headrace.cli.options import DATA, AsJson, DataDir
from headrace.cli.printing import say, say_json
from headrace.cli.tables import Row, member, minute, show_all
from headrace.errors import OperationError

app = typer.Typer(name="keys", help="Give secrets other keys, while everything runs.", no_args_is_help=True)

Every = Annotated[bool, typer.Option("--all", help="For every organization; the host alone may.")]
Prune = Annotated[bool, typer.Option("--prune", help="Then remove older keys that nothing needs any more.")]
Resume = Annotated[bool, typer.Option("--resume", help="Make no new key: only do what is left of the last rotation.")]


@app.command()
def status(every: Every = False, data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """List the data keys, how many secrets each still seals, and the master key that wraps them."""
    with signed_in(data_dir) as client:
        found = client.get(_path("", every=every))
    if as_json:
        say_json(found)
        return
    keys = [{"organization": one["name"], **key} for one in found["organizations"] for key in one["keys"]]
    show_all(keys, _KEY, as_json=False)
    for item in found["wrapped"]:
        wraps = "wraps now" if item["masterKey"] == found["masterKey"] else "older"
        say(f"master key {item['masterKey']} ({wraps}): {item['keys']} keys")


@app.command()
def rotate(every: Every = False, resume: Resume = False, prune: Prune = False, data_dir: DataDir = DATA) -> None:
    """
    Make a new data key, and seal with it everything that older ones have sealed. Deliveries go on.

    Whatever ends this on the way, nothing is lost: run it again with --resume.
    """
    with signed_in(data_dir) as client:
        if not resume:
            for item in client.send("POST", _path("/rotate", every=every))["items"]:
                say(f"{item['organization']}: the new key is {item['key']}")
        _until_nothing_is_left(client, _path("/reseal", every=every), "secrets")
        if prune:
            for item in client.send("POST", _path("/prune", every=every))["items"]:
                say(f"{item['organization']}: removed {_listed(item['keys'])}")


@app.command("rotate-master")
def rotate_master(resume: Resume = False, prune: Prune = False, data_dir: DataDir = DATA) -> None:
    """
    Put a new master key into the key file, and wrap all data keys with it.

    Whatever ends this on the way, nothing is lost: run it again with --resume.
    """
    with signed_in(data_dir) as client:
        if not resume:
            made = client.send("POST", "/keys/master/rotate")
            say(f"the new master key is {made['masterKey']}; copy the key file to where you keep it safe")
        _until_nothing_is_left(client, "/keys/master/rewrap", "data keys")
        if prune:
            pruned = client.send("POST", "/keys/master/prune")["items"]
            say(f"removed {_listed(pruned)}; backups made before need the key file as it was")


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
    say(f"{what}: {done} done, {step['left']} left")
    if step["left"]:
        raise OperationError(
            f"{step['left']} {what} are left that could not be opened, or that others changed just now; run this again"
            " with --resume, and see `headrace keys status`"
        )


def _path(path: str, *, every: bool) -> str:
    return f"/keys{path}{'?all=true' if every else ''}"


def _listed(key_ids: list[str]) -> str:
    return ", ".join(key_ids) or "none"


def _state(key: Row) -> str:
    if key["isMissing"]:
        return "missing: what it sealed cannot be opened"
    return "seals now" if key["isNewest"] else "older"


_KEY = {
    "organization": member("organization"),
    "key": member("id"),
    "made": lambda key: minute(key["createdAt"]),
    "seals": lambda key: str(key["values"]),
    "state": _state,
}
