"""
Erasures as people ask for them: from the moment one is asked for, the person is kept out; a run removes them and tells
partners (``erasing.py``).
"""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

from headrace.clock import Clock
from headrace.errors import Conflict, NotFound
from headrace.model.erasure import ErasureRequest
from headrace.model.profile import identity_of
from headrace.model.reading import read
from headrace.services.caller import Caller
from headrace.services.erased import Erased
from headrace.services.erasure_log import ErasureLog, Line
from headrace.store import audit, dataflows, erasures, runs
from headrace.store.database import Store, Transaction
from headrace.store.erasures import Erasure, Receipt

#: The kind of the runs that erase.
KIND = "erasure"
NOUN = "erasure"
#: Of several people at one partner, the state that says most of what is left to do.
_WORST = ("failed", "telling", "cannot-be-told", "told", "unknown")


@dataclass(frozen=True, slots=True)
class Told:
    """What became of telling one dataflow's partner of the people of an erasure: how many, the worst state, and why."""

    dataflow: str
    name: str
    state: str
    reason: str | None
    at: int
    people: int


@dataclass(frozen=True, slots=True)
class Report:
    """An erasure, how many people it has removed, and a receipt for each dataflow."""

    erasure: Erasure
    people: int
    receipts: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Erasures:
    """What people do about erasures."""

    store: Store
    clock: Clock
    erased: Erased
    log: ErasureLog | None = None

    async def ask(self, caller: Caller, document: object) -> Report:
        """
        Keep somebody out from now on, and ask for the run that removes them and tells partners.

        Raises:
            ConfigurationError: it does not say whom.
        """
        wanted, _ = read(ErasureRequest, document)
        namespace, id_ = identity_of(wanted.profile or "")
        if wanted.identity is not None:
            namespace, id_ = wanted.identity.namespace, wanted.identity.id
        subject = {"namespace": namespace, "id": id_, "everybody": wanted.identity is not None}
        buried, now = self.erased.hash(caller.tenant, (namespace, id_)), self.clock.now()
        erasure = Erasure(caller.number, str(uuid.uuid4()), "asked", subject, caller.actor, now)

        def work(tx: Transaction) -> Report:
            erasures.add(tx, erasure)
            erasures.bury(tx, caller.number, erasure.erasure, [buried])
            runs.ask(tx, caller.number, KIND, {"erasure": erasure.erasure}, caller.actor, now)
            audit.note(tx, caller.number, caller.actor, "erase", NOUN, erasure.erasure, now)
            return Report(erasure, 0, ())

        report = await self.store.write(work)
        await self._log(Line(caller.tenant.sandbox_id, erasure.erasure, now, buried))
        return report

    async def get(self, caller: Caller, id_: str) -> Report:
        """
        Return an erasure with its receipts.

        Raises:
            NotFound: it is not in this sandbox.
        """
        return await self.store.read(lambda tx: _report(tx, _existing(tx, caller, id_)))

    async def listing(self, caller: Caller, most: int) -> list[Report]:
        """Return the erasures of a sandbox, newest first."""
        return await self.store.read(
            lambda tx: [_report(tx, erasure) for erasure in erasures.latest(tx, caller.number, most)]
        )

    async def lift(self, caller: Caller, id_: str) -> Report:
        """
        Let the people of an erasure be sent again. What was removed stays removed.

        Raises:
            NotFound: it is not in this sandbox.
            Conflict: nobody is kept out by it, or its people are not removed yet.
        """
        now = self.clock.now()

        def work(tx: Transaction) -> Report:
            erasure = _existing(tx, caller, id_)
            if erasure.state == "asked":
                raise Conflict(f"the people of the erasure {id_} are not removed yet: lift it when they are")
            if not erasures.lift(tx, caller.number, id_):
                raise Conflict(f"nobody is kept out by the erasure {id_}: it was lifted, or a newer one does")
            erasures.change(tx, caller.number, id_, lifted_at=now)
            audit.note(tx, caller.number, caller.actor, "lift", NOUN, id_, now)
            return _report(tx, _existing(tx, caller, id_))

        report = await self.store.write(work)
        await self._log(Line(caller.tenant.sandbox_id, id_, now))
        return report

    async def _log(self, line: Line) -> None:
        if self.log is not None:
            await asyncio.to_thread(self.log.add, [line])


def _existing(tx: Transaction, caller: Caller, id_: str) -> Erasure:
    found = erasures.get(tx, caller.number, id_)
    if found is None:
        raise NotFound(f"there is no erasure {id_!r} here")
    return found


def _report(tx: Transaction, erasure: Erasure) -> Report:
    names = {number: (id_, name) for number, id_, name in dataflows.names(tx, erasure.tenant)}
    by_dataflow: dict[int, list[Receipt]] = {}
    for receipt in erasures.receipts(tx, erasure.tenant, erasure.erasure):
        by_dataflow.setdefault(receipt.dataflow, []).append(receipt)
    told = tuple(_told(*names[number], receipts) for number, receipts in by_dataflow.items())
    return Report(erasure, erasures.people(tx, erasure.tenant, erasure.erasure), told)


def _told(id_: str, name: Any, receipts: list[Receipt]) -> Told:
    worst = min(receipts, key=lambda receipt: _WORST.index(receipt.state))
    people = sum(receipt.profile > 0 for receipt in receipts)
    said = {receipt.reason: None for receipt in receipts if receipt.state == worst.state and receipt.reason}
    return Told(id_, str(name), worst.state, "; ".join(said) or None, max(receipt.at for receipt in receipts), people)
