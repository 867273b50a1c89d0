"""
How much memory a backlog takes: so many changes wait on the disk while a partner takes them.

People enter five audiences each while their dataflow is disabled; then it is enabled, and delivers for a while. Prints
the most memory that the server's own process has had, and each of its children, in MiB; 512 a process is the most.

    python benchmarks/backlog.py [--changes 5000000] [--seconds 60]
"""

import argparse
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from streaming import BATCH, ingest, partner, server, sink, slim, switch

from headrace.cli.client import Client, wait_for_server
from headrace.cli.demo import connect
from headrace.testkit.profiles import AUDIENCES, generate

MOST = 512
#: People of whom there are many more, with other identities.
KINDS = 1000


def main() -> None:
    """Fill, deliver for a while, and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--changes", type=int, default=5_000_000)
    arguments.add_argument("--seconds", type=int, default=60)
    given = arguments.parse_args()
    far_end = partner if shutil.which("cc") is None else sink
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as directory, far_end() as address:
        folder = Path(directory)
        with server(folder, address) as pid:
            client = wait_for_server(folder / "data" / "credentials.json")
            dataflow = connect(client, "lighthouse", address).dataflow  # type: ignore[arg-type]
            switch(client, dataflow, "disable")
            fill(client, given.changes)
            before = client.get(f"/dataflows/{dataflow}/ledger")
            print(f"{before['pending']:,} changes wait: {told(pid)}", flush=True)
            switch(client, dataflow, "enable")
            time.sleep(given.seconds)
            after = client.get(f"/dataflows/{dataflow}/ledger")
            print(
                f"{after['delivered'] / given.seconds:,.0f} a second delivered, {after['pending']:,} wait: {told(pid)}"
            )
            assert max(peaks(pid)) <= MOST, f"a process has had more than {MOST} MiB"


def fill(client: Client, changes: int) -> None:
    """Send people who enter all audiences, until so many changes wait."""
    kinds = [slim(person) for person in generate(KINDS, seed=7)]
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    entered: dict[str, dict[str, Any]] = {}
    for audience in AUDIENCES:
        entered.setdefault(audience.namespace, {})[audience.id] = {"status": "realized", "lastQualificationTime": at}
    for first in range(0, changes // len(AUDIENCES), BATCH):
        lines = (orjson.dumps(another(kinds[n % KINDS], n, entered)) for n in range(first, first + BATCH))
        ingest(client, [b"\n".join(lines)])


def another(person: dict[str, Any], number: int, entered: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return somebody like a person, with identities of their own."""
    held = {
        name: [{**item, "id": f"{number}-{item['id']}"} for item in of] for name, of in person["identityMap"].items()
    }
    return {**person, "identityMap": held, "segmentMembership": entered}


def peaks(pid: int) -> list[float]:
    """Return the most memory that a process and each of its children have had, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    own = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [own, *(peak for child in children for peak in peaks(int(child)))]


def told(pid: int) -> str:
    own, *children = peaks(pid)
    return f"{own:.0f} MiB at the most, children {', '.join(f'{peak:.0f}' for peak in children)}"


if __name__ == "__main__":
    main()
