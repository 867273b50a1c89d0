"""
Exports that somebody asks for: the files of audiences now, whole, besides their schedules.

What is asked for in one request is asked for altogether, or not at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from headrace.clock import Clock
from headrace.errors import Conflict, NotFound, RequestError
from headrace.model.flow import Flow, SegmentSelectorValue
from headrace.services.caller import Caller
from headrace.services.checks import lenient
from headrace.services.exports import due
from headrace.services.sending_again import NotCarried
from headrace.services.windows import Window
from headrace.store import audit, dataflows
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.runs import Run

#: The most audiences of one request.
MOST = 80


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that was asked for, with an audience as the caller named it; several share one where files hold several."""

    audience: str
    dataflow: str
    run: Run


async def export_now(
    store: Store, clock: Clock, caller: Caller, wanted: Mapping[str, Sequence[str] | None]
) -> list[Asked]:
    """
    Ask for the files of audiences, by dataflow; ``None`` stands for all that may be written today.

    An audience is named by its id, or by the `systemSegmentId` that it was mapped with.

    Raises:
        RequestError: there are too many, or one is not mapped or not within its dates.
        NotFound: a dataflow is not there.
        NotCarried: one does not write files of audiences.
        Conflict: a run of an audience has not ended, or a dataflow does not go.
    """
    _refuse_too_many(sum(len(names or ()) for names in wanted.values()))

    def work(tx: Transaction) -> list[Asked]:
        now = clock.now()
        chosen = [(_stored(tx, caller, id_), names) for id_, names in wanted.items()]
        found = [(stored, _numbers(tx, stored, names, now)) for stored, names in chosen]
        _refuse_too_many(sum(len(numbers) for _, numbers in found))
        for stored, numbers in found:
            due.refuse_busy(tx, stored.tenant, stored.id, numbers)
        return [asked for stored, numbers in found for asked in _ask(tx, caller, stored, numbers, now)]

    return await store.write(work)


def _refuse_too_many(count: int) -> None:
    if count > MOST:
        raise RequestError(f"{count} audiences are more than the {MOST} of one request: ask for them in parts")


def _stored(tx: Transaction, caller: Caller, id_: str) -> StoredDataflow:
    """Return a dataflow that writes files of audiences and goes."""
    stored = stored_of_files(tx, caller, id_)
    if due.destination_of(tx, stored).exports_datasets:
        raise NotCarried("this dataflow writes datasets, and sends no audiences")
    return stored


def stored_of_files(tx: Transaction, caller: Caller, id_: str) -> StoredDataflow:
    """
    Return a dataflow that writes files and goes.

    Raises:
        NotFound: it is not there.
        NotCarried: it sends messages.
        Conflict: it does not go.
    """
    stored = dataflows.get(tx, caller.number, id_)
    if stored is None:
        raise NotFound(f"there is no dataflow {id_!r} here")
    if not due.destination_of(tx, stored).takes_files:
        raise NotCarried("this destination takes messages: `activate-now` sends all members of an audience again")
    if stored.state != "enabled":
        raise Conflict(f"the dataflow {id_} is {stored.state}: enable it first")
    return stored


def _numbers(tx: Transaction, stored: StoredDataflow, names: Sequence[str] | None, now: int) -> dict[int, str]:
    """Return the numbers of audiences that may be written today, each with the name that it was asked for by."""
    open_ = _open(tx, stored, now)
    if names is None:
        if not open_:
            raise RequestError(f"the dataflow {stored.id} sends no audience whose dates are today")
        return {number: said.id for number, said in open_.items()}
    named = {name: [*_called(open_, name)] for name in dict.fromkeys(names)}
    lost = [name for name, numbers in named.items() if not numbers]
    if lost or not named:
        raise RequestError(f"Segments `{', '.join(lost)}` are not part of this dataflow or out of schedule range!")
    for name, numbers in named.items():
        if len(numbers) > 1:
            known = ", ".join(f"{open_[number].namespace}:{name}" for number in numbers)
            raise RequestError(f"several audiences have the id {name!r}: ask for one of {known}")
    found: dict[int, str] = {}
    for name, (number,) in named.items():
        found.setdefault(number, name)
    return found


def _open(tx: Transaction, stored: StoredDataflow, now: int) -> dict[int, SegmentSelectorValue]:
    """Return the audiences that take part and whose dates are today, by number."""
    mapped = dataflows.mapped_audiences(tx, stored.tenant, stored.dataflow)
    chosen = due.selectors_of(tx, stored.tenant, lenient(Flow, stored.document))
    return {n: said for n, said in chosen.items() if n in mapped and Window.of(said).state(now) == "open"}


def _called(open_: Mapping[int, SegmentSelectorValue], name: str) -> Iterator[int]:
    """Yield the audiences of a name; the platform's own id of one goes before ids that others gave."""
    own = [number for number, said in open_.items() if said.system_segment_id == name]
    given = (n for n, said in open_.items() if name in (said.id, f"{said.namespace}:{said.id}"))
    yield from own or given


def _ask(
    tx: Transaction, caller: Caller, stored: StoredDataflow, numbers: Mapping[int, str], now: int
) -> Iterator[Asked]:
    """Ask for one run of each audience, or one of all where files hold several."""
    sets = [[*numbers]] if due.is_grouped(tx, stored) else [[number] for number in numbers]
    for together in sets:
        run = due.ask(tx, stored, together, None, now, caller.actor, is_asked_for=True)
        yield from (Asked(numbers[number], stored.id, run) for number in together)
    details = {"audiences": [*numbers.values()]}
    audit.note(tx, caller.number, caller.actor, "export-now", "dataflow", stored.id, now, details=details)
