"""What is remembered of accepting, settling and withholding: whose changes, and what became of them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from headrace.model.change import Changes
from headrace.model.message import Group, Settled
from headrace.model.outcome import Delivered, Parked, Retry, Split, Withheld
from headrace.store.books import Books, Lines
from headrace.store.history import STATES, Fate
from headrace.store.withheld import NOTHING_TO_SAY

_NOTHING, _IN, _OUT = map(STATES.index, (None, "realized", "exited"))


def accepted(books: Books, batch: Iterable[Changes], *, again: bool = False) -> None:
    """Note what some records change, or is told ``again``, and what of it was late or withheld at once."""
    if not books.remembers:
        return
    taken: dict[int, Lines] = {}
    kind = "replayed" if again else "accepted"
    for item in batch:
        lines = taken.get(item.dataflow)
        if lines is None:
            lines = taken[item.dataflow] = books.of(Fate(item.dataflow, kind))
        profile, seq = item.profile, item.seq
        for audience in item.changed:
            lines.append((profile, audience, seq, _NOTHING))
        if item.late or item.withheld or not item.lanes:
            _settled_at_once(books, item, lines)


def _settled_at_once(books: Books, item: Changes, lines: Lines) -> None:
    lines += ((item.profile, audience, item.seq, _NOTHING) for audience in (*item.late, *item.withheld))
    for audience in item.late:
        overtaken(books, item, audience, item.seq)
    kept_back = [(audience, item.reason) for audience in item.withheld]
    kept_back += [(audience, NOTHING_TO_SAY) for audience in item.changed if not item.lanes]
    for audience, reason in kept_back:
        books.of(Fate(item.dataflow, "withheld", reason)).append((item.profile, audience, item.seq, _NOTHING))


def overtaken(books: Books, by: Changes, audience: int, seq: int) -> None:
    """Note that a change was superseded that had not left, or that came too late."""
    books.of(Fate(by.dataflow, "superseded")).append((by.profile, audience, seq, _NOTHING))


def superseded(books: Books, dataflow: int, profile: int, audience: int, seq: int) -> None:
    """Note that a change was superseded by one that came to its end with it."""
    books.of(Fate(dataflow, "superseded")).append((profile, audience, seq, _NOTHING))


def withheld(books: Books, dataflow: int, profile: int, audience: int, seq: int, reason: str) -> None:
    """Enter that a change is withheld: counted, with its reason, and remembered."""
    books.tally[dataflow, audience, "withheld"] += 1
    books.withheld[dataflow, reason] += 1
    books.of(Fate(dataflow, "withheld", reason)).append((profile, audience, seq, _NOTHING))


def parked(books: Books, group: Group, item: Settled, outcome: Parked, newest: Mapping[int, int]) -> None:
    """Note that changes of one entry were laid aside, each with its audience and sequence number."""
    fate = _fate(group, item.message, outcome)
    changes = newest or {item.entry.audience: item.entry.seq}
    books.of(fate).extend((item.entry.profile, audience, seq, _NOTHING) for audience, seq in changes.items())


def attempted(books: Books, group: Group, settled: Sequence[Settled]) -> None:
    """Note what messages carried that were delivered, or are tried again."""
    if not books.remembers:
        return
    last: Settled | None = None
    lines: Lines = []
    is_told = False
    for item in settled:
        if last is None or item.outcome is not last.outcome or item.message != last.message:
            last, is_told = item, isinstance(item.outcome, Delivered)
            # What is parked or withheld is noted change by change.
            lines = (
                []
                if isinstance(item.outcome, Parked | Withheld)
                else books.of(_fate(group, item.message, item.outcome))
            )
        entry, shown = item.entry, item.shown
        profile, seq = entry.profile, entry.seq
        for audience in entry.changed or (entry.audience,):
            lines.append((profile, audience, seq, _told(shown, audience) if is_told and audience else _NOTHING))


def _told(shown: bytes | None, audience: int) -> int:
    """Say what the partner was told of an audience, from what it knows now."""
    if shown is None:
        return _OUT
    return _IN if 0 <= shown.find(_member(audience)) < shown.find(b'"identities":') else _OUT


@lru_cache(maxsize=4096)
def _member(audience: int) -> bytes:
    """Return how an audience begins where a partner knows somebody to be in it."""
    return b'"%d":"' % audience


def _fate(group: Group, message: str, outcome: Delivered | Retry | Parked | Split) -> Fate:
    if isinstance(outcome, Delivered):
        return Fate(group.dataflow, "sent", None, message, outcome.status, group.attempt)
    kind = "retried" if isinstance(outcome, Retry) else "parked" if isinstance(outcome, Parked) else "split"
    return Fate(group.dataflow, kind, outcome.code, message or None, None, group.attempt)
