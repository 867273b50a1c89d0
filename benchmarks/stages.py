"""
Where the time of delivery goes: microseconds of CPU for each profile by stage, and what the machine could do at most.

`headrace serve` takes in and delivers a wave as in `streaming.py`, and a sampling profiler looks at all of its threads
and of its processes a hundred times a second. A sample belongs to the stage of the innermost of our modules on the
stack. Beside them stand raw limits of the same machine, taken right after: what nobody who keeps these promises on it
can be quicker than.

    python benchmarks/stages.py [--people 20000] [--destination lighthouse]
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from streaming import BATCH, FarEnd, cpu_of, ingest, partner, server, settled, sink, slim, wave

from headrace.cli.client import wait_for_server
from headrace.cli.demo import connect
from headrace.testkit.profiles import generate

#: Stages by the beginning of what is on the stack, the more special first.
STAGES = (
    ("store: commit (fsync)", ("Writer._commit",)),
    ("store: accept", ("headrace/store/outbox/accepting", "headrace/store/profiles", "headrace/store/unique")),
    ("store: claim", ("headrace/store/outbox/claiming", "headrace/store/outbox/ripening")),
    ("store: settle", ("headrace/store/outbox/settling", "headrace/store/outbox/acknowledging")),
    (
        "store: history and ledger",
        (
            "headrace/store/history",
            "headrace/store/hours",
            "headrace/store/books",
            "headrace/store/ledger",
            "headrace/store/outbox/noting",
        ),
    ),
    (
        "find what changed",
        (
            "headrace/streaming/triggers",
            "headrace/services/ingestion",
            "headrace/model/",
            "headrace/services/applying",
            "headrace/mapping/",
            "headrace/services/erased",
        ),
    ),
    ("send, and read the answer", ("headrace/connect/",)),
    (
        "carry: pace, gather, conclude",
        (
            "headrace/streaming/",
            "headrace/services/delivery",
            "headrace/services/pacing",
            "headrace/services/settling",
            "headrace/services/holding",
        ),
    ),
    ("render (parent)", ("headrace/render/pool", "headrace/render/frames")),
    ("render (children)", ("headrace/render/", "headrace/template/", "<template")),
    (
        "watch: metrics, logs, traces",
        ("headrace/meters", "headrace/events", "headrace/services/gauges", "headrace/services/tracing"),
    ),
    ("REST API", ("headrace/api/", "uvicorn/protocols", "starlette/", "fastapi/")),
)


#: What all of the store's work goes through: whoever calls it has the stage.
STORE = "headrace/store/"


def main() -> None:
    """Profile one wave, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, default=20_000)
    arguments.add_argument("--destination", choices=["moviestar", "lighthouse"], action="append")
    given = arguments.parse_args()
    far_end = partner if shutil.which("cc") is None else sink
    people = [slim(person) for person in generate(given.people, seed=7)]
    for name in given.destination or ["moviestar", "lighthouse"]:
        look_at(name, people, far_end)
    limits(people)


def look_at(name: str, people: list[dict[str, Any]], far_end: FarEnd) -> None:
    """Profile the third wave to a destination, when everything is warm, and print its stages."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as directory, far_end() as address:
        folder = Path(directory)
        with server(folder, address) as pid:
            client = wait_for_server(folder / "data" / "credentials.json")
            dataflow = connect(client, name, address).dataflow  # type: ignore[arg-type]
            for number, status in enumerate(("exited", "realized")):
                ingest(client, wave(people, number, status))
                settled(client, dataflow)
            batches = wave(people, 2, "exited")
            with profiled(pid, folder / "samples"):
                before, began = cpu_of_all(pid), time.perf_counter()
                ingest(client, batches)
                settled(client, dataflow)
                spent, seconds = cpu_of_all(pid) - before, time.perf_counter() - began
        show(name, Counter(stages(folder / "samples")), spent / len(people) * 1e6, len(people) / seconds)


def cpu_of_all(pid: int) -> float:
    """Return the seconds of CPU time of a process and of its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_of(pid) + sum(cpu_of_all(int(child)) for child in children)


@contextmanager
def profiled(pid: int, samples: Path) -> Iterator[None]:
    """Have a process and its children looked at, and the samples written."""
    command = [Path(sys.executable).with_name("py-spy"), "record", "--pid", str(pid), "--subprocesses", "--threads"]
    more = ["--rate", "100", "--format", "raw", "--nonblocking", "--output", samples, "--duration", "600"]
    process = subprocess.Popen([*command, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)
    try:
        yield
    finally:
        process.send_signal(2)
        process.wait()


def stages(samples: Path) -> Iterator[str]:
    """Yield the stage of every sample."""
    for line in samples.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        yield from [stage_of(stack.split(";"))] * int(count)


def stage_of(stack: list[str]) -> str:
    for frame in reversed(stack):
        for stage, beginnings in STAGES:
            if any(beginning in frame for beginning in beginnings):
                return stage
    return "store: the rest" if any(STORE in frame for frame in stack) else "event loop and the rest"


def show(name: str, found: Counter[str], spent: float, rate: float) -> None:
    """Print the stages of one destination."""
    samples = found.total()
    print(f"\n{name}: {rate:,.0f} a second while it was looked at, {spent:.0f} us of CPU for each, {samples:,} samples")
    for stage, count in found.most_common():
        print(f"  {stage:<32}{spent * count / samples:>7.1f} us {count / samples:>6.0%}")


# -- what the machine could do ----------------------------------------------------------------------------------------


def limits(people: list[dict[str, Any]]) -> None:
    """Print raw limits: of the disk, of SQLite, of JSON."""
    texts = [orjson.dumps(person) for person in people]
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as directory:
        print(f"\nraw: {syncs(Path(directory)):,.0f} fsyncs a second")
        print(
            f"raw: {1e6 / rows(Path(directory), texts):.1f} us a document of {len(texts[0])} bytes into SQLite,"
            f" {BATCH} a commit"
        )
    began = time.perf_counter()
    for text in texts:
        orjson.loads(text)
    print(f"raw: {(time.perf_counter() - began) / len(texts) * 1e6:.1f} us to read a document with orjson")


def syncs(folder: Path) -> float:
    """Return how often a second a page can be appended and is on the disk."""
    with (folder / "page").open("wb", buffering=0) as file:
        began = time.perf_counter()
        for _ in range(500):
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
        return 500 / (time.perf_counter() - began)


def rows(folder: Path, texts: list[bytes]) -> float:
    """Return how many documents a second SQLite takes with `synchronous=FULL`, over those it has."""
    known = sqlite3.connect(folder / "raw.db", isolation_level=None)
    known.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE people (id INTEGER PRIMARY KEY, text BLOB)"
    )
    for _ in range(2):
        began = time.perf_counter()
        for start in range(0, len(texts), BATCH):
            known.execute("BEGIN IMMEDIATE")
            some = enumerate(texts[start : start + BATCH], start)
            known.executemany("INSERT INTO people VALUES (?, ?) ON CONFLICT DO UPDATE SET text = excluded.text", some)
            known.execute("COMMIT")
    known.close()
    return len(texts) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
