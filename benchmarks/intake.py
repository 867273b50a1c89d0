"""
How fast profiles are taken: durable accept alone, 500 profiles a request.

One `headrace serve` with one dataflow, which is disabled, so that its changes wait. People of about 1 kB are known
already; each wave moves every one of them into or out of an audience. Several senders each wait for the answer, which
comes when the disk has what they sent. Prints profiles a second, and for each second that the server's processes
worked; senders and server share the machine.

    python benchmarks/intake.py [--people 20000] [--senders 2] [--waves 3] [--batch 500]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from streaming import Address, server, switch, wave

from headrace.cli.client import Client, wait_for_server
from headrace.cli.demo import connect
from headrace.testkit.profiles import generate

NOWHERE = Address("http://127.0.0.1:9")
TICKS = 100  # of the kernel's clock, a second


def main() -> None:
    """Measure requests without and with an idempotency key, and print a line for each."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, default=20_000)
    arguments.add_argument("--senders", type=int, default=2)
    arguments.add_argument("--waves", type=int, default=3)
    arguments.add_argument("--batch", type=int, default=500)
    given = arguments.parse_args()
    people, numbers = list(generate(given.people, seed=7)), count()
    print(f"{'requests':<12} {'profiles/s':>11} {'a CPU second':>13}   ({given.people:,} people a wave)")
    with running(given.senders) as (process, senders):
        send(senders, wave(people, next(numbers), "exited", given.batch), has_key=False)
        for kind in ("bare", "with a key"):
            rates = [
                measure(process, senders, wave(people, next(numbers), status, given.batch), kind == "with a key")
                for _, status in zip(range(given.waves), alternately(), strict=False)
            ]
            wall, cpu = (given.people / statistics.median(column) for column in zip(*rates, strict=True))
            print(f"{kind:<12} {wall:>11,.0f} {cpu:>13,.0f}", flush=True)


@contextmanager
def running(count_: int) -> Iterator[tuple[int, list[Client]]]:
    """Run a Headrace with one dataflow that does not send, and yield its process and some who are signed in."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as directory:
        folder = Path(directory)
        with server(folder, NOWHERE) as process:
            credentials = folder / "data" / "credentials.json"
            client = wait_for_server(credentials)
            switch(client, connect(client, "lighthouse", NOWHERE).dataflow, "disable")  # type: ignore[arg-type]
            yield process, [Client.from_file(credentials) for _ in range(count_)]


def alternately() -> Iterator[str]:
    """Yield the statuses of one wave after the other."""
    while True:
        yield "realized"
        yield "exited"


def measure(process: int, senders: list[Client], batches: list[bytes], has_key: bool) -> tuple[float, float]:
    """Return the seconds that a wave took, and those that the server worked."""
    began, worked = time.perf_counter(), cpu_seconds(process)
    send(senders, batches, has_key=has_key)
    return time.perf_counter() - began, cpu_seconds(process) - worked


def send(senders: list[Client], batches: list[bytes], *, has_key: bool) -> None:
    """Send requests, each sender one after the other."""

    def send_some(place: int) -> None:
        for body in batches[place :: len(senders)]:
            extra = {"Idempotency-Key": uuid4().hex} if has_key else None
            receipt: Any = senders[place].send("POST", "/ingest/profiles", body, "application/x-ndjson", extra)
            assert not receipt["rejected"], receipt["rejected"][:3]

    with ThreadPoolExecutor(len(senders)) as pool:
        list(pool.map(send_some, range(len(senders))))


def cpu_seconds(process: int) -> float:
    """Return how long a process and those it started have worked so far."""
    own = _ticks(Path(f"/proc/{process}"))
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return (own + sum(_ticks(Path(f"/proc/{child}")) for child in children)) / TICKS


def _ticks(folder: Path) -> int:
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    main()
