"""Erasing people, and seeing what became of that: commands of ``headrace profiles``."""

import sys
from typing import Annotated, Any
from urllib.parse import quote

import typer

from headrace.cli.client import signed_in
from headrace.cli.options import DATA, AsJson, DataDir
from headrace.cli.printing import say_json
from headrace.cli.tables import minute, show_rows

_ERASURES = "/ingest/erasures"
Id = Annotated[str, typer.Argument(metavar="ID", help="The erasure's id.", show_default=False)]


def erase(
    who: Annotated[
        str, typer.Argument(metavar="KEY", help="The person's key, such as crmId:7; an id with --namespace.")
    ],
    namespace: Annotated[str, typer.Option(help="Erase everybody who has the id in this namespace.")] = "",
    data_dir: DataDir = DATA,
) -> None:
    """Erase a person here and at every partner, keep them out, and print the erasure's id."""
    document = {"identity": {"namespace": namespace, "id": who}} if namespace else {"profile": who}
    with signed_in(data_dir) as client:
        sys.stdout.write(f"{client.post(_ERASURES, document)['id']}\n")


def erasures(
    id_: Annotated[str, typer.Argument(metavar="[ID]", help="One alone, with a receipt for each dataflow.")] = "",
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """Show what became of erasures, newest first, or of one, with what its partners were told."""
    with signed_in(data_dir) as client:
        answer = client.get(_path(id_)) if id_ else client.get(_ERASURES)
    if as_json:
        say_json(answer if id_ else answer["items"])
        return
    if id_:
        _show_receipts(answer)
    else:
        _show_list(answer["items"])


def lift(id_: Id, data_dir: DataDir = DATA) -> None:
    """Let the people of an erasure be sent again. What was removed stays removed."""
    with signed_in(data_dir) as client:
        client.send("POST", f"{_path(id_)}/lift")


def _path(id_: str) -> str:
    return f"{_ERASURES}/{quote(id_, safe='')}"


def _show_list(items: list[dict[str, Any]]) -> None:
    rows = []
    for item in items:
        states = [receipt["state"] for receipt in item["receipts"]]
        told, open_ = states.count("told"), sum(state in ("telling", "failed") for state in states)
        moments = minute(item["askedAt"]), str(told), str(open_), minute(item["liftedAt"])
        rows.append((item["id"], item["state"], str(item["people"]), *moments))
    show_rows(("id", "state", "people", "asked", "told", "open", "lifted"), rows)


def _show_receipts(item: dict[str, Any]) -> None:
    rows = []
    for receipt in item["receipts"]:
        told = receipt["dataflow"], receipt["name"], receipt["state"]
        rows.append((*told, receipt["reason"] or "", minute(receipt["at"])))
    show_rows(("dataflow", "name", "state", "reason", "at"), rows)
