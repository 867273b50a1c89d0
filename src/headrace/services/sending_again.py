"""Sending again: all current members of audiences leave once more, though nothing of them has changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.clock import Clock, iso
from headrace.errors import Conflict, NotFound, RequestError, TooSoon
from headrace.model.destination import Destination
from headrace.model.flow import Flow, SegmentSelectorValue
from headrace.services import backfills
from headrace.services.accounts import TARGET
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog
from headrace.services.checks import lenient
from headrace.store import audiences, audit, dataflows, documents
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import Mapped, StoredDataflow
from headrace.store.runs import Run

#: How long after it was mapped, and after it was last sent, an audience is not sent again.
PAUSE = 24 * 60 * 60 * 1000


class NotCarried(RequestError):
    """Headrace does not carry this out for destinations of this kind."""

    code = "not-carried"


@dataclass(frozen=True, slots=True)
class Chosen:
    """An audience by its origin and id, as people name it."""

    namespace: str
    id: str


async def send_again(
    store: Store, clock: Clock, caller: Caller, id_: str, chosen: Sequence[Chosen] | None = None
) -> list[Run]:
    """
    Ask for a backfill of each chosen audience, of all without a choice: of all of them, or of none.

    Raises:
        NotFound: there is no such dataflow here, or it does not send an audience.
        NotCarried: the destination takes files.
        Conflict: a backfill of an audience is under way, or nothing of it is told now.
        TooSoon: it was mapped, or sent again, within a day.
    """

    def work(tx: Transaction) -> list[Run]:
        stored, now = dataflows.get(tx, caller.number, id_), clock.now()
        if stored is None:
            raise NotFound(f"there is no dataflow {id_!r} here")
        flow = lenient(Flow, stored.document)
        refuse_files(_destination(tx, caller, flow))
        wanted = [*_wanted(tx, caller, stored, flow, chosen)]
        for name, mapped in wanted:
            _refuse(tx, caller, stored, name, mapped, now)
        asked = [backfills.ask(tx, stored, mapped.audience, "again", caller.actor, now) for _, mapped in wanted]
        details = {"audiences": [name for name, _ in wanted]}
        audit.note(tx, caller.number, caller.actor, "activate-now", "dataflow", id_, now, details=details)
        return [run for run in asked if run is not None]

    return await store.write(work)


def refuse_files(destination: Destination) -> None:
    """
    Refuse destinations that take files.

    Raises:
        NotCarried: this one does.
    """
    if destination.batch_config is not None:
        raise NotCarried(
            "this destination takes files, which are written when their schedule says so: to have them now, whole, use "
            "`headrace export --now`, or POST to /data/core/activation/disflowprovider/adhocrun"
        )


def _destination(tx: Transaction, caller: Caller, flow: Flow) -> Destination:
    target = documents.get(tx, caller.number, TARGET, flow.target_connection_ids[0])
    assert target is not None, "what is in use is not deleted"
    return Catalog(tx, caller.tenant).in_force(target).destination


def _wanted(
    tx: Transaction, caller: Caller, stored: StoredDataflow, flow: Flow, chosen: Sequence[Chosen] | None
) -> list[tuple[str, Mapped]]:
    """Return the names of the chosen audiences, and how each takes part."""
    numbers = {(item.namespace, item.id): item.audience for item in audiences.all_of(tx, caller.number).values()}
    mapped = dataflows.mapped_audiences(tx, caller.number, stored.dataflow)
    found: list[tuple[str, Mapped]] = []
    everything: Sequence[Chosen | SegmentSelectorValue] = flow.audiences if chosen is None else chosen
    sent = {(item.namespace, item.id) for item in flow.audiences}
    for item in everything:
        number = numbers.get((item.namespace, item.id))
        if (item.namespace, item.id) not in sent or number is None:
            raise NotFound(f"the dataflow does not send the audience {item.id!r} of {item.namespace!r}")
        if number not in mapped:
            raise Conflict(f"the audience {item.id!r} does not take part yet: see how the dataflow stands")
        found.append((item.id, mapped[number]))
    return found


def _refuse(tx: Transaction, caller: Caller, stored: StoredDataflow, name: str, mapped: Mapped, now: int) -> None:
    """Refuse to send an audience that has ended, is being sent, or was, not long ago."""
    if mapped.ended_at is not None:
        raise Conflict(f"nothing of the audience {name!r} is sent any more: its end date has come")
    for run in backfills.unended(tx, caller.number, stored.id):
        if run.subject["audience"] == mapped.audience:
            raise Conflict(f"the members of the audience {name!r} are being sent already, by the run {run.run}")
    last = backfills.last_sent_again(tx, caller.number, stored.id, mapped.audience, now - PAUSE)
    why = "mapped" if last is None else "sent again"
    ends = max(mapped.mapped_at, last or 0) + PAUSE
    if ends > now:
        raise TooSoon(f"the audience {name!r} was {why} less than 24 hours ago: again from {iso(ends)}", ends - now)
