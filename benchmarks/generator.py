"""
How fast people are made, and how much memory that takes: as `headrace profiles generate` writes them, to a file.

Prints profiles a second, for each second that the processors worked too, the size, and the peak memory (VmHWM). A
process of its own makes each form, so that the peak is that form's.

    python benchmarks/generator.py [--people 1000000] [--format ndjson --format parquet] [--directory /tmp]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MAKE = """
import sys
from headrace.cli.main import main
try:
    main()
finally:
    status = open("/proc/self/status").read()
    print(status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
"""


def main() -> None:
    """Make each form once, and print a line for it."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, default=1_000_000)
    arguments.add_argument("--format", choices=["ndjson", "parquet"], action="append")
    arguments.add_argument("--directory", default=tempfile.gettempdir())
    given = arguments.parse_args()
    print(f"{'form':<8} {'seconds':>8} {'profiles/s':>11} {'a CPU second':>13} {'MB':>7} {'peak MB':>8}")
    for form in given.format or ["ndjson", "parquet"]:
        with tempfile.TemporaryDirectory(prefix="headrace-bench-", dir=given.directory) as folder:
            print(measure(form, given.people, Path(folder) / f"people.{form}"), flush=True)


def measure(form: str, people: int, file: Path) -> str:
    """Make people in one form, and return the line."""
    line = ["profiles", "generate", "--count", str(people), "--format", form, "--output", str(file)]
    worked, begun = worked_by_children(), time.perf_counter()
    ran = subprocess.run([sys.executable, "-c", MAKE, *line], stderr=subprocess.PIPE, text=True, check=True)
    seconds, worked = time.perf_counter() - begun, worked_by_children() - worked
    size, peak = file.stat().st_size / 1e6, int(ran.stderr.split()[-1]) / 1024
    return f"{form:<8} {seconds:>8.1f} {people / seconds:>11,.0f} {people / worked:>13,.0f} {size:>7,.0f} {peak:>8,.0f}"


def worked_by_children() -> float:
    """Return the seconds that the processors have worked for what was started here."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
