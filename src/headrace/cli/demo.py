"""``headrace demo``: the main job, end to end, on one machine: author, connect, ingest, deliver, account for it all."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from headrace.cli import examples
from headrace.cli.client import AUTHORING, FLOWS, Client, wait_for_server
from headrace.cli.partner import describe
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.testkit.oracle import Truth, compare
from headrace.testkit.partner import Partner
from headrace.testkit.people.audiences import AUDIENCES
from headrace.testkit.people.days import Scenario
from headrace.testkit.people.writing import texts

app = typer.Typer(add_completion=False)

#: Which answers of each partner are not 200, so that a retry and a parked change can be seen.
SCRIPTS = {"moviestar": [200, 200, 200, 400], "lighthouse": [200, 503]}
TOKEN = "demo-token-of-the-partner"  # noqa: S105 - known to the demo's own partner only
SEED = 1
BATCH = 500
DAYS = 3
LONGEST_WAIT = 600.0


@dataclass(frozen=True, slots=True)
class Connected:
    """An example destination that is connected to a demo partner."""

    name: str
    dataflow: str
    partner: Partner


@app.command()
def demo(
    exit_: Annotated[
        bool, typer.Option("--exit", help="End when everything is delivered; not 0 if anything is lost.")
    ] = False,
    profiles: Annotated[int, typer.Option(min=1, help="How many people to ingest.")] = 10_000,
) -> None:
    """
    Show the main job end to end, on this machine.

    Starts Headrace in a temporary directory and two partners on loopback, authors the example destinations, connects
    them, ingests people and what happens to them in three days, and accounts for every change.
    """
    console = Console()
    with tempfile.TemporaryDirectory(prefix="headrace-demo-") as directory, _partners() as partners:
        folder = Path(directory)
        with _server(folder, partners) as server:
            client = wait_for_server(folder / "data" / "credentials.json")
            console.print(f"Headrace listens on [bold]{client.url}[/]; two partners listen beside it.\n")
            connected = [connect(client, name, partner) for name, partner in partners.items()]
            truth, seconds = deliver(console, client, connected, profiles)
            lost = report(console, client, connected, truth, profiles, seconds)
            _point_further(console)
            if not exit_:
                _stay(console, client, connected, folder, server)
    sys.exit(1 if lost else 0)


def connect(client: Client, name: str, partner: Partner) -> Connected:
    """Author an example destination, sign in at its partner and set a dataflow of all audiences going."""
    example, destination = examples.destination(name), author(client, name, partner)
    spec = {"id": destination["instanceId"], "version": "1.0"}
    auth = {"specName": "BEARER", "params": {"token": TOKEN}}
    account = client.post(f"{FLOWS}/connections", {"name": f"{name} account", "connectionSpec": spec, "auth": auth})
    source = client.post(
        f"{FLOWS}/sourceConnections", {"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
    )
    activation = example["activation"]
    target = {
        "name": name,
        "baseConnectionId": account["id"],
        "connectionSpec": spec,
        "params": activation["customerData"],
    }
    flow = client.post(
        f"{FLOWS}/flows",
        {
            "name": f"All audiences to {destination['name']}",
            "sourceConnectionIds": [source["id"]],
            "targetConnectionIds": [client.post(f"{FLOWS}/targetConnections", target)["id"]],
            "transformations": [{"name": "GeneralTransform", "params": _chosen(activation["mapping"])}],
        },
    )
    return Connected(name, flow["id"], partner)


def author(client: Client, name: str, partner: Partner) -> dict[str, Any]:
    """Author an example destination, towards the demo's partner, and return it."""
    example = examples.destination(name)
    server = client.post(f"{AUTHORING}/destination-servers", _towards(example["destinationServer"], partner.origin))
    delivery = {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": server["instanceId"]}
    made: dict[str, Any] = client.post(
        f"{AUTHORING}/destinations", {**example["destination"], "destinationDelivery": [delivery]}
    )
    return made


def deliver(console: Console, client: Client, connected: list[Connected], count: int) -> tuple[Truth, float]:
    """Ingest people and their changes, wait until nothing is pending; return what is true now and the seconds."""
    truth, scenario = Truth(), Scenario(count, DAYS, SEED)
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    started = time.monotonic()
    with Progress(*columns, console=console) as progress:
        ingesting = progress.add_task("people ingested", total=count)
        changing = progress.add_task(f"changes of {DAYS} days", total=None)
        bars = {item.dataflow: progress.add_task(f"{item.name}: settled", total=None) for item in connected}
        for batch in _batches(_sent(scenario, range(1))):
            _ingest(client, batch, truth)
            progress.advance(ingesting, len(batch))
            _show_settled(client, progress, bars)
        for batch in _batches(_sent(scenario, range(1, DAYS + 1))):
            _ingest(client, batch, truth)
            progress.advance(changing, len(batch))
            _show_settled(client, progress, bars)
        progress.update(changing, total=progress.tasks[changing].completed)
        deadline = time.monotonic() + LONGEST_WAIT
        while _show_settled(client, progress, bars) and time.monotonic() < deadline:
            time.sleep(0.05)
    return truth, time.monotonic() - started


def report(
    console: Console, client: Client, connected: list[Connected], truth: Truth, count: int, seconds: float
) -> bool:
    """Print what became of everything and one request as it arrived; say whether anything is lost."""
    lost = False
    table = Table(title="\nWhat became of every change", box=SIMPLE_HEAD, title_justify="left")
    table.add_column("destination")
    for column in ("accepted", "delivered", "superseded", "parked", "messages", "agrees"):
        table.add_column(column, justify="right")
    for item in connected:
        ledger = client.get(f"/dataflows/{item.dataflow}/ledger")
        parked = client.get(f"/dataflows/{item.dataflow}/parked?limit=1000")["items"]
        differences = compare(item.name, truth, item.partner.received, {change["profile"] for change in parked})
        settled = sum(ledger[outcome] for outcome in ("delivered", "superseded", "withheld", "parked"))
        lost = lost or bool(differences) or ledger["pending"] > 0 or ledger["accepted"] != settled
        numbers = [f"{ledger[name]:,}" for name in ("accepted", "delivered", "superseded", "parked", "messages")]
        table.add_row(item.name, *numbers, "yes" if not differences else f"no: {differences[0]}")
    console.print(table)
    console.print(
        f"{count:,} people in {seconds:.1f} s: [bold]{count / seconds:,.0f} profiles a second[/], all on disk.\n"
    )
    for item in connected:
        _explain(console, client, item)
    last = connected[0].partner.received[-1]
    console.print("[bold]One request as the partner received it:[/]")
    console.print(describe(last), soft_wrap=True)
    return lost


def _explain(console: Console, client: Client, item: Connected) -> None:
    """Tell of the answers that were not a success, and what followed."""
    refused = {status: number for status, number in item.partner.statuses.items() if status != 200}
    for status, number in refused.items():
        console.print(f"{item.name} answered {number} x {status}", end="; ")
    parked = client.get(f"/dataflows/{item.dataflow}/parked?limit=1")["items"]
    if parked:
        change = parked[0]
        console.print(f"parked: [bold]{change['profile']}[/], because {change['reason']}.")
    else:
        console.print("the message was sent again and taken.")


def _point_further(console: Console) -> None:
    """Say where to look next."""
    console.print("[bold]Where to look next[/]")
    console.print(f"  the destinations as data    {examples.folder() / 'destinations'}", soft_wrap=True)
    console.print("  a destination of your own   docs/first-destination.md")
    console.print("  the way of a change         docs/architecture.md")


def _stay(
    console: Console, client: Client, connected: list[Connected], folder: Path, server: "subprocess.Popen[bytes]"
) -> None:
    """Keep everything running, so that one can look around."""
    data = folder / "data"
    console.print("\n[bold]All of it is still running[/] (ctrl-C ends the demo)")
    console.print(f"  metrics     {client.url}/metrics", soft_wrap=True)
    console.print(f"  REST API    {client.url}/openapi.json", soft_wrap=True)
    path = f"/dataflows/{connected[0].dataflow}/ledger"
    console.print(f"  a call      {sys.argv[0]} api GET {path} --data-dir {data}", soft_wrap=True)
    try:
        server.wait()
    except KeyboardInterrupt:
        console.print("\nEnding the demo; its directory goes with it.")


def _sent(scenario: Scenario, days: range) -> Iterator[bytes]:
    """Yield what comes in on some days as NDJSON lines: on day 0 everybody, then the changes."""
    for day in days:
        for wanted in scenario.sent_on(day):
            for lines in texts(wanted):
                yield from (line.strip().encode() for line in lines)


def _batches(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(islice(lines, BATCH)):
        yield batch


def _ingest(client: Client, batch: list[bytes], truth: Truth) -> None:
    receipt = client.send("POST", "/ingest/profiles", b"\n".join(batch), "application/x-ndjson")
    rejected = {item["line"] for item in receipt["rejected"]}
    truth.take(line for number, line in enumerate(batch, 1) if number not in rejected)


def _show_settled(client: Client, progress: Progress, bars: dict[str, Any]) -> bool:
    """Move the bars; say whether anything is still pending."""
    pending = 0
    for dataflow, bar in bars.items():
        ledger = client.get(f"/dataflows/{dataflow}/ledger")
        progress.update(bar, total=ledger["accepted"], completed=ledger["accepted"] - ledger["pending"])
        pending += ledger["pending"]
    return pending > 0


def _towards(server: dict[str, Any], origin: str) -> dict[str, Any]:
    """Return the example's server with the demo partner's origin in the place of the one in the file."""
    url = server["urlBasedDestination"]["url"]
    parts = urlsplit(url["value"])
    moved = {**url, "value": url["value"].replace(f"{parts.scheme}://{parts.netloc}", origin, 1)}
    return {**server, "urlBasedDestination": {"url": moved}}


def _chosen(mapping: list[dict[str, str]]) -> dict[str, Any]:
    """Return the audiences and the mapping of a dataflow as the flow service writes them."""
    audiences = [
        {
            "type": "PLATFORM_SEGMENT",
            "value": {
                "id": audience.id,
                "namespace": audience.namespace,
                "name": audience.name,
                "mappingId": audience.name.lower().replace(" ", "-"),
            },
        }
        for audience in AUDIENCES
    ]
    fields = [
        {
            "type": "JSON_PATH",
            "value": {
                "path": row["source"],
                "operator": "EXISTS",
                "mapping": {"sourceType": "text/x.schema-path", **row},
            },
        }
        for row in mapping
    ]
    return {"segmentSelectors": {"selectors": audiences}, "profileSelectors": {"selectors": fields}}


@contextmanager
def _partners() -> Iterator[dict[str, Partner]]:
    """Run a partner for each example."""
    with (
        Partner.in_thread(SCRIPTS["moviestar"], token=TOKEN) as first,
        Partner.in_thread(SCRIPTS["lighthouse"], token=TOKEN) as second,
    ):
        yield {"moviestar": first, "lighthouse": second}


@contextmanager
def _server(folder: Path, partners: dict[str, Partner]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run Headrace on embedded defaults in a folder; only the first retries come sooner than they otherwise would."""
    settings = {
        "HEADRACE_KEY_FILE": str(folder / "master.key"),
        "HEADRACE_EGRESS_ALLOW": ",".join(partner.origin for partner in partners.values()),
        "HEADRACE_RETRY_STEPS": "1,5,15,60",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    command = [sys.executable, "-m", "headrace", "serve", "--port", "0", "--data-dir", str(folder / "data")]
    log = (folder / "headrace.log").open("wb")
    server = subprocess.Popen(command, env=kept | settings, stderr=log)  # noqa: S603 - our own program
    try:
        yield server
    finally:
        server.terminate()
        server.wait(timeout=60)
        log.close()
