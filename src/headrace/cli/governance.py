"""``headrace governance``: labels on data, the policies over them, and what dataflows violate."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from headrace.cli.activate import show_violations
from headrace.cli.client import Client, signed_in
from headrace.cli.options import DATA, AsJson, DataDir
from headrace.cli.printing import say_json
from headrace.cli.tables import show_rows
from headrace.errors import RequestError

app = typer.Typer(
    name="governance", help="Labels on data, and the policies that dataflows are held to.", no_args_is_help=True
)

Object = dict[str, Any]
_SERVICE = "/data/foundation/dulepolicy"
_KINDS = {"field": "fields", "dataset": "datasets", "namespace": "namespaces"}


@app.command()
def labels(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """List what carries labels: attributes, datasets, namespaces."""
    with signed_in(data_dir) as client:
        items = client.get("/governance/labels")["items"]
    rows = [(item["kind"], item["name"], ", ".join(item["labels"])) for item in items]
    _tell(items, ("kind", "name", "labels"), rows, as_json=as_json)


@app.command()
def label(
    kind: Annotated[str, typer.Argument(help="`field`, `dataset` or `namespace`.", show_default=False)],
    name: Annotated[str, typer.Argument(help="The attribute's path, the dataset's id, or the namespace's code.")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="LABELS...", help="The labels; none: take all off.")
    ] = None,
    data_dir: DataDir = DATA,
) -> None:
    """Put labels on something, in the place of those it has: `headrace governance label field person.name I1`."""
    if kind not in _KINDS:
        raise RequestError(f"labels are put on {', '.join(_KINDS)}, not on {kind!r}")
    with signed_in(data_dir) as client:
        client.post("/governance/labels", {_KINDS[kind]: {name: names or []}})


@app.command()
def policies(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """List the policies: the core ones, then those of the sandbox."""
    with signed_in(data_dir) as client:
        items = [*_listed(client, "policies/core"), *_listed(client, "policies/custom")]
    rows = [
        (
            item["id"],
            item["name"],
            item["status"],
            ", ".join(map(_action, item["marketingActionRefs"])),
            said(item["deny"]),
        )
        for item in items
    ]
    _tell(items, ("id", "name", "status", "denies", "for data labelled"), rows, as_json=as_json)


@app.command()
def check(
    dataflow: Annotated[str | None, typer.Argument(help="Its id; without it, all that are not disabled.")] = None,
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """Hold dataflows to the policies as they are now. Exit code 1: something is violated."""
    with signed_in(data_dir) as client:
        if dataflow is None:
            found = client.get("/governance/violations")["items"]
        else:
            found = client.get(f"/dataflows/{quote(dataflow, safe='')}/policy-check")["violations"]
    if as_json:
        say_json(found)
    elif found:
        show_violations(Console(), found)
    else:
        sys.stdout.write("no policy is violated\n")
    if found:
        raise typer.Exit(1)


def said(deny: Object) -> str:
    """
    Write an expression in words.

    >>> said({"operator": "AND", "operands": [{"label": "I1"}, {"operator": "OR", "operands": [{"label": "C1"}]}]})
    'I1 and (C1)'
    """
    if "label" in deny:
        return str(deny["label"])
    parts = [said(item) if "label" in item else f"({said(item)})" for item in deny["operands"]]
    return f" {deny['operator'].lower()} ".join(parts)


def _listed(client: Client, path: str) -> list[Object]:
    items: list[Object] = []
    after = ""
    while True:
        page = client.get(f"{_SERVICE}/{path}?limit=1000&start={quote(after)}")
        items += page["children"]
        after = page["_page"]["next"]
        if not after:
            return items


def _action(reference: str) -> str:
    return reference.removesuffix("/constraints").rpartition("/")[2]


def _tell(items: list[Object], heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, as_json: bool) -> None:
    if as_json:
        say_json(items)
        return
    show_rows(heads, rows)
