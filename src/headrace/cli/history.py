"""``headrace history``: what partners were told of a person, when, and why not."""

from collections.abc import Callable
from typing import Annotated

import typer

from headrace.cli.client import Client, signed_in
from headrace.cli.options import DATA, AsJson, DataDir
from headrace.cli.printing import say, say_json
from headrace.cli.tables import Row, member, show_all

app = typer.Typer(add_completion=False)


@app.command()
def history(
    who: Annotated[str, typer.Argument(metavar="PROFILE", help="The person's key, such as crmId:7.")],
    flow: Annotated[str, typer.Option(help="What one dataflow told alone, by its id.")] = "",
    since: Annotated[str, typer.Option("--from", help="The first day, such as 2026-03-01.")] = "",
    until: Annotated[str, typer.Option(help="The last day; without it, today.")] = "",
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """
    Show what partners were told of a person, newest first; what is parked or still waits, and why; and in which files
    they are.

    headrace history crmId:7 --from 2026-03-01
    """
    given = {"dataflow": flow, "from": since, "until": until}
    with signed_in(data_dir) as client:
        found = _asked(client, {"profile": who, **{name: value for name, value in given.items() if value}})
    if as_json:
        say_json(found)
        return
    show_all(found["events"], _EVENTS, as_json=False)
    open_ = [{**item, "name": flow["name"]} for flow in found["dataflows"] for item in _open(flow)]
    if open_:
        say("not told:")
        show_all(open_, _OPEN, as_json=False)
    files = [{**item, "name": flow["name"]} for flow in found["dataflows"] for item in flow["files"]]
    if files:
        say("in the last files:")
        show_all(files, _FILES, as_json=False)
    if not found["kept"]["days"]:
        say("HEADRACE_HISTORY_DAYS is 0: what became of whose changes is not kept")


def _asked(client: Client, document: Row) -> Row:
    """Ask again and again until everything is there."""
    found: Row = client.post("/history", document)
    following = found["next"]
    while following is not None:
        more = client.post("/history", {**document, "until": following})
        found["events"] += more["events"]
        following = more["next"]
    return {**found, "next": None}


def _open(flow: Row) -> list[Row]:
    parked = [{**item, "why": f"parked: {item['code']}", "since": item["parkedAt"]} for item in flow["parked"]]
    return [*({**item, "since": item["waitingSince"]} for item in flow["pending"]), *parked]


def _moment(name: str) -> Callable[[Row], str]:
    return lambda row: "" if row.get(name) is None else row[name][:19].replace("T", " ")


def _audience(row: Row) -> str:
    audience = row["audience"]
    return "" if audience is None else f"{audience['namespace']}/{audience['id']}"


_EVENTS = {
    "at": _moment("at"),
    "dataflow": member("dataflow"),
    "what": member("what"),
    "audience": _audience,
    "told": member("told"),
    "sequence": member("sequence"),
    "status": lambda row: str(row.get("status") or row.get("code") or ""),
    "attempt": member("attempt"),
    "message": member("message"),
}
_OPEN = {
    "dataflow": member("name"),
    "audience": _audience,
    "why": member("why"),
    "reason": member("reason"),
    "since": _moment("since"),
    "retry at": _moment("retryAt"),
}
_FILES = {
    "dataflow": member("name"),
    "audience": _audience,
    "member": member("member"),
    "published": _moment("publishedAt"),
    "run": member("run"),
}
