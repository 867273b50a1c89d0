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
_SECOND, _THIRD = ({"Accept": f"application/vnd.adobe.adhoc.activation+json; version={version}"} for version in (2, 3))


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
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", help="A dataset's id, once for each. Without it, all.", show_default=False),
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
    Show when files of a dataflow's audiences or datasets are due, or write them now.

    headrace export 3e0d6c39-f47b-4c16-8b5d-1d6cf4d5c0b4 --audience movie-lovers --now

    Exit code 1, with --now: a run failed or was cancelled.
    """
    with signed_in(data_dir) as client:
        found = _due(client, flow)
        if not now:
            shown = [item for item in found if not audience or {item["audience"], _named(item)} & {*audience}]
            show_all(shown, _DUE, as_json=as_json)
            return
        if found and found[0]["audience"] is None:
            order = _datasets(client, flow, dataset or [item["id"] for item in found[0]["datasets"]])
        else:
            order = _audiences(client, flow, audience or [])
        _follow(client, order, wait=wait, as_json=as_json)


def _audiences(client: Client, flow: str, names: list[str]) -> list[Row]:
    """Have the files of audiences written, and return the order."""
    ours = {} if names else {"x-headrace": {"all": True}}
    order: list[Row] = client.post(_NOW, {"activationInfo": {flow: names}, **ours}, _SECOND)["order"]
    return order


def _datasets(client: Client, flow: str, ids: list[str]) -> list[Row]:
    """Have the files of datasets written, and return the order."""
    wanted = {"destinations": [{"flowId": flow, "datasets": [{"id": id_} for id_ in ids]}]}
    (answer,) = client.post(_NOW, {"activationInfo": wanted}, _THIRD)["destinations"]
    return [{"dataset": item["id"], "order": flow, "statusURL": item["statusURL"]} for item in answer["datasets"]]


def _follow(client: Client, order: list[Row], *, wait: bool, as_json: bool) -> None:
    """Show how far the runs of an order are, until they have ended; without ``wait``, only which they are."""
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


def _due(client: Client, flow: str) -> list[Row]:
    """Return when the files of audiences, or of datasets, are due."""
    (found,) = client.get(f"{FLOWS}/flows/{quote(flow, safe='')}")["items"]
    items: list[Row] | None = found.get("x-headrace", {}).get("exports")
    if items is None:
        raise RequestError(f"the dataflow {flow} sends messages, and writes no files")
    return items


def _named(item: Row) -> str:
    return f"{item.get('namespace')}:{item['audience']}"


def _next(item: Row) -> str:
    if item["underWay"] is not None:
        return f"now, by {item['underWay']}"
    after = "after the next evaluation" if item["triggerType"] == "AFTER_SEGMENT_EVAL" else "never"
    return f"{minute(item['nextSlot'])} UTC" if item["nextSlot"] else after


def _last(item: Row) -> str:
    last = item["last"]
    return "" if last is None else f"{minute(last['publishedAt'])} UTC by {last['run']}"


def _what(item: Row) -> str:
    return item["audience"] or ", ".join(dataset["name"] or dataset["id"] for dataset in item["datasets"])


def _mode(item: Row) -> str:
    return "whole" if item["exportMode"] == "DAILY_FULL_EXPORT" else "what is new"


_DUE: Columns = {
    "files of": _what,
    "mode": _mode,
    "frequency": member("frequency"),
    "next": _next,
    "missed": lambda item: str(item["missed"] or ""),
    "last published": _last,
}
