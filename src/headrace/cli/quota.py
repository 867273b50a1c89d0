"""``headrace quota``: how much a sandbox may have, and has."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from headrace.cli.client import signed_in
from headrace.cli.options import DATA, AsJson, DataDir
from headrace.cli.printing import say_json
from headrace.cli.tables import show_rows

app = typer.Typer(name="quota", help="Quotas: how much sandboxes may have, and have.", no_args_is_help=True)

_NAMES = ("waiting", "people", "requests", "bytes")
Sandbox = Annotated[str, typer.Argument(metavar="ID", help="The sandbox's id.", show_default=False)]


def _most(help_: str) -> Any:
    return typer.Option(min=0, help=f"{help_} 0: any number.", show_default=False)


@app.command()
def show(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """Show how much this sandbox has, and the most it may."""
    with signed_in(data_dir) as client:
        quotas = client.get("/quota")["quotas"]
    if as_json:
        say_json(quotas)
        return
    rows = [(name, str(quotas[name]["used"]), _limit(quotas[name])) for name in _NAMES]
    show_rows(("quota", "used", "most"), rows)


@app.command("list")
def list_(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """List how every sandbox stands; the host alone may."""
    with signed_in(data_dir) as client:
        items = client.get("/quotas")["items"]
    if as_json:
        say_json(items)
        return
    rows = [(item["id"], item["sandbox"], *(_used(item["quotas"][name]) for name in _NAMES)) for item in items]
    show_rows(("id", "sandbox", *_NAMES), rows)


@app.command("set")
def set_(
    id_: Sandbox,
    waiting: Annotated[int | None, _most("The most changes that wait to be sent.")] = None,
    people: Annotated[int | None, _most("The most people.")] = None,
    requests: Annotated[int | None, _most("The most requests to take profiles in, a minute.")] = None,
    bytes_: Annotated[
        int | None,
        typer.Option("--bytes", min=0, help="The most bytes of files. 0: any number.", show_default=False),
    ] = None,
    data_dir: DataDir = DATA,
) -> None:
    """Say how much a sandbox may have; the host alone may. What is left out is as the settings say."""
    given = dict(zip(_NAMES, (waiting, people, requests, bytes_), strict=True))
    document = {name: most for name, most in given.items() if most is not None}
    with signed_in(data_dir) as client:
        client.send("PUT", f"/quotas/{quote(id_, safe='')}", json.dumps(document).encode())


def _limit(item: dict[str, Any]) -> str:
    return "-" if item["most"] is None else str(item["most"])


def _used(item: dict[str, Any]) -> str:
    return f"{item['used']} of {_limit(item)}"
