"""
How long a large store takes to open after an upgrade.

Makes a data directory in the first form of the store, with people whose documents fill it to a size, and opens it with
the newest code: the control tables are copied and altered, the people are not touched.

    python benchmarks/opening.py --gigabytes 5
"""

import argparse
import tempfile
import time
from contextlib import closing
from pathlib import Path

from headrace.store.database import FILE, Store, Transaction
from headrace.store.migrate import forms, migrate

DOCUMENT = 1 << 20
#: What is asked for: an upgrade that takes longer is an outage.
LIMIT = 10.0

_FIRST_START = (
    "INSERT INTO organizations (organization, name) VALUES (1, 'demo@headrace')",
    "INSERT INTO tenants (tenant, organization, sandbox, sandbox_id) VALUES (1, 1, 'prod', 'id')",
)
_FILL = "INSERT INTO profiles (tenant, profile, key, document) VALUES (1, :profile, :key, zeroblob(:size))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=0.5)
    with tempfile.TemporaryDirectory(prefix="headrace-opening-") as folder:
        directory = Path(folder)
        make(directory, int(parser.parse_args().gigabytes * 1024))
        size = (directory / FILE).stat().st_size / (1 << 30)
        seconds = opened(directory)
    print(f"{size:.2f} GiB from form {forms()[0]} to {forms()[-1]}: open in {seconds:.2f} s, of {LIMIT:.0f} allowed")


def make(directory: Path, megabytes: int) -> None:
    """Make a store in the first form, with a sandbox and, in it, a person for each megabyte."""
    with closing(Store.open(directory)) as store:
        migrate(store, forms()[0])
        for statement in _FIRST_START:
            store.write_now(lambda tx, sql=statement: tx.run(sql))
        for start in range(0, megabytes, 64):
            some = range(start, min(start + 64, megabytes))
            store.write_now(lambda tx, numbers=some: fill(tx, numbers))


def fill(tx: Transaction, numbers: range) -> None:
    tx.many(_FILL, ({"profile": number, "key": f":{number}", "size": DOCUMENT} for number in numbers))


def opened(directory: Path) -> float:
    """Open and migrate it as a start does, ask for a person, and return how long that took."""
    began = time.perf_counter()
    with closing(Store.open(directory)) as store:
        migrate(store)
        assert store.read_now(lambda tx: tx.run("SELECT key FROM profiles WHERE tenant = 1 LIMIT 1").fetchone())
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
