"""``headrace consent``: what people must have agreed to before partners are told of them."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from headrace.cli.client import Client, signed_in
from headrace.cli.options import DATA, AsJson, DataDir, read_json
from headrace.cli.printing import say_json
from headrace.cli.tables import show_rows
from headrace.errors import RequestError

app = typer.Typer(name="consent", help="Consent policies: list them, set one, delete one.", no_args_is_help=True)
_PATH = "/governance/consent-policies"


@app.command("list")
def list_(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """List the consent policies."""
    with signed_in(data_dir) as client:
        items = client.get(_PATH)["items"]
    if as_json:
        say_json(items)
        return
    rows = []
    for item in items:
        said = "; ".join(_condition(condition) for condition in item["conditions"])
        actions = ", ".join(item.get("marketingActions", ())) or "all"
        applied = "yes" if item.get("enabled", True) else "no"
        rows.append((item["name"], applied, item.get("match", "all"), said, actions))
    show_rows(("name", "applied", "met by", "conditions", "marketing actions"), rows)


@app.command("set")
def set_(
    file: Annotated[Path, typer.Argument(help="The policy as JSON, as the API takes it.", show_default=False)],
    data_dir: DataDir = DATA,
) -> None:
    """Make a consent policy, or replace the one of its name. A run applies it to everybody who is known."""
    document = _document(file)
    with signed_in(data_dir) as client:
        known = _named(client, document.get("name"))
        if known is None:
            client.post(_PATH, document)
        else:
            client.send("PUT", f"{_PATH}/{quote(known['id'], safe='')}", json.dumps(document).encode())
    sys.stdout.write(f"{'made' if known is None else 'replaced'} {document['name']}\n")


@app.command()
def delete(
    name: Annotated[str, typer.Argument(help="The policy's name.", show_default=False)], data_dir: DataDir = DATA
) -> None:
    """Delete a consent policy. A run tells partners of those whom it withheld."""
    with signed_in(data_dir) as client:
        known = _named(client, name)
        if known is None:
            raise RequestError(
                f"there is no consent policy {name!r}; `headrace consent list` shows those that there are"
            )
        client.send("DELETE", f"{_PATH}/{quote(known['id'], safe='')}")


def _named(client: Client, name: object) -> dict[str, Any] | None:
    items: list[dict[str, Any]] = client.get(_PATH)["items"]
    return next((item for item in items if item["name"] == name), None)


def _condition(condition: dict[str, Any]) -> str:
    values = ", ".join(json.dumps(value) for value in condition.get("values", ()))
    return f"{condition['path']} {condition.get('operator', 'in')} {values}".strip()


def _document(file: Path) -> dict[str, Any]:
    document = read_json(file)
    if not isinstance(document, dict):
        raise RequestError(f"{file} is not a JSON object")
    return document
