"""``headrace export``: when the files of audiences are due, and to have them written now."""

from typing import Annotated
from urllib.parse import quote

import typer

from headrace.cli.client import FLOWS, Client, signed_in
from headrace.cli.exported import tell_end, watch
from headrace.cli.options import DATA, AsJson, DataDir
from headrace.cli.printing import say, say_json
from headrace.cli.tables import Columns, Row, member, minute, show_all
from headrace.errors import RequestError

app = typer.Typer(add_completion=False)
_NOW = "/data/core/activation/disflowprovider/adhocrun"
_SECOND = {"Accept": "application/vnd.adobe.adhoc.activation+json; version=2"}


@app.command()
def export(
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="The dataflow's id.", show_default=False)],
    audience: Annotated[
        list[str] | None,
        typer.Option(
            "--audience",
            help="An audience's id, once for each; NAMESPACE:ID where several have it. Without it, all.",
            show_default=False,
        ),
    ] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Write the files now, whole; the schedule stays as it is.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="With --now: wait until the files are there, or have not come.")
    ] = True,
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """
    Show when files of a dataflow's audiences are due, or write them now.

    headrace export 3e0d6c39-f47b-4c16-8b5d-1d6cf4d5c0b4 --audience movie-lovers --now

    Exit code 1, with --now: a run failed or was cancelled.
    """
    with signed_in(data_dir) as client:
        if now:
            _write(client, flow, audience or [], wait=wait, as_json=as_json)
        else:
            show_all(_due(client, flow, audience or []), _DUE, as_json=as_json)


def _write(client: Client, flow: str, audience: list[str], *, wait: bool, as_json: bool) -> None:
    ours = {} if audience else {"x-headrace": {"all": True}}
    body = {"activationInfo": {flow: audience}, **ours}
    order = client.post(_NOW, body, _SECOND)["order"]
    runs = [*dict.fromkeys(item["statusURL"].rpartition("/")[2] for item in order)]
    if not wait:
        _tell(order, runs, as_json=as_json)
        return
    ended = watch(client, runs)
    if as_json:
        say_json(ended)
    else:
        for run in ended:
            tell_end(run)
    if not all(_is_there(run) for run in ended):
        raise typer.Exit(1)


def _tell(order: list[Row], runs: list[str], *, as_json: bool) -> None:
    if as_json:
        say_json(order)
    else:
        say("\n".join(runs))


def _is_there(run: Row) -> bool:
    return bool(run["metrics"]["statusSummary"]["status"] == "success")


def _due(client: Client, flow: str, audience: list[str]) -> list[Row]:
    """Return when the files of audiences are due."""
    (found,) = client.get(f"{FLOWS}/flows/{quote(flow, safe='')}")["items"]
    items: list[Row] | None = found.get("x-headrace", {}).get("exports")
    if items is None:
        raise RequestError(f"the dataflow {flow} sends messages, and writes no files")
    return [item for item in items if not audience or {item["audience"], _named(item)} & {*audience}]


def _named(item: Row) -> str:
    return f"{item.get('namespace')}:{item['audience']}"


def _next(item: Row) -> str:
    if item["underWay"] is not None:
        return f"now, by {item['underWay']}"
    after = "after the next evaluation" if item["triggerType"] == "AFTER_SEGMENT_EVAL" else "never"
    return minute(item["nextSlot"]) or after


def _last(item: Row) -> str:
    last = item["last"]
    return "" if last is None else f"{minute(last['publishedAt'])} by {last['run']}"


def _mode(item: Row) -> str:
    return "whole" if item["exportMode"] == "DAILY_FULL_EXPORT" else "what is new"


_DUE: Columns = {
    "audience": member("audience"),
    "mode": _mode,
    "frequency": member("frequency"),
    "next": _next,
    "missed": lambda item: str(item["missed"] or ""),
    "last published": _last,
}
