"""
Restoring: an empty store is filled from a backup, on whatever database, and begins anew.

The backup is of the past, and partners were told of what came after. So unless nothing ran since, every dataflow is
held until somebody has fed what changed, and is resynchronised when it is let go (``resyncing.py``).
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from headrace.clock import iso
from headrace.crashpoints import crashpoint
from headrace.errors import OperationError
from headrace.model.roles import PERMISSIONS
from headrace.services import keys
from headrace.services.access import FirstClient
from headrace.services.burying_again import bury_again
from headrace.services.erasure_log import Line
from headrace.store import access, clients
from headrace.store.backup import aftermath, archive, rows
from headrace.store.backup.archive import Head, Verdict
from headrace.store.backup.files import FOLDERS
from headrace.store.clients import Client
from headrace.store.database import Store, Transaction
from headrace.store.migrate import build

ACTOR = "headrace restore"
#: The mark of a data directory in which a restore was begun and did not end.
MARK = "restoring"

Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What is restored: a backup that was verified.

    ``moved``: nothing ran since it was taken. ``erased``: what is known of people who were erased since.
    """

    path: Path
    found: Verdict
    moved: bool
    erased: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore came to: dataflows that wait to be let go, erasures done again, a client to sign in with."""

    dataflows: int
    erasures: int
    client: FirstClient


def restore(store: Store, wanted: Wanted, now: int, on_rows: Progress = lambda *_: None) -> Restored:
    """
    Fill a store in which nothing was ever kept.

    Whoever dies on the way leaves it empty, and a mark in the data directory.

    Raises:
        OperationError: something is kept there, the backup is of a newer Headrace, or something ran since it was taken.
    """
    head = wanted.found.head
    if wanted.moved and not head.at_rest:
        raise OperationError(
            "this backup was taken while Headrace ran, so something may have been sent since: restore it without"
            " --moved"
        )
    with _marked(store.directory):
        return build(
            store,
            head.store,
            lambda tx: _fill(tx, store.directory, wanted, on_rows),
            lambda tx: _end(tx, wanted, head, now),
        )


def refuse_half_restored(directory: Path) -> None:
    """
    Refuse a data directory in which a restore did not come to its end.

    Raises:
        OperationError: it is one.
    """
    if (directory / MARK).exists():
        raise OperationError(
            f"a restore into {directory} was begun and did not end: run `headrace restore` again, or remove the"
            " directory"
        )


@contextlib.contextmanager
def _marked(directory: Path) -> Iterator[None]:
    """Mark a data directory until its store is there; what another restore left in it is removed."""
    mark, folders = directory / MARK, [directory / name for name in FOLDERS]
    if mark.exists():
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    if any(folder.exists() and any(folder.iterdir()) for folder in folders):
        raise OperationError(
            f"{directory} is not empty, and nothing in it is overwritten: name another with --data-dir"
        )
    mark.touch(mode=0o600)
    yield
    crashpoint("after_restore_commit")
    mark.unlink()


def _fill(tx: Transaction, directory: Path, wanted: Wanted, on_rows: Progress) -> None:
    filler = rows.Filler(tx, wanted.found.head.tables)
    for member in archive.members(wanted.path):
        if member.kind == "tables":
            table = member.name.partition("/")[0]
            some = member.rows()
            filler.fill(table, some)
            crashpoint("after_restored_part")
            on_rows(table, len(some))
        elif member.kind == "files":
            member.copy(directory / member.name)


def _end(tx: Transaction, wanted: Wanted, head: Head, now: int) -> Restored:
    """Begin anew in a store that has the newest form."""
    taken = iso(head.taken_at)
    reason = (
        f"restored from a backup of {taken}: feed what changed since then, then enable it; the partner is then told of"
        " everybody as they are"
    )
    held = 0
    if wanted.moved:
        aftermath.give_back(tx, now)
    else:
        held = aftermath.begin_anew(tx, head.taken_at, now, reason)
    rows.number_on(tx)
    erasures = bury_again(tx, wanted.erased, ACTOR, now)
    aftermath.note(tx, ACTOR, {"takenAt": taken, "moved": str(wanted.moved).lower()}, now)
    restored = Restored(held, erasures, _client(tx, now))
    crashpoint("before_restore_commit")
    return restored


def _client(tx: Transaction, now: int) -> FirstClient:
    """Make a client of the host to sign in with: secrets of those there were are not in the backup."""
    host = next(organization for organization in access.all_organizations(tx) if organization.is_host)
    client_id, secret = keys.new_client_id(), keys.new_client_secret()
    made = Client(host.number, client_id, keys.hash_of(secret), tuple(PERMISSIONS), "restored", created_at=now)
    clients.add(tx, made)
    sandbox = access.tenants_of(tx, host.number)[0].sandbox
    return FirstClient(host.name, sandbox, client_id, secret)
