"""``headrace alerts``: see what is wrong, and say who is told of it."""

import json
import sys
import time
from typing import Annotated, Any
from urllib.parse import quote

import typer

from headrace.cli.client import signed_in
from headrace.cli.options import DATA, LOOK, AsJson, DataDir
from headrace.cli.tables import Columns, minute, show_all
from headrace.errors import RequestError

app = typer.Typer(name="alerts", help="See what is wrong, and say who is told of it.", no_args_is_help=True)

_ENDED = ("succeeded", "failed", "cancelled")
_PATH = "/alerts/subscriptions"
_ALERTS: Columns = {
    "alert": lambda row: row["alert"],
    "state": lambda row: row["state"],
    "about": lambda row: row["about"]["name"] or row["about"]["id"],
    "since": lambda row: minute(row["raisedAt"]),
    "until": lambda row: minute(row["recoveredAt"]),
    "why": lambda row: row["reason"],
}
_SUBSCRIPTIONS: Columns = {
    "id": lambda row: row["id"],
    "told": lambda row: row.get("mail") or row.get("webhook") or "",
    "alerts": lambda row: ", ".join(row["alerts"]),
    "dataflow": lambda row: row.get("dataflow") or "all",
    "threshold": lambda row: str(row.get("threshold", "")),
}
Id = Annotated[str, typer.Argument(metavar="ID", help="The subscription's id.", show_default=False)]


@app.command("list")
def list_(
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
    over: Annotated[bool, typer.Option("--all", help="Also what was over in the last thirty days.")] = False,
    subscriptions: Annotated[bool, typer.Option("--subscriptions", help="List who is told instead.")] = False,
) -> None:
    """List what is wrong, or who is told of it."""
    path = _PATH if subscriptions else f"/alerts?state={'all' if over else 'raised'}"
    with signed_in(data_dir) as client:
        items = client.get(path)["items"]
    show_all(items, _SUBSCRIPTIONS if subscriptions else _ALERTS, as_json=as_json)


@app.command()
def subscribe(
    alerts: Annotated[
        list[str], typer.Argument(metavar="ALERT...", help="What to be told of, such as `dataflow-held`.")
    ],
    mail: Annotated[str | None, typer.Option(help="The address to send mail to.", show_default=False)] = None,
    webhook: Annotated[str | None, typer.Option(help="The URL to post to.", show_default=False)] = None,
    signing_secret: Annotated[
        str | None,
        typer.Option(
            envvar="HEADRACE_ALERT_SIGNING_SECRET",
            help="What messages to the webhook are signed with, `whsec_…`.",
            show_default=False,
        ),
    ] = None,
    dataflow: Annotated[str | None, typer.Option(help="Only of this dataflow.", show_default=False)] = None,
    threshold: Annotated[
        float | None, typer.Option(help="What is too much, where one alert is named.", show_default=False)
    ] = None,
    data_dir: DataDir = DATA,
) -> None:
    """Have alerts told by mail or to a webhook, and print the subscription's id. `headrace alerts test` tries it."""
    given = {
        "alerts": alerts,
        "mail": mail,
        "webhook": webhook,
        "signingSecret": signing_secret,
        "dataflow": dataflow,
        "threshold": threshold,
    }
    document: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with signed_in(data_dir) as client:
        made = client.send("POST", _PATH, json.dumps(document).encode())
    sys.stdout.write(f"{made['id']}\n")


@app.command()
def unsubscribe(id_: Id, data_dir: DataDir = DATA) -> None:
    """End a subscription."""
    with signed_in(data_dir) as client:
        client.send("DELETE", _path(id_))


@app.command("test")
def try_out(id_: Id, data_dir: DataDir = DATA) -> None:
    """Send a test to a subscription, and say whether it was taken. Exit code 2: it was not."""
    with signed_in(data_dir) as client:
        asked = client.send("POST", f"{_path(id_)}/test")
        while (run := client.get(f"/runs/{asked['run']['id']}"))["state"] not in _ENDED:
            time.sleep(LOOK)
    if run["state"] != "succeeded":
        raise RequestError(f"the test was not taken: {run['reason']}")
    sys.stdout.write("the test was taken\n")


def _path(id_: str) -> str:
    return f"{_PATH}/{quote(id_, safe='')}"
