"""
Parked changes as people meet them: looked into, and replayed or discarded by runs that ``replaying.py`` carries.

A run means what is parked when it is asked for: what is parked again by it is not replayed again.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import orjson

from headrace.clock import Clock
from headrace.errors import Conflict, NotFound, RequestError
from headrace.services.caller import Caller
from headrace.services.governance import holding
from headrace.services.live import LiveDataflows
from headrace.store import access, audiences, audit, dataflows, parked, parked_messages, profiles, runs
from headrace.store.audiences import StoredAudience
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.parked import Chosen, OfCode, ParkedChange
from headrace.store.runs import Run
from headrace.store.transaction import storable

Kind = Literal["replay", "discard"]
REPLAY: Final[Kind] = "replay"
DISCARD: Final[Kind] = "discard"
#: Runs of a dataflow that may wait for each other, and changes that are named one by one.
MOST_RUNS = 20
MOST_NUMBERS = 1000
#: The number of a person whom nobody knows.
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which parked changes are meant, as people name them: all that meet every condition."""

    numbers: tuple[int, ...] | None = None
    code: str | None = None
    audience: tuple[str, str] | None = None
    profile: str | None = None
    message: str | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A parked change with its audience; ``is_changed``: whether what messages are made of has changed since."""

    change: ParkedChange
    audience: StoredAudience | None
    is_changed: bool | None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many changes are parked with a code, and the reason of the newest."""

    of_code: OfCode
    reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that was asked for: how many changes it is about, and how many of them were made of what is in force."""

    run: Run
    changes: int
    unchanged: int
    waits_for: str | None


# -- looking ----------------------------------------------------------------------------------------------------------


async def listing(
    store: Store, live: LiveDataflows, caller: Caller, id_: str, wanted: Wanted, most: int, before: int | None
) -> list[Shown]:
    """
    Return the parked changes of a dataflow that are meant, newest first.

    Raises:
        NotFound: it is not in this sandbox, or there is no such audience.
    """

    def work(tx: Transaction) -> list[Shown]:
        number, version = _number(tx, caller, id_), _version(tx, live, caller, id_)
        names = audiences.all_of(tx, caller.number)
        from_ = before if before is not None else 1 << 62
        found = parked.latest(tx, caller.number, number, most, from_, _resolved(tx, caller, wanted))
        return [_shown(change, names, version) for change in found]

    return await store.read(work)


async def counts(store: Store, live: LiveDataflows, caller: Caller, id_: str, wanted: Wanted) -> list[Counted]:
    """
    Count the parked changes of a dataflow by code, most first, each with the reason of the newest.

    Raises:
        NotFound: it is not in this sandbox, or there is no such audience.
    """

    def work(tx: Transaction) -> list[Counted]:
        number, version = _number(tx, caller, id_), _version(tx, live, caller, id_)
        found = parked.by_code(tx, caller.number, number, _resolved(tx, caller, wanted), version)
        newest = ((item, parked.get(tx, caller.number, number, item.last)) for item in found)
        return [Counted(item, change.reason if change is not None else "") for item, change in newest]

    return await store.read(work)


async def detail(store: Store, live: LiveDataflows, caller: Caller, id_: str, number: int) -> Shown:
    """
    Return one parked change.

    Raises:
        NotFound: there is none of this number.
    """

    def work(tx: Transaction) -> Shown:
        change, names = _change(tx, caller, id_, number), audiences.all_of(tx, caller.number)
        return _shown(change, names, _version(tx, live, caller, id_))

    return await store.read(work)


async def message(store: Store, caller: Caller, id_: str, number: int) -> tuple[ParkedChange, dict[str, Any] | None]:
    """
    Return what is kept of the message in which a parked change was sent; ``None``: nothing, or nothing any more.

    Raises:
        NotFound: there is no parked change of this number.
    """

    def work(tx: Transaction) -> tuple[ParkedChange, dict[str, Any] | None]:
        change = _change(tx, caller, id_, number)
        if change.message is None:
            return change, None
        kept = parked_messages.get(tx, caller.number, _number(tx, caller, id_), change.message)
        return change, None if kept is None else orjson.loads(kept)

    return await store.read(work)


def _shown(change: ParkedChange, names: dict[int, StoredAudience], version: str | None) -> Shown:
    is_changed = None if version is None or change.version is None else change.version != version
    return Shown(change, names.get(change.audience), is_changed)


def _change(tx: Transaction, caller: Caller, id_: str, number: int) -> ParkedChange:
    change = parked.get(tx, caller.number, _number(tx, caller, id_), number)
    if change is None:
        raise NotFound(f"no change of the number {number} is parked here: it may have been replayed or discarded")
    return change


# -- acting -----------------------------------------------------------------------------------------------------------


async def ask(
    store: Store,
    clock: Clock,
    live: LiveDataflows,
    caller: Caller,
    id_: str,
    kind: Kind,
    wanted: Wanted,
    *,
    resume: bool = False,
    reason: str | None = None,
) -> Asked:
    """
    Ask for a run that replays or discards what is meant. With ``resume``, a dataflow that is held goes on with it.

    Raises:
        NotFound: there is no such dataflow or audience here.
        Conflict: too many such runs of the dataflow wait already, or it may not be resumed.
    """
    if wanted.numbers is not None and len(wanted.numbers) > MOST_NUMBERS:
        raise RequestError(f"name at most {MOST_NUMBERS} changes by their numbers; more are meant by conditions")

    def work(tx: Transaction) -> Asked:
        stored, now = dataflows.get(tx, caller.number, id_), clock.now()
        if stored is None:
            raise NotFound(f"there is no dataflow {id_!r} here")
        _refuse_many(tx, stored)
        chosen = _resolved(tx, caller, wanted)
        if resume:
            stored = _resumed(tx, caller, stored, now)
        counted = parked.count(tx, caller.number, stored.dataflow, chosen, _version(tx, live, caller, id_))
        changes, unchanged, upto = counted
        (target,) = stored.document["targetConnectionIds"]
        meant = {name: value for name, value in asdict(chosen).items() if value is not None}
        subject = {"dataflow": id_, "target": target, "chosen": meant, "upto": upto, "of": changes}
        run = runs.ask(tx, caller.number, kind, subject, caller.actor, now, progress={"looked": 0, "of": changes})
        details = {"run": run.run, "changes": changes, "chosen": meant} | ({"reason": reason} if reason else {})
        audit.note(tx, caller.number, caller.actor, f"{kind}-parked", "dataflow", id_, now, details=details)
        waits = _waits_for(stored) if kind == REPLAY else None
        return Asked(run, changes, unchanged, waits)

    return await store.write(work)


def chosen_of(run: Run) -> Chosen:
    """Return which parked changes a run is about."""
    meant = run.subject["chosen"]
    numbers = tuple(meant["numbers"]) if "numbers" in meant else None
    return Chosen(**{**meant, "numbers": numbers})


def _refuse_many(tx: Transaction, stored: StoredDataflow) -> None:
    waiting = [run for kind in (REPLAY, DISCARD) for run in runs.unfinished(tx, stored.tenant, kind)]
    if sum(run.subject["dataflow"] == stored.id for run in waiting) >= MOST_RUNS:
        raise Conflict(f"{MOST_RUNS} replays and discards of this dataflow wait already: let them end, or cancel them")


def _resumed(tx: Transaction, caller: Caller, stored: StoredDataflow, now: int) -> StoredDataflow:
    """Let a dataflow go on that was held, as enabling it would."""
    if stored.state != "held":
        return stored
    holding.refuse_to_enable(tx, caller, stored)
    if not dataflows.change(tx, stored, now, state="enabled", reason=None):
        raise Conflict
    audit.note(tx, caller.number, caller.actor, "enable", "dataflow", stored.id, now, stored.version + 1)
    access.raise_configuration(tx, caller.number)
    resumed = dataflows.get(tx, caller.number, stored.id)
    assert resumed is not None, "it was there in this transaction"
    return resumed


def _waits_for(stored: StoredDataflow) -> str | None:
    if stored.state == "enabled":
        return None
    why = f": {stored.reason}" if stored.reason else ""
    return f"the dataflow is {stored.state}{why}; it is replayed once that is enabled"


def _resolved(tx: Transaction, caller: Caller, wanted: Wanted) -> Chosen:
    """Return the conditions by the numbers that people and audiences have inside."""
    audience = _audience(tx, caller, *wanted.audience) if wanted.audience is not None else None
    profile = None
    if wanted.profile is not None:
        found: Sequence[tuple[int, bytes]] = [*profiles.find(tx, caller.number, [storable(wanted.profile)]).values()]
        profile = found[0][0] if found else _NOBODY
    code, message_ = (None if text is None else storable(text) for text in (wanted.code, wanted.message))
    return Chosen(wanted.numbers, code, audience, profile, message_, wanted.since, wanted.until)


def _audience(tx: Transaction, caller: Caller, namespace: str, id_: str) -> int:
    for audience in audiences.all_of(tx, caller.number).values():
        if (audience.namespace, audience.id) == (namespace, id_):
            return audience.audience
    raise NotFound(f"there is no audience {id_!r} of {namespace!r} here")


def _number(tx: Transaction, caller: Caller, id_: str) -> int:
    number = dataflows.number_of(tx, caller.number, id_)
    if number is None:
        raise NotFound(f"there is no dataflow {id_!r} here")
    return number


def _version(tx: Transaction, live: LiveDataflows, caller: Caller, id_: str) -> str | None:
    """Return the version of what messages of a dataflow are made of now; ``None``: they cannot be made at all."""
    flows = live.of(tx, caller.number).values()
    route = next((flow.route for flow in flows if flow.stored.id == id_), None)
    return route.recipe.version if route is not None else None
