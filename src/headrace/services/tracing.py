"""What partners were told of one person, when, and why not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from headrace.batch import members
from headrace.batch.members import Members
from headrace.errors import NotFound
from headrace.services.caller import Caller
from headrace.store import audiences, dataflows, exports, history, tracing
from headrace.store.audiences import StoredAudience
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.exports import Published
from headrace.store.history import Happened
from headrace.store.tracing import LaidAside, Way

#: Events and days after which an answer ends, and the rest is to be asked for.
MOST, MOST_DAYS = 1_000, 31


@dataclass(frozen=True, slots=True)
class Pending:
    """
    A change that is not settled yet. ``why``: ``waits``, ``under-way``, ``retried``, or the state of a dataflow
    that does not go, with the reason.
    """

    audience: int
    seq: int
    since: int | None
    why: str
    reason: str | None = None
    retry_at: int | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class InFiles:
    """
    Whether the partner has a person as a member by files of an audience: by those that were ``published`` last.

    ``is_perhaps``: files that may have been seen have them so, though no export was published since.
    """

    audience: int
    published: Published | None
    is_member: bool
    is_perhaps: bool


@dataclass(frozen=True, slots=True)
class OfDataflow:
    """What is open of a person at one dataflow, and in which files they are."""

    id: str
    name: str
    state: str
    pending: Sequence[Pending]
    parked: Sequence[LaidAside]
    files: Sequence[InFiles]


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of a person; ``next_day`` is where to go on with what happened, days being counted from 1970."""

    dataflows: Sequence[OfDataflow]
    events: Sequence[tuple[str, Happened]]
    audiences: Mapping[int, StoredAudience]
    next_day: int | None


async def of_person(
    store: Store, caller: Caller, key: str, *, dataflow: str | None = None, first_day: int = 0, last_day: int
) -> Trace:
    """
    Return what is open of a person, and what happened from a day to another, the newest first.

    Raises:
        NotFound: the person, or the dataflow, is not in this sandbox.
    """

    def look(tx: Transaction) -> tuple[int, dict[int, str], list[OfDataflow], Mapping[int, StoredAudience]]:
        profile = tracing.number_of(tx, caller.number, key)
        if profile is None:
            raise NotFound("nobody with this key is known here")
        names = {number: id_ for number, id_, _ in dataflows.names(tx, caller.number) if dataflow in (None, id_)}
        if dataflow is not None and not names:
            raise NotFound(f"there is no dataflow {dataflow!r} here")
        flows = [flow for flow in dataflows.all_of(tx, caller.number) if flow.dataflow in names]
        found = [_of_dataflow(tx, flow, profile) for flow in flows]
        return profile, names, found, audiences.all_of(tx, caller.number)

    profile, names, found, known = await store.read(look)
    events, next_day = await _events(store, caller, profile, names, first_day, last_day)
    return Trace(found, events, known, next_day)


async def _events(
    store: Store, caller: Caller, profile: int, names: Mapping[int, str], first_day: int, last_day: int
) -> tuple[list[tuple[str, Happened]], int | None]:
    """Read day by day, a transaction for each, until it is enough; return where to go on as well."""
    events: list[tuple[str, Happened]] = []
    upto: int | None = last_day
    for _ in range(MOST_DAYS):
        upto = await store.read(lambda tx, upto=upto: _last_day(tx, caller, names, upto))  # type: ignore[misc]
        if upto is None or upto < first_day:
            return events, None
        day: int = upto
        happened = await store.read(lambda tx, day=day: _of_day(tx, caller, profile, names, day))  # type: ignore[misc]
        events += happened
        upto = day - 1
        if len(events) >= MOST:
            break
    return events, upto if upto is not None and upto >= first_day else None


def _last_day(tx: Transaction, caller: Caller, names: Mapping[int, str], upto: int) -> int | None:
    days = (history.last_day(tx, caller.number, number, upto) for number in names)
    return max((day for day in days if day is not None), default=None)


def _of_day(
    tx: Transaction, caller: Caller, profile: int, names: Mapping[int, str], day: int
) -> list[tuple[str, Happened]]:
    found = [
        (id_, item)
        for number, id_ in names.items()
        for item in history.of_person(tx, caller.number, number, profile, day)
    ]
    return sorted(found, key=lambda pair: (pair[1].moment, pair[1].number), reverse=True)


def _of_dataflow(tx: Transaction, flow: StoredDataflow, profile: int) -> OfDataflow:
    whose = (flow.tenant, flow.dataflow, profile)
    ways = tracing.ways(tx, *whose)
    pending = [_pending(flow, ways, audience, seq) for audience, seq in tracing.open_changes(tx, *whose)]
    laid_aside, files = tracing.laid_aside(tx, *whose), [*_files(tx, flow, profile)]
    return OfDataflow(flow.id, flow.document["name"], flow.state, pending, laid_aside, files)


def _files(tx: Transaction, flow: StoredDataflow, profile: int) -> Iterator[InFiles]:
    """Yield what files say of a person: of audiences of which files were published, or may have been seen."""
    block = profile // members.BLOCK
    for audience in sorted(dataflows.mapped_audiences(tx, flow.tenant, flow.dataflow)):
        whose = (flow.tenant, flow.dataflow, audience)
        published, (had, perhaps) = exports.get(tx, *whose), exports.block_of(tx, *whose, block)
        if published is not None or perhaps is not None:
            is_member, is_perhaps = _is_in(block, had, profile), _is_in(block, perhaps, profile)
            yield InFiles(audience, published, is_member, is_perhaps and not is_member)


def _is_in(block: int, packed: bytes | None, profile: int) -> bool:
    return packed is not None and profile in Members([(block, packed)])


def _pending(flow: StoredDataflow, ways: Sequence[Way], audience: int, seq: int) -> Pending:
    way = next((way for way in ways if way.carries(audience, seq)), None)
    since = way.waiting_since if way is not None else None
    if way is not None and way.attempt is not None and way.lease_until is not None:
        return Pending(audience, seq, since, "under-way", way.reason, attempt=way.attempt)
    if flow.state != "enabled":
        return Pending(audience, seq, since, flow.state, flow.reason)
    if way is not None and way.attempt is not None:
        return Pending(audience, seq, since, "retried", way.reason, way.retry_at, way.attempt)
    return Pending(audience, seq, since, "waits")
