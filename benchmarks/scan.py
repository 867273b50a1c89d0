"""
How fast people are scanned as columns: raw (key, number, sequence), with documents, and with paths taken out of them.

A million people of about 1,200 bytes on SQLite, read by a process of its own. Prints people a second.

    python benchmarks/scan.py [--people 1000000]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
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


def main() -> None:
    """Fill a store, scan it, and print a line for each kind of scan."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, default=1_000_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as directory:
        fill(Path(directory), given.people)
        people = Profiles(str(Path(directory) / FILE), True, 1)
        for name, columns in SCANS.items():
            seconds = scan(people, columns, given.people)
            print(f"{name:<12} {given.people / seconds:>12,.0f} people/s", flush=True)


def fill(folder: Path, count: int) -> None:
    """Keep people in a new store."""
    store = Store.open(folder)
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


def scan(people: Profiles, columns: list[str], count: int) -> float:
    """Return the seconds of the faster of two scans."""
    return min(_seconds(people, columns, count) for _ in range(2))


def _seconds(people: Profiles, columns: list[str], count: int) -> float:
    began = time.perf_counter()
    with people.scan(columns) as reader:
        assert sum(batch.num_rows for batch in reader) == count
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
