"""
How fast changes go from an accepted request to a partner's answer, ledger and durability on.

One `headrace serve`, one partner and this generator share the machine. The partner is `sink.c`, which takes everything
and costs next to nothing; `--partner` takes `headrace partner` instead, and so does a machine without a C compiler.
People of about 850 bytes are known already; each wave moves every one of them into or out of an audience. Prints
profiles a second, and the CPU time that the server's own process took of it, in microseconds a profile:

- accept: durable accept alone, 500 profiles a request (the dataflow is disabled, so its changes wait)
- drain: delivery of that stored backlog
- together: accept and deliver at the same time
- p95: how long 95 % of messages waited from their oldest change's acceptance to the partner's answer, at 70 % of what
  went through together, in milliseconds

for both example destinations: `moviestar`, one person a message, and `lighthouse`, up to a hundred.

    python benchmarks/streaming.py [--people 20000] [--destination lighthouse] [--partner]
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from headrace.cli.client import FLOWS, Client, wait_for_server
from headrace.cli.demo import connect
from headrace.testkit.profiles import AUDIENCES, generate

BATCH = 500
WAVES = ("accept", "drain", "together")
LOAD = 0.7
#: Waves in a row at that load, so that what the first finds idle does not count for much.
AT_LOAD = 3
#: Lately, for what is said of audiences that others keep ends after a month.
FIRST = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)


@dataclass(frozen=True)
class Address:
    """Where the partner's process listens."""

    origin: str


FarEnd = Callable[[], AbstractContextManager[Address]]


def main() -> None:
    """Measure both destinations and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, default=20_000)
    arguments.add_argument("--destination", choices=["moviestar", "lighthouse"], action="append")
    arguments.add_argument("--partner", action="store_true")
    given = arguments.parse_args()
    far_end = partner if given.partner or shutil.which("cc") is None else sink
    people = [slim(person) for person in generate(given.people, seed=7)]
    size = sum(len(orjson.dumps(person)) for person in people) // len(people)
    print(f"{given.people:,} people of {size} bytes a wave, to {far_end.__name__}")
    print("".join(f"{column:>20}" for column in ("destination", *WAVES, "p95")))
    for name in given.destination or ["moviestar", "lighthouse"]:
        rates, p95 = measure(name, people, far_end)
        figures = (f"{rates[wave].rate:,.0f}/s {rates[wave].cpu:.0f} us" for wave in WAVES)
        print("".join(f"{column:>20}" for column in (name, *figures, f"{p95 * 1000:.0f} ms")), flush=True)


def slim(person: dict[str, Any]) -> dict[str, Any]:
    """Return a person without what makes them larger than most people's profiles."""
    left_out = ("commerce", "preferences", "consents")
    kept = {name: value for name, value in person.items() if name not in left_out}
    identities = {name: kept["identityMap"][name] for name in list(kept["identityMap"])[:2]}
    return {**kept, "identityMap": identities}


@dataclass(frozen=True)
class Figure:
    """Profiles a second, and microseconds of the server's CPU time for each."""

    rate: float
    cpu: float


def measure(name: str, people: list[dict[str, Any]], far_end: FarEnd) -> tuple[dict[str, Figure], float]:
    """Run the three waves of one destination, and those at load; return the rates, and the seconds of p95."""
    count = len(people)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as directory, far_end() as address:
        folder = Path(directory)
        with server(folder, address) as pid:
            client = wait_for_server(folder / "data" / "credentials.json")
            dataflow = connect(client, name, address).dataflow  # type: ignore[arg-type]
            ingest(client, wave(people, 0, "exited"))
            switch(client, dataflow, "disable")
            batches = wave(people, 1, "realized")
            figures = {"accept": timed(pid, count, lambda: ingest(client, batches))}
            switch(client, dataflow, "enable")
            figures["drain"] = timed(pid, count, lambda: settled(client, dataflow))
            batches = wave(people, 2, "exited")
            figures["together"] = timed(pid, count, lambda: (ingest(client, batches), settled(client, dataflow)))
            p95 = waited(client, dataflow, people, LOAD * figures["together"].rate)
            ledger = client.get(f"/dataflows/{dataflow}/ledger")
            assert ledger["delivered"] + ledger["superseded"] == ledger["accepted"] == (2 + AT_LOAD) * count, ledger
    return figures, p95


