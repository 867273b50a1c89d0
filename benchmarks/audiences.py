"""
How long it takes to say who came and who went between two lists of members, and how much memory.

Two lists of five million keys, of which a tenth is different. The first list is made outside the measurement; the
second is written from its keys and compared in a process of its own. To be reached: 20 seconds and 1 GB.

    python benchmarks/audiences.py [--members 5000000]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from headrace.datasets import members
from headrace.datasets.members import Before

BATCH = 100_000


def main() -> None:
    """Make the first list, measure the second one, and print a line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--members", type=int, default=5_000_000)
    arguments.add_argument("--measured", type=Path)
    given = arguments.parse_args()
    if given.measured is not None:
        measure(given.measured, given.members)
        return
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as directory:
        make(Path(directory) / "1", 0, given.members, Before())
        line = [sys.executable, __file__, "--members", str(given.members), "--measured", directory]
        subprocess.run(line, check=True)


def measure(directory: Path, count: int) -> None:
    """Make the second list, and say what it took."""
    began = time.monotonic()
    found = make(directory / "2", count // 10, count, Before(directory / "1" / members.LIST))
    seconds = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak, spent = used.ru_maxrss // 1024, used.ru_utime + used.ru_stime
    assert found == members.Difference(count, count // 10, count // 10), found
    came_and_went = f"{found.entered:,} in, {found.left:,} out"
    print(f"{count:,} members, {came_and_went}: {seconds:.1f} s, {spent:.1f} s of CPU, {peak:,} MB at the most")


def make(place: Path, first: int, count: int, before: Before) -> members.Difference:
    """Make a list of so many keys from a number on."""
    beside = place.with_suffix(".new")
    beside.mkdir()
    writer = members.Writer(beside)
    for start in range(first, first + count, BATCH):
        numbers = pa.array(range(start, min(start + BATCH, first + count)))
        keys = pc.binary_join_element_wise("crmId:customer-", numbers.cast(pa.string()), "")
        writer.write(pa.RecordBatch.from_pydict({members.KEY: keys}))
    found = members.compare(writer.close(), beside, before, replace=True, refresh=False)
    members.keep(beside, place)
    return found


if __name__ == "__main__":
    main()
