"""What is told of exports, for people: what a run is about, how far it is, its files, and who has no row."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from headrace.cli.client import FLOWS, Client
from headrace.cli.options import LOOK
from headrace.cli.printing import harmless, say
from headrace.cli.tables import Row, minute, show_rows

#: The kind of the runs that write files.
KIND = "export"
#: Seconds between two lines about a run, where nobody sees bars.
_LINES = 5.0


def about(run: Row) -> str:
    """
    Return what a run is about.

    >>> [about({"subject": {"dataflow": "d", "slot": slot}}) for slot in (1772357400000, None)]
    ['dataflow d, slot 2026-03-01 09:30 UTC', 'dataflow d, on demand']
    >>> about({"subject": {"dataflow": "d", "slot": 1772357400000, "missed": 2}})
    'dataflow d, slot 2026-03-01 09:30 UTC and 2 before it'
    """
    slot, missed = run["subject"].get("slot"), run["subject"].get("missed")
    what = "on demand" if slot is None else f"slot {_moment(slot)} UTC"
    return f"dataflow {run['subject']['dataflow']}, {what}{f' and {missed} before it' if missed else ''}"


def progress(told: Row) -> str:
    """
    Return how far an export is.

    >>> progress({"rows": 1200, "bytes": 48000, "parts": 2, "of": 3000, "share": 0.4, "etaSeconds": 90})
    '1,200 of 3,000 rows, 40 %, 48.0 kB, 2 files, 1 min 30 s left'
    """
    if "rows" not in told:
        return ""
    said = [f"{told['rows']:,} of {told['of']:,} rows" if told.get("of") else f"{told['rows']:,} rows"]
    said += [f"{told['share']:.0%}".replace("%", " %")] if told.get("of") and "share" in told else []
    said += [decimal(told["bytes"]), f"{told['parts']} file{'' if told['parts'] == 1 else 's'}"]
    said += [f"{_span(told['etaSeconds'])} left"] if told.get("etaSeconds") else []
    return ", ".join(said)


def audiences(run: Row) -> str:
    """Return whose files a run of the flow service writes: audiences', or datasets'."""
    ours = run["x-headrace"]
    named = [*ours["audiences"], *ours.get("datasets", ())]
    return ", ".join(item["name"] or item["id"] for item in named) or "datasets"


def show_outcome(run: Row) -> None:
    """Print the files of a run of the flow service, and why people have no row in them."""
    files: list[Row] = run["x-headrace"].get("files", [])
    if files:
        rows = ([file["path"], f"{file['rows']:,}", f"{file['bytes']:,}", file["sha256"]] for file in files)
        show_rows(["file", "rows", "bytes", "sha-256"], rows)
    skipped: list[Row] = run["metrics"].get("recordSummary", {}).get("skippedInfo", [])
    if skipped:
        show_rows(["left out", "people", "why"], ([_reason(i), f"{i['count']:,}", i["message"]] for i in skipped))


def _reason(info: Row) -> str:
    return str(info.get("x-headrace", {}).get("reason", info["code"]))


def watch(client: Client, runs: Sequence[str]) -> list[Row]:
    """Show how far runs are until they have ended, and return them as the flow service shows them."""
    with _showing(runs) as seen:
        while True:
            found = [client.get(f"{FLOWS}/runs/{run}")["items"][0] for run in runs]
            for run in found:
                seen(run)
            if all(has_ended(run) for run in found):
                return found
            time.sleep(LOOK)


def has_ended(run: Row) -> bool:
    """Say whether a run of the flow service has ended."""
    return run["metrics"]["durationSummary"]["completedAtUTC"] is not None


def tell_end(run: Row) -> None:
    """Print how a run of the flow service ended."""
    status = run["metrics"]["statusSummary"]
    if status["status"] != "success":
        why = "; ".join(error["message"] for error in status.get("errors", ())) or "it was cancelled"
        sys.stderr.write(harmless(f"headrace: {audiences(run)}: the run {run['id']} failed: {why}\n"))
        return
    say(f"{audiences(run)}: {progress(run['x-headrace'])}")
    show_outcome(run)


class _Seen(Protocol):
    def __call__(self, run: Row, /) -> None: ...


@contextmanager
def _showing(runs: Sequence[str]) -> Iterator[_Seen]:
    """Make what shows runs: bars in a terminal, and lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=console) as bars:
        yield _Bars(bars, {run: bars.add_task("", total=None, told="") for run in runs})


class _Bars:
    """A bar for each run."""

    def __init__(self, bars: Progress, tasks: dict[str, TaskID]) -> None:
        self._bars = bars
        self._tasks = tasks

    def __call__(self, run: Row, /) -> None:
        told: Any = run["x-headrace"]
        rows, is_over = told.get("rows", 0), has_ended(run)
        total = max(rows, 1) if is_over else told.get("of")
        self._bars.update(
            self._tasks[run["id"]],
            description=harmless(audiences(run)),
            completed=total if is_over else rows,
            total=total,
            told=progress(told) or run["metrics"]["statusSummary"]["status"],
        )


class _Lines:
    """A line for each run whenever its state changes, and every few seconds."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[str, float]] = {}

    def __call__(self, run: Row, /) -> None:
        state, now = run["metrics"]["statusSummary"]["status"], time.monotonic()
        known, at = self._said.get(run["id"], ("", 0.0))
        if state == known and (now - at < _LINES or has_ended(run)):
            return
        self._said[run["id"]] = state, now
        line = ", ".join(filter(None, (state, progress(run["x-headrace"]))))
        sys.stderr.write(harmless(f"{audiences(run)}: {line}\n"))
        sys.stderr.flush()


def _moment(milliseconds: int) -> str:
    return minute(datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat())


def _span(seconds: int) -> str:
    """
    Return a span of time in words.

    >>> _span(45), _span(90), _span(3700)
    ('45 s', '1 min 30 s', '1 h 1 min')
    """
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
