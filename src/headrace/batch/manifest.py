"""
The manifest of a run: which files it has left, how large they are, and by what to know them.

It has the members of the original's, so that its readers read it; what is ours stands under ``x-headrace`` of each file
and of the whole. It is stored last: whoever sees it sees the files too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from headrace.batch.filenames import clean
from headrace.batch.select import Mode


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it is stored: its path in the storage, bytes and their SHA-256 as they lie there, and its rows."""

    path: str
    size: int
    rows: int
    sha256: str


def has_a_file(rows: int, mode: Mode) -> bool:
    """
    Say whether an export of so many rows leaves a file.

    A full file without rows is written, with its header: it takes the place of one with members who have left since.
    An incremental one has nothing to say, and the manifest says that.

    >>> has_a_file(0, "full"), has_a_file(0, "incremental")
    (True, False)
    """
    return rows > 0 or mode == "full"


def name_of_manifest(dataflow: str, run: str) -> str:
    """
    Return what the manifest of a run is called; it lies beside its files.

    >>> name_of_manifest("flow-1", "run-7")
    'manifest-flow-1-run-7.json'
    """
    return clean(f"manifest-{dataflow}-{run}.json")


def manifest(run: str, scheduled_at: int, files: Sequence[Written]) -> bytes:
    """Return the manifest of a run for a moment, in milliseconds since 1970; files in the order they are given."""
    scheduled = datetime.fromtimestamp(scheduled_at // 1000, UTC)
    return orjson.dumps(
        {
            "flowRunId": run,
            "scheduledTime": scheduled.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "exportResults": [_result(file) for file in files],
            "x-headrace": {"files": len(files), "rows": sum(file.rows for file in files)},
        }
    )


def _result(file: Written) -> dict[str, Any]:
    folder, _, name = file.path.rpartition("/")
    return {
        "sinkPath": f"/{folder.strip('/')}",
        "name": name,
        "size": file.size,
        "x-headrace": {"rows": file.rows, "sha256": file.sha256},
    }
