"""``headrace ledger``: what became of every change, and whether the books are right."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from headrace.cli.client import FLOWS, signed_in
from headrace.cli.options import DATA, AsJson, DataDir
from headrace.cli.printing import say, say_json
from headrace.cli.tables import Row, member, minute, show_all, show_rows

app = typer.Typer(
    name="ledger", help="What became of every change, and whether the books are right.", no_args_is_help=True
)

Flow = Annotated[str, typer.Argument(metavar="FLOW", help="The dataflow's id.", show_default=False)]
_STATES = ("accepted", "delivered", "superseded", "withheld", "parked", "pending")


@app.command()
def show(flow: Flow, data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """Show what became of the changes of a dataflow, in all and by audience."""
    with signed_in(data_dir) as client:
        ledger = client.get(f"/dataflows/{_quoted(flow)}/ledger?by=audience")
        found = client.exchange("GET", f"{FLOWS}/flows/{_quoted(flow)}")
    if as_json:
        say_json(ledger)
        return
    rows = [(_named(row["audience"]), row) for row in ledger["audiences"]] + [("in all", ledger)]
    show_rows(("audience", *_STATES), [(name, *(str(row[state]) for state in _STATES)) for name, row in rows])
    if found.is_success and "exports" in found.body["items"][0].get("x-headrace", {}):
        say(f"this dataflow writes files, which are no changes: headrace runs list --kind export --dataflow {flow}")


@app.command()
def verify(
    flow: Annotated[str, typer.Argument(metavar="[FLOW]", help="One dataflow alone, by its id.")] = "",
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """
    Hold the ledger against the changes that wait and those that are parked, beside whatever else happens.

    Exit code 1: a figure is not what the rows say.
    """
    with signed_in(data_dir) as client:
        found = client.get(f"/dataflows/{_quoted(flow)}/ledger/check" if flow else "/ledger/check")
    if as_json:
        say_json(found)
    else:
        for item in found["differences"]:
            say(_sentence(item))
        say(f"dataflows looked at: {found['dataflows']}, figures that are wrong: {len(found['differences'])}")
    if not found["ok"]:
        raise typer.Exit(1)


@app.command()
def hours(
    flow: Flow,
    limit: Annotated[int, typer.Option(min=1, max=100, help="The most to list.")] = 24,
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """List the hours of a dataflow in which something happened, newest first."""
    with signed_in(data_dir) as client:
        client.get(f"{FLOWS}/flows/{_quoted(flow)}")  # One that is not there has no hours, and that says why.
        runs = client.items(f"{FLOWS}/runs", {"property": f"flowId=={flow}", "limit": "100"})
        found: list[Row] = []
        for run in runs:
            if run["x-headrace"]["kind"] == "hour":
                found.append(run)
            if len(found) == limit:
                break
    show_all(found, _HOURS, as_json=as_json)


def _quoted(id_: str) -> str:
    return quote(id_, safe="")


def _named(audience: Row | None) -> str:
    return "attributes and identities" if audience is None else f"{audience['namespace']}/{audience['id']}"


def _sentence(item: Row) -> str:
    told = f"the ledger says {item['counted']} {item['figure']}, and the rows {item['found']}"
    return f"dataflow {item['dataflow']}, {_named(item['audience'])}: {told}"


def _figure(name: str) -> Any:
    return lambda run: "" if run["x-headrace"][name] is None else str(run["x-headrace"][name])


def _codes(run: Row) -> str:
    records = run["metrics"]["recordSummary"]
    return ", ".join(f"{item['code']} {item['count']}" for item in (*records["failedInfo"], *records["skippedInfo"]))


_HOURS = {
    "id": member("id"),
    "hour": lambda run: minute(run["x-headrace"]["hour"]),
    "state": lambda run: run["metrics"]["statusSummary"]["status"],
    "received": _figure("profilesReceived"),
    "activated": _figure("identitiesActivated"),
    "excluded": _figure("identitiesExcluded"),
    "failed": _figure("identitiesFailed"),
    "rate": _figure("activationRate"),
    "why": _codes,
}
