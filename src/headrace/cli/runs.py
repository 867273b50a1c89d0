"""``headrace runs``: work that goes on until it is done, on the server that runs on this machine."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Literal
from urllib.parse import urlencode

import typer
from rich.console import Console
from rich.live import Live

from headrace.cli.client import FLOWS, Client, signed_in
from headrace.cli.exported import KIND, about, audiences, progress, show_outcome
from headrace.cli.exported import watch as watch_exports
from headrace.cli.options import DATA, LOOK, AsJson, DataDir
from headrace.cli.printing import harmless, say, say_json, tell
from headrace.cli.tables import Columns, Row, member, minute, show_all, show_one, table_of

app = typer.Typer(name="runs", help="See how far runs have come; retry or cancel them.", no_args_is_help=True)

State = Literal["asked", "running", "succeeded", "failed", "cancelled"]
RunId = Annotated[str, typer.Argument(metavar="ID", help="The run's id.", show_default=False)]


@app.command("list")
def list_(
    kind: Annotated[str, typer.Option(help="List those of this kind alone, such as audience.")] = "",
    state: Annotated[State | None, typer.Option(help="List those in this state alone.", show_default=False)] = None,
    account: Annotated[str, typer.Option(help="List those of one account alone, by its id.")] = "",
    dataflow: Annotated[str, typer.Option(help="List those of one dataflow alone, by its id.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The most to list.")] = 50,
    watch: Annotated[
        bool, typer.Option("--watch", help="List them again and again, until all that are listed have ended.")
    ] = False,
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """
    List runs, newest first.

    headrace runs list --state failed --account 3e0d6c39-f47b-4c16-8b5d-1d6cf4d5c0b4
    """
    asked: Row = {"limit": limit, **({"kind": kind} if kind else {}), **({"state": state} if state else {})}
    with signed_in(data_dir) as client:
        targets = _targets(client, account, dataflow)
        wanted = {"target": sorted(targets)} if targets is not None else {}
        is_none = targets is not None and not targets
        path = f"/runs?{urlencode(asked | wanted, doseq=True)}"
        look = (list) if is_none else (lambda: client.get(path)["items"])
        items = _watched(look) if watch else look()
    show_all(items, _LISTED, as_json=as_json)


@app.command()
def show(
    id_: RunId,
    follow: Annotated[
        bool, typer.Option("--follow", "--watch", help="Wait until it has ended, and show how far it is.")
    ] = False,
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """
    Show a run: how far it has come, why it failed, what was tried before; of an export its files, and who has no row.

    Exit code 1, with --follow: it failed or was cancelled.
    """
    with signed_in(data_dir) as client:
        run = _ended(client, id_) if follow else client.get(f"/runs/{id_}")
        earlier, of_flow = [*_earlier(client, run)], _of_flow(client, run)
    if as_json:
        say_json({**run, "earlier": earlier, **({"flowRun": of_flow} if of_flow is not None else {})})
    else:
        show_one(run | ({"audiences": audiences(of_flow)} if of_flow is not None else {}), _SHOWN, as_json=False)
        if of_flow is not None:
            show_outcome(of_flow)
        if earlier:
            say("tried before, newest first:")
            show_all(earlier, _EARLIER, as_json=False)
    if follow and run["state"] != "succeeded":
        raise typer.Exit(1)


@app.command()
def retry(id_: RunId, data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """Ask for a run that does again what one was to do that failed or was cancelled; print the new one's id."""
    with signed_in(data_dir) as client:
        again = client.send("POST", f"/runs/{id_}/retry")
    tell(again, again["id"], as_json=as_json)


@app.command()
def cancel(id_: RunId, data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """End a run that has not ended: the step that is under way is not interrupted, and no further one is done."""
    with signed_in(data_dir) as client:
        cancelled = client.send("POST", f"/runs/{id_}/cancel")
    tell(cancelled, f"{id_} is cancelled", as_json=as_json)


def _targets(client: Client, account: str, dataflow: str) -> set[str] | None:
    """Return the target connections whose runs are meant; ``None``: any."""
    found: list[set[str]] = []
    if account:
        client.get(f"{FLOWS}/connections/{account}")  # One that is not there has no runs, and that says why.
        under = client.items(f"{FLOWS}/targetConnections", {"property": f"baseConnectionId=={account}"})
        found.append({target["id"] for target in under})
    if dataflow:
        (flow,) = client.get(f"{FLOWS}/flows/{dataflow}")["items"]
        found.append({*flow["targetConnectionIds"]})
    return set.intersection(*found) if found else None


def _watched(look: Callable[[], list[Row]]) -> list[Row]:
    """List runs again and again until all that are listed have ended."""
    console = Console(stderr=True)
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while True:
            items = look()
            if all(run["endedAt"] is not None for run in items):
                return items
            if console.is_terminal:
                rows = ([cell(run) for cell in _LISTED.values()] for run in items)
                live.update(table_of([*_LISTED], rows), refresh=True)
            time.sleep(LOOK)


def _of_flow(client: Client, run: Row) -> Row | None:
    """Return an export as the flow service shows it; nothing, where its dataflow is gone."""
    if run["kind"] != KIND:
        return None
    answer = client.exchange("GET", f"{FLOWS}/runs/{run['id']}")
    return answer.body["items"][0] if answer.is_success else None


def _ended(client: Client, id_: str) -> Row:
    """Look at a run again and again until it has ended."""
    if client.get(f"/runs/{id_}")["kind"] == KIND:
        watch_exports(client, [id_])
    with Console(stderr=True).status("") as line:
        while True:
            run: Row = client.get(f"/runs/{id_}")
            if run["endedAt"] is not None:
                return run
            line.update(harmless(f"{run['state']} {_progress(run)}".rstrip()))
            time.sleep(LOOK)


def _earlier(client: Client, run: Row) -> Iterator[Row]:
    """Yield the runs that a run tries again, as far back as they are kept."""
    while run["retryOf"] is not None:
        answer = client.exchange("GET", f"/runs/{run['retryOf']}")
        if not answer.is_success:
            return
        run = answer.body
        yield run


def _subject(run: Row) -> str:
    if run["kind"] == KIND:
        return about(run)
    return ", ".join(f"{name} {value}" for name, value in run["subject"].items())


def _progress(run: Row) -> str:
    if run["kind"] == KIND:
        return progress(run["progress"])
    told = ((name, value if isinstance(value, str) else json.dumps(value)) for name, value in run["progress"].items())
    return ", ".join(f"{name} {value}" for name, value in told)


_LISTED: Columns = {
    "id": member("id"),
    "kind": member("kind"),
    "about": _subject,
    "state": member("state"),
    "reason": member("reason"),
    "progress": _progress,
    "asked": lambda run: minute(run["askedAt"]),
    "ended": lambda run: minute(run["endedAt"]),
}
_SHOWN = {
    "id": member("id"),
    "kind": member("kind"),
    "about": _subject,
    "audiences": member("audiences"),
    "state": member("state"),
    "reason": member("reason"),
    "progress": _progress,
    "asked by": member("actor"),
    "asked": member("askedAt"),
    "due": member("dueAt"),
    "began": member("beganAt"),
    "ended": member("endedAt"),
    "schedule": member("schedule"),
    "for the moment": member("moment"),
    "tries again": member("retryOf"),
}
_EARLIER = {name: _LISTED[name] for name in ("id", "state", "reason", "progress", "asked", "ended")}
