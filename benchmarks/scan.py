"""
How fast people are scanned as columns: raw (key, number, sequence), with documents, and with paths taken out of them.

A million people of about 1,200 bytes, read by a process of its own, on SQLite or in the empty database of PostgreSQL
that is named. Prints people a second; the microseconds that the process that scans and the one that asked worked for
each; and the most memory that the former had.

    python benchmarks/scan.py [--people 1000000] [--database-url postgresql://…]
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from headrace.model.profile import encode
from headrace.store import profiles
from headrace.store.database import FILE, Store
from headrace.store.migrate import migrate
from headrace.store.profiles import Kept
from headrace.store.scanning import Profiles
from headrace.testkit.profiles import generate

SCANS = {
    "raw": ["profile", "key", "sequence"],
    "documents": ["key", "document"],
    "three paths": ["key", "person.name.firstName", "personalEmail.address", "segmentMembership"],
}


@dataclass(frozen=True)
class Scan:
    """What a scan took: seconds in all, those that either process worked, bytes."""

    seconds: float
    scanning: float
    asking: float
    peak: int


def main() -> None:
    """Fill a store, scan it, and print a line for each kind of scan."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, default=1_000_000)
    arguments.add_argument("--database-url", default="")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as directory:
        fill(Path(directory), given.people, given.database_url)
        people = Profiles(given.database_url or str(Path(directory) / FILE), not given.database_url, 1)
        print(f"{'columns':<12} {'people/s':>12} {'us scanning':>12} {'us asking':>10} {'MB at most':>11}")
        for name, columns in SCANS.items():
            best = min((scan(people, columns, given.people) for _ in range(3)), key=lambda one: one.seconds)
            rate, each = given.people / best.seconds, 1e6 / given.people
            cpu = f"{best.scanning * each:>12.2f} {best.asking * each:>10.2f}"
            print(f"{name:<12} {rate:>12,.0f} {cpu} {best.peak / 1e6:>11,.0f}", flush=True)


def fill(folder: Path, count: int, database_url: str = "") -> None:
    """Keep people in a new store."""
    store = Store.open(folder, database_url)
    migrate(store)
    for some in batches(count):
        store.write_now(lambda tx, some=some: profiles.insert(tx, 1, some))  # type: ignore[misc]
    store.close()


def batches(count: int) -> Iterator[list[Kept]]:
    """Yield people as they are kept. The documents repeat: making them is not what is measured."""
    documents = [encode(person) for person in generate(min(count, 20_000), seed=7)]
    numbers = iter(range(1, count + 1))
    while some := list(islice(numbers, 50_000)):
        yield [Kept(number, f"crmId:C-{number:08d}", documents[number % len(documents)], number) for number in some]


def scan(people: Profiles, columns: list[str], count: int) -> Scan:
    """Scan everybody once."""
    began, asking, scanning = time.perf_counter(), time.process_time(), _worked()
    rows = peak = 0
    with people.scan(columns) as reader:
        for number, batch in enumerate(reader):
            rows += batch.num_rows
            peak = max(peak, _peak()) if number % 100 == 0 else peak
    assert rows == count
    return Scan(time.perf_counter() - began, _worked() - scanning, time.process_time() - asking, peak)


def _peak() -> int:
    """Return the most memory that a process started by this one has had."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    statuses = (Path(f"/proc/{child}/status").read_text().splitlines() for child in children)
    return max(
        (int(line.split()[1]) << 10 for lines in statuses for line in lines if line.startswith("VmHWM")), default=0
    )


def _worked() -> float:
    """Return how long the processes that have ended have worked."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
