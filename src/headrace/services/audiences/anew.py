"""Evaluations that begin anew: who was a member is told by the documents of people, for the list of before was lost."""

import shutil
from pathlib import Path

import pyarrow as pa

from headrace.datasets import members
from headrace.datasets.members import KEY, LIST, Before
from headrace.errors import OperationError
from headrace.model.profile import Profile
from headrace.services.audiences import finding
from headrace.services.steps import patiently
from headrace.store import profiles
from headrace.store.audiences import StoredAudience
from headrace.store.database import Store, Transaction

#: What the list of those who are members by their documents is called.
KNOWN = "known"
#: People read at once.
AT_ONCE = 1000


async def gather(store: Store, tenant: int, audience: StoredAudience, directory: Path) -> Path:
    """Write the keys of all who are members by their documents into a file of a directory of its own."""
    writer, after = _writer(directory), 0
    while True:

        def work(tx: Transaction, after: int = after) -> list[tuple[int, str, Profile]]:
            return [*profiles.scan_with_keys(tx, tenant, after, AT_ONCE)]

        people = await patiently(lambda: store.read(work))
        keys = [key for _, key, person in people if _is_member(person, audience)]
        writer.write(pa.RecordBatch.from_pydict({KEY: pa.array(keys, pa.string())}))
        if len(people) < AT_ONCE:
            return writer.close()
        after = people[-1][0]


def _writer(directory: Path) -> members.Writer:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o700)
    return members.Writer(directory)


def list_of(gathered: Path, directory: Path) -> Path:
    """Make a list of what was gathered, as evaluations leave one, and leave nothing else."""
    directory.mkdir()
    finding.compare(gathered, directory, Before(), replace=True, refresh=False)
    shutil.rmtree(gathered.parent)
    return directory / LIST


def refuse_lost(before: Before) -> None:
    """
    Refuse to guess who left.

    Raises:
        OperationError: the list of before is not where it was.
    """
    if before.list is not None and not before.list.is_dir():
        raise OperationError(
            "the list of the members before is not in the data directory, so who left cannot be said: copy it back, or "
            "evaluate anew (`--anew`, `?anew=true`; for an upload `?mode=anew`)"
        )


def _is_member(person: Profile, audience: StoredAudience) -> bool:
    membership = person["segmentMembership"].get(audience.namespace, {}).get(audience.id)
    return membership is not None and membership["status"] == "realized"
