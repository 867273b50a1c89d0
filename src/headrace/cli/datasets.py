"""``headrace datasets``: people where they lie: declare them, take snapshots, look at the first rows, take them in."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.progress import Progress

from headrace.cli.client import Client, signed_in
from headrace.cli.options import DATA, AsJson, DataDir, NoWait, read_json
from headrace.cli.printing import say_json, tell
from headrace.cli.tables import minute, show_rows

app = typer.Typer(
    name="datasets", help="People where they lie: declare them, take snapshots, take them in.", no_args_is_help=True
)

Row = dict[str, Any]
Id = Annotated[str, typer.Argument(metavar="ID", help="The dataset's id.", show_default=False)]
_ENDED = ("succeeded", "failed", "cancelled")
#: Seconds between two looks at a run.
LOOK = 0.2


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="The dataset as JSON, as the API takes it.", show_default=False)],
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """Declare a dataset and print its id. `headrace datasets snapshot` comes next."""
    with signed_in(data_dir) as client:
        made = client.post("/datasets", read_json(file))
    tell(made, made["id"], as_json=as_json)


@app.command("list")
def list_(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """List the datasets."""
    with signed_in(data_dir) as client:
        items = client.get("/datasets")["items"]
    if as_json:
        say_json(items)
        return
    rows = []
    for item in items:
        last = item["snapshot"] or {}
        counts = (str(last.get(name, "")) for name in ("number", "rows", "badRows"))
        rows.append((item["id"], item["name"], item["format"], *counts, minute(last.get("takenAt")) or "none yet"))
    show_rows(("id", "name", "format", "snapshot", "rows", "bad rows", "taken"), rows)


@app.command()
def show(id_: Id, data_dir: DataDir = DATA) -> None:
    """Show a dataset with its newest snapshot, as JSON."""
    with signed_in(data_dir) as client:
        shown = client.get(_path(id_))
    say_json(shown)


@app.command()
def snapshot(id_: Id, data_dir: DataDir = DATA, no_wait: NoWait = False) -> None:
    """Take a snapshot of what lies there now, and say how many rows it has. Exit code 1: it cannot be taken."""
    with signed_in(data_dir) as client:
        asked = client.send("POST", f"{_path(id_)}/snapshots")
        if no_wait:
            sys.stdout.write(f"{asked['run']['id']}\n")
            return
        _wait(client, asked["run"]["id"], "rows")
        taken = client.get(f"{_path(id_)}/snapshots/{asked['snapshot']['number']}")
    sys.stdout.write(f"snapshot {taken['number']}: {taken['rows']} rows, {taken['badRows']} bad\n")
    _tell(taken["bad"], taken["badRows"])


@app.command()
def sample(
    id_: Id,
    rows: Annotated[int, typer.Option(min=1, max=100, help="How many rows.")] = 10,
    data_dir: DataDir = DATA,
) -> None:
    """Show the first rows of the newest snapshot, as the profiles that they are, one JSON a line."""
    with signed_in(data_dir) as client:
        items = client.get(f"{_path(id_)}/sample?limit={rows}")["items"]
    for item in items:
        sys.stdout.write(json.dumps(item.get("profile", item), ensure_ascii=False) + "\n")


@app.command()
def load(
    id_: Id,
    number: Annotated[int | None, typer.Option("--snapshot", help="Its number; without it, the newest.")] = None,
    data_dir: DataDir = DATA,
    no_wait: NoWait = False,
) -> None:
    """Take the people of a snapshot in, as if they had been sent. Exit code 1: it failed; what was taken in stays."""
    query = "" if number is None else f"?snapshot={number}"
    with signed_in(data_dir) as client:
        run = client.send("POST", f"{_path(id_)}/load{query}")["id"]
        if no_wait:
            sys.stdout.write(f"{run}\n")
            return
        progress = _wait(client, run, "done")["progress"]
    sys.stdout.write(f"{progress.get('accepted', 0)} people taken in, {progress.get('rejected', 0)} rows rejected\n")
    _tell(progress.get("rejects", []), progress.get("rejected", 0))


@app.command()
def remove(id_: Id, data_dir: DataDir = DATA) -> None:
    """Delete a dataset that nothing uses, with its snapshots. The data stays where it lies."""
    with signed_in(data_dir) as client:
        client.send("DELETE", _path(id_))


def _path(id_: str) -> str:
    return f"/datasets/{quote(id_, safe='')}"


def _wait(client: Client, run: str, counted: str) -> Row:
    """Wait for a run and show how far it has come; end the command where it did not succeed."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        while (found := client.get(f"/runs/{run}"))["state"] not in _ENDED:
            progress = found["progress"]
            bar.update(task, completed=progress.get(counted, 0), total=progress.get("rows") or None)
            time.sleep(LOOK)
    if found["state"] != "succeeded":
        sys.stderr.write(f"headrace: the run {run} {found['state']}: {found['reason'] or 'somebody ended it'}\n")
        raise typer.Exit(1)
    return dict(found)


def _tell(bad: list[Row], count: int) -> None:
    for row in bad:
        sys.stdout.write(f"{row['file']}:{row['line']}: {row['reason']} ({row['code']})\n")
    if count > len(bad):
        sys.stdout.write(f"and {count - len(bad)} more\n")
