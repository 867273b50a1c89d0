"""
How fast changes go from an accepted request to a partner's answer, ledger and durability on.

One `headrace serve`, one partner (a process of its own) and this generator share the machine. People of about 1 kB
are known already; each wave moves every one of them into or out of an audience. Prints profiles a second:

- accept: durable accept alone, 500 profiles a request (the dataflow is disabled, so its changes wait)
- drain: delivery of that stored backlog
- together: accept and deliver at the same time

for both example destinations: `moviestar`, one person a message, and `lighthouse`, up to a hundred.

    python benchmarks/streaming.py [--people 20000] [--destination lighthouse]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from headrace.cli.client import FLOWS, Client, wait_for_server
from headrace.cli.demo import connect
from headrace.testkit.profiles import AUDIENCES, generate

BATCH = 500
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Address:
    """Where the partner's process listens."""

    origin: str


def main() -> None:
    """Measure both destinations and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, default=20_000)
    arguments.add_argument("--destination", choices=["moviestar", "lighthouse"], action="append")
    given = arguments.parse_args()
    print(f"{'destination':<12} {'accept/s':>10} {'drain/s':>10} {'together/s':>11}   ({given.people:,} people a wave)")
    for name in given.destination or ["moviestar", "lighthouse"]:
        rates = measure(name, given.people)
        print(f"{name:<12} {rates['accept']:>10,.0f} {rates['drain']:>10,.0f} {rates['together']:>11,.0f}", flush=True)


def measure(name: str, count: int) -> dict[str, float]:
    """Run the three waves of one destination and return profiles a second for each."""
    people = list(generate(count, seed=7))
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as directory, partner() as address:
        folder = Path(directory)
        with server(folder, address):
            client = wait_for_server(folder / "data" / "credentials.json")
            dataflow = connect(client, name, address).dataflow  # type: ignore[arg-type]
            ingest(client, wave(people, 0, "exited"))
            switch(client, dataflow, "disable")
            rates = {"accept": count / timed(lambda: ingest(client, wave(people, 1, "realized")))}
            switch(client, dataflow, "enable")
            rates["drain"] = count / timed(lambda: settled(client, dataflow))
            batches = wave(people, 2, "exited")
            rates["together"] = count / timed(lambda: (ingest(client, batches), settled(client, dataflow)))
            ledger = client.get(f"/dataflows/{dataflow}/ledger")
            assert ledger["delivered"] + ledger["superseded"] == ledger["accepted"] == 2 * count, ledger
    return rates


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


def timed(work: Any) -> float:
    """Return the seconds that work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextmanager
def partner() -> Iterator[Address]:
    """Run a partner that takes everything, in a process of its own."""
    command = [sys.executable, "-m", "headrace", "partner", "--port", "0", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"})
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
