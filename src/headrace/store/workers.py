"""Workers: the processes that are there, each by its epoch, and when each was last heard of, by the store's time."""

from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, update

from headrace.store import executors, outbox
from headrace.store.database import Transaction
from headrace.store.tables import workers


@dataclass(frozen=True, slots=True)
class Worker:
    """
    A process. ``kind``: the command that it is; ``host``: the machine, or container, that its process number is of.

    ``executor``: its name as one that carries runs, if it does.
    """

    epoch: int
    kind: str
    name: str
    host: str
    process: int
    delivers: bool
    executor: str | None
    began_at: int
    seen_at: int


_COLUMNS = tuple(Worker.__dataclass_fields__)


def enter(tx: Transaction, worker: Worker) -> None:
    """Note that a process is there."""
    row = {name: getattr(worker, name) for name in _COLUMNS}
    tx.core.execute(insert(workers).values(**row))


def beat(tx: Transaction, epoch: int, now: int) -> None:
    """Note that a process is heard of."""
    tx.core.execute(update(workers).where(workers.c.epoch == epoch).values(seen_at=now))


def everyone(tx: Transaction) -> list[Worker]:
    """Return the processes that are there, those that began first before the others."""
    found = tx.core.execute(select(*(workers.c[name] for name in _COLUMNS)).order_by(workers.c.epoch))
    return [Worker(**row) for row in found.mappings()]


def first_that_delivers(tx: Transaction) -> int | None:
    """Return the epoch of the process that does what one alone is to do."""
    first = select(func.min(workers.c.epoch)).where(workers.c.delivers)
    found: int | None = tx.core.execute(first).scalar_one()
    return found


def forget(tx: Transaction, gone: Worker, now: int) -> None:
    """Forget a process that is gone: what it had claimed is free, and the runs that it carried are."""
    tx.core.execute(delete(workers).where(workers.c.epoch == gone.epoch))
    if gone.executor is not None:
        executors.remove(tx, gone.executor)
    outbox.free_claims(tx, now)
