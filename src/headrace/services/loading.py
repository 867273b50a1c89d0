"""
Loading: the people of a snapshot, taken in as if they had been sent to ``POST /ingest/profiles``.

Each part is kept in one transaction with how many rows are done, so that whoever dies, no row is lost and none counts
twice. Between two parts the load rests as long as the part took: who sends people meanwhile waits for one part at most.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from headrace.datasets.manifest import Unreadable
from headrace.datasets.rows import BadRow
from headrace.datasets.shape import Person
from headrace.datasets.snapshot import Snapshot
from headrace.events import Announce, ProfilesIngested
from headrace.model.record import Record
from headrace.services.datasets import Datasets, document_of, ready
from headrace.services.ingestion import Ingestion, Receipt, Refused, read_records
from headrace.services.steps import HeldSteps, patiently
from headrace.store import access, namespaces
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.dataset_snapshots import StoredSnapshot
from headrace.store.runs import Run

#: Rows that share one transaction: few, so that those who send people meanwhile do not wait.
AT_ONCE = 250
#: How long a load rests after each part, as a share of what the part took, and at the most, in seconds.
REST = 1.0
LONGEST_REST = 1.0
#: The most rejected rows that are listed; all are counted.
MOST_LISTED = 100

Row = Person | BadRow


@dataclass(frozen=True, slots=True)
class Loading:
    """What is done for runs that load."""

    datasets: Datasets
    ingestion: Ingestion
    announce: Announce

    async def carry(self, run: Run, steps: HeldSteps) -> None:
        """
        Take in the rows of a snapshot that are not done yet.

        Raises:
            Changed: a file is not what it was; what was taken in stays.
            HeadraceError: it cannot be read.
        """
        await steps.step("load", lambda: self._load(run, steps))

    async def _load(self, run: Run, steps: HeldSteps) -> None:
        snapshot = await self._opened(run)
        order = await patiently(lambda: self.datasets.store.read(lambda tx: namespaces.order(tx, run.tenant)))
        rows = snapshot.profiles(steps.progress.get("done", 0))
        while part := await asyncio.to_thread(_next, rows):
            began = self.datasets.clock.monotonic()
            await self._take(run, steps, part, order)
            took = self.datasets.clock.monotonic() - began
            await asyncio.sleep(min(LONGEST_REST, took * REST))

    async def _opened(self, run: Run) -> Snapshot:
        def work(tx: Transaction) -> tuple[Tenant, dict[str, Any], StoredSnapshot]:
            stored = ready(tx, run.tenant, run.subject["dataset"], run.subject["snapshot"])
            if stored is None:
                raise Unreadable("the snapshot is not there any more: take a new one, and load that")
            return access.tenant_of(tx, run.tenant), document_of(tx, run.tenant, stored), stored

        tenant, document, stored = await patiently(lambda: self.datasets.store.read(work))
        return await asyncio.to_thread(self.datasets.open, tenant, document, stored)

    async def _take(self, run: Run, steps: HeldSteps, part: Sequence[Row], order: tuple[str, ...]) -> None:
        """Take one part in, and note that it is done with it."""
        receipt = Receipt()
        rejected = [row for row in part if isinstance(row, BadRow)]
        records = _read(part, receipt, order)
        rejected += [_rejected(part[item.line], item.code, item.reason) for item in receipt.rejected]
        before = _Done.of(steps.progress)

        def also(tx: Transaction, refused: Refused) -> None:
            buried = [_rejected(part[item.line], item.code, item.reason) for item in refused]
            steps.note_in(tx, **before.after(len(part), len(records) - len(buried), [*rejected, *buried]))

        await patiently(lambda: self.ingestion.take_part(run.tenant, records, receipt, also))
        accepted, changes = receipt.accepted, receipt.changes
        self.announce(ProfilesIngested(accepted=accepted, rejected=len(part) - accepted, changes=changes))


@dataclass(frozen=True, slots=True)
class _Done:
    """How far a load has come, as its run's progress has it."""

    done: int = 0
    accepted: int = 0
    rejected: int = 0
    rejects: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(cls, progress: dict[str, Any]) -> "_Done":
        done, accepted, rejected = (int(progress.get(name, 0)) for name in ("done", "accepted", "rejected"))
        return cls(done, accepted, rejected, tuple(progress.get("rejects", ())))

    def after(self, rows: int, accepted: int, rejected: Sequence[BadRow]) -> dict[str, Any]:
        """Return the progress when some more rows are done."""
        listed = [asdict(row) for row in rejected[: max(0, MOST_LISTED - len(self.rejects))]]
        return {
            "done": self.done + rows,
            "accepted": self.accepted + accepted,
            "rejected": self.rejected + len(rejected),
            "rejects": [*self.rejects, *listed],
        }


def _next(rows: Iterator[Row]) -> list[Row]:
    return list(islice(rows, AT_ONCE))


def _read(part: Sequence[Row], receipt: Receipt, order: tuple[str, ...]) -> list[Record]:
    """Read the rows of a part as people; what the receipt calls a line is the place in the part."""
    people = ((place, row[2]) for place, row in enumerate(part) if not isinstance(row, BadRow))
    return list(read_records(people, receipt, order))


def _rejected(row: Row, code: str, reason: str) -> BadRow:
    assert not isinstance(row, BadRow)
    return BadRow(row[0], row[1], code, reason)
