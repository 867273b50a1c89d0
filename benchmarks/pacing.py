"""
What partners that hang cost the others: how fast a healthy dataflow delivers alone, and beside fifty that hang.

One `headrace serve` and a partner of its own process take part; the partners that hang are a socket that takes
connections and never answers. The same people wait for all dataflows both times, stored beforehand: what differs is
only whether those that hang are enabled. Prints people a second, and how many times longer it takes beside them; the
goal is 1.3 at the most.

    python benchmarks/pacing.py [--people 2000] [--hanging 50] [--destination moviestar]
"""

import argparse
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streaming import Address, ingest, partner, server, settled, switch, wave

from headrace.cli.client import Client, wait_for_server
from headrace.cli.demo import connect
from headrace.testkit.profiles import generate

#: Until requests of all that hang are under way, in seconds.
UNTIL_THEY_HANG = 5.0


def main() -> None:
    """Measure both and print a line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, default=2_000)
    arguments.add_argument("--hanging", type=int, default=50)
    arguments.add_argument("--destination", choices=["moviestar", "lighthouse"], default="moviestar")
    given = arguments.parse_args()
    alone, beside = measure(given.destination, given.people, given.hanging)
    print(f"alone {alone:,.0f}/s, beside {given.hanging} that hang {beside:,.0f}/s: {alone / beside:.2f} times as long")


def measure(name: str, count: int, hanging: int) -> tuple[float, float]:
    """Return people a second of the healthy dataflow, alone and beside those that hang."""
    people = list(generate(count, seed=7))
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as directory, partner() as healthy, hangs() as other:
        folder = Path(directory)
        with server(folder, Address(f"{healthy.origin}, {other.origin}")):
            client = wait_for_server(folder / "data" / "credentials.json", seconds=120)
            flow = connect(client, name, healthy).dataflow  # type: ignore[arg-type]
            others = [connect(client, name, other).dataflow for _ in range(hanging)]  # type: ignore[arg-type]
            for dataflow in (flow, *others):
                switch(client, dataflow, "disable")
            alone = 0.0  # Of the later wave of the two: the first warms it up.
            for number, status in enumerate(("realized", "exited", "realized", "exited")):
                ingest(client, wave(people, number, status))
                seconds = drained(client, flow)
                alone = count / seconds if status == "realized" else alone
                switch(client, flow, "disable")
            ingest(client, wave(people, 4, "realized"))
            for dataflow in others:
                switch(client, dataflow, "enable")
            time.sleep(UNTIL_THEY_HANG)
            return alone, count / drained(client, flow)


def drained(client: Client, dataflow: str) -> float:
    """Enable a dataflow and return the seconds until nothing of it is pending."""
    began = time.perf_counter()
    switch(client, dataflow, "enable")
    settled(client, dataflow)
    return time.perf_counter() - began


@contextmanager
def hangs() -> Iterator[Address]:
    """Listen, and never answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        yield Address(f"http://127.0.0.1:{listening.getsockname()[1]}")


if __name__ == "__main__":
    main()
