"""
What erasures do to the files of audiences: lists of members, files that were uploaded, and what was half made.

Lists that are there lose whoever is kept out. What an evaluation works on is waited for, because it leaves them out by
itself; what nobody works on any more is removed.
"""

import asyncio
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from headrace.clock import Clock
from headrace.datasets import removal
from headrace.datasets.removal import Gone
from headrace.errors import OperationError
from headrace.services.erased import Erased
from headrace.store import evaluations, runs
from headrace.store.database import Store, Transaction
from headrace.store.evaluations import Evaluation

#: How long after somebody was removed a file that no evaluation names may still be one that is just being uploaded.
BEING_UPLOADED = 3600 * 1000
_UNENDED = ("asked", "running")
_REMOVED = "its file was removed because somebody was erased: upload it again"


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Takes erased people out of the files of audiences. ``directory``: where these are kept."""

    store: Store
    clock: Clock
    erased: Erased
    directory: Path

    async def forget(self, tenant: int, removed_at: int) -> bool:
        """
        Take everybody of a sandbox who is kept out, the last since ``removed_at``, out of its audiences' files.

        Returns whether that is all; if not, it is to be asked for again.

        Raises:
            OperationError: a file cannot be read or written.
        """
        try:
            return await asyncio.to_thread(self._forget, tenant, removed_at)
        except (OSError, pa.ArrowException) as error:
            raise OperationError(f"the lists of members cannot be changed: {error}") from None

    def _forget(self, tenant: int, removed_at: int) -> bool:
        sieve = self.erased.sieve(self.store, tenant)
        if sieve is None:
            return True
        audiences = sorted(path for path in (self.directory / str(tenant)).glob("*") if path.name.isdigit())
        looked_at = [self._forget_in(tenant, path, sieve, removed_at) for path in audiences]
        return all(looked_at)

    def _forget_in(self, tenant: int, directory: Path, gone: Gone, removed_at: int) -> bool:
        """Look at all of one audience. What is half made is looked at first: it is a list afterwards, if anything."""
        known = _Known.of(self.store, tenant, int(directory.name))
        found = sorted(directory.iterdir(), key=lambda path: path.name.isdigit())
        is_all = True
        for path in found:
            if path.name.isdigit():
                removal.remove(path, gone)
            elif path.is_dir():
                is_all &= _remove_half_made(path, known)
            else:
                is_all &= self._remove_upload(tenant, path, known, removed_at)
        return is_all

    def _remove_upload(self, tenant: int, file: Path, known: "_Known", removed_at: int) -> bool:
        """Remove a file that was uploaded, unless its evaluation is to read it, or it is just being uploaded."""
        evaluation = known.of_upload(file.name)
        is_wanted = evaluation is not None and evaluation.evaluation in known.under_way
        if is_wanted or (evaluation is None and self.clock.now() < removed_at + BEING_UPLOADED):
            return False
        file.unlink(missing_ok=True)
        if evaluation is not None and evaluation.state == "failed":
            which = (tenant, evaluation.audience, evaluation.evaluation)
            reason = f"{evaluation.reason or 'it failed'}; {_REMOVED}"
            self.store.write_now(lambda tx: evaluations.change(tx, *which, reason=reason))
        return True


@dataclass(frozen=True, slots=True)
class _Known:
    """The evaluations of an audience, and those that a run is to carry or carries."""

    evaluations: list[Evaluation]
    under_way: frozenset[int]

    @classmethod
    def of(cls, store: Store, tenant: int, audience: int) -> "_Known":
        def look(tx: Transaction) -> _Known:
            known = evaluations.all_of(tx, tenant, audience)
            return cls(known, frozenset(_under_way(tx, known)))

        return store.read_now(look)

    def of_upload(self, name: str) -> Evaluation | None:
        """Return the evaluation that reads a file that was uploaded."""
        named = (item for item in self.evaluations if any(part.get("file") == name for part in item.snapshots))
        return next(named, None)


def _under_way(tx: Transaction, known: Iterable[Evaluation]) -> Iterable[int]:
    """Yield the evaluations that have still to make their list; one whose run has ended never will."""
    for item in known:
        run = runs.get(tx, item.run) if item.state in ("asked", "finding", "failed") else None
        if run is not None and run.state in _UNENDED:
            yield item.evaluation


def _remove_half_made(directory: Path, known: _Known) -> bool:
    """Remove a list that nobody works on any more."""
    if directory.stem.isdigit() and int(directory.stem) in known.under_way:
        return False
    shutil.rmtree(directory, ignore_errors=True)
    return not directory.exists()