def waited(client: Client, dataflow: str, people: list[dict[str, Any]], rate: float) -> float:
    """Send so many people a second; return the seconds that 95 % of their messages waited for less than."""
    before = buckets(client)
    for number in range(AT_LOAD):
        due = time.perf_counter()
        for body in wave(people, 3 + number, ("realized", "exited")[number % 2]):
            time.sleep(max(0.0, due - time.perf_counter()))
            ingest(client, [body])
            due += BATCH / rate
    settled(client, dataflow)
    time.sleep(1)  # What is counted is told once it is written down, which is a moment after it is settled.
    return quantile(0.95, {edge: count - before.get(edge, 0.0) for edge, count in buckets(client).items()})


_BUCKET = re.compile(r'^headrace_message_delivered_waited_seconds_bucket{.*le="([^"]+)".*} (\S+)$', re.MULTILINE)


def buckets(client: Client) -> dict[float, float]:
    """Return how many messages had waited for at most so many seconds when they were delivered."""
    text = client.exchange("GET", "/metrics").body
    return {float(edge): float(count) for edge, count in _BUCKET.findall(text)}


def quantile(share: float, counts: dict[float, float]) -> float:
    """Return the seconds below which a share is, by a straight line within its bucket as Prometheus draws it."""
    wanted, last, under = share * counts[float("inf")], 0.0, 0.0
    for edge, count in sorted(counts.items()):
        if count >= wanted:
            return last if edge == float("inf") else last + (edge - last) * (wanted - under) / max(count - under, 1.0)
        last, under = edge, count
    return last


def wave(people: list[dict[str, Any]], number: int, status: str, batch: int = BATCH) -> list[bytes]:
    """Return requests that give everybody a status in one audience, later with every wave."""
    at = (FIRST + timedelta(hours=number)).isoformat().replace("+00:00", "Z")
    lines = []
    for place, person in enumerate(people):
        audience = AUDIENCES[place % len(AUDIENCES)]
        membership = {audience.namespace: {audience.id: {"status": status, "lastQualificationTime": at}}}
        lines.append(orjson.dumps({**person, "segmentMembership": membership}))
    return [b"\n".join(lines[start : start + batch]) for start in range(0, len(lines), batch)]


def ingest(client: Client, batches: list[bytes]) -> None:
    """Send requests one after the other; each is answered once it is on disk."""
    for body in batches:
        receipt = client.send("POST", "/ingest/profiles", body, "application/x-ndjson")
        assert not receipt["rejected"], receipt["rejected"][:3]


def settled(client: Client, dataflow: str) -> None:
    """Wait until nothing of a dataflow is pending."""
    while client.get(f"/dataflows/{dataflow}/ledger")["pending"]:
        time.sleep(0.05)


def switch(client: Client, dataflow: str, operation: str) -> None:
    """Enable or disable a dataflow."""
    client.send("POST", f"{FLOWS}/flows/{dataflow}/action?op={operation}")


def timed(pid: int, count: int, work: Callable[[], object]) -> Figure:
    """Return how fast so many profiles went through some work."""
    cpu, started = cpu_of(pid), time.perf_counter()
    work()
    return Figure(count / (time.perf_counter() - started), (cpu_of(pid) - cpu) / count * 1e6)


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def sink() -> Iterator[Address]:
    """Compile and run a partner that takes everything, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="headrace-sink-") as directory:
        program = Path(directory) / "sink"
        subprocess.run(["cc", "-O2", "-o", program, Path(__file__).with_name("sink.c")], check=True)
        with far_end_of([str(program)]) as address:
            yield address


@contextmanager
def partner() -> Iterator[Address]:
    """Run the partner of the testkit, which remembers what it is sent, in a process of its own."""
    with far_end_of([sys.executable, "-m", "headrace", "partner", "--port", "0", "--quiet"]) as address:
        yield address


@contextmanager
def far_end_of(command: list[str]) -> Iterator[Address]:
    """Run a program that says in its first line where it listens."""
    environment = {**os.environ, "COLUMNS": "200"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        match = re.search(r"http://[\d.]+:\d+", process.stdout.readline())
        assert match is not None, "the partner did not say where it listens"
        yield Address(match[0])
    finally:
        process.terminate()
        process.wait()


@contextmanager
def server(folder: Path, address: Address) -> Iterator[int]:
    """Run Headrace on embedded defaults; yield the number of its process."""
    settings = {"HEADRACE_KEY_FILE": str(folder / "master.key"), "HEADRACE_EGRESS_ALLOW": address.origin}
    command = [sys.executable, "-m", "headrace", "serve", "--port", "0", "--data-dir", str(folder / "data")]
    process = subprocess.Popen(command, env={**os.environ, **settings}, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
