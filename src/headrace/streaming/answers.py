"""What an answer tells of single entries of a message, where its author has declared how it does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from headrace.connect.retry import RetryPolicy
from headrace.mapping.paths import getter
from headrace.model.answers import WHOLE, AnswerCounts, AnswerResults, Answers, Matching
from headrace.model.http import Response
from headrace.model.message import Message
from headrace.model.outcome import Delivered, Outcome, Parked, Retry, Split
from headrace.streaming.bisect import bisected
from headrace.streaming.settle import classify

#: The most of a partner's words that is kept.
LONGEST_REASON = 500
Redact = Callable[[str], str]
_USUAL = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Judged:
    """What an answer means, for all or for each entry; ``unread``: how it was not what its author declares."""

    outcome: Outcome | tuple[Outcome, ...]
    unread: str | None = None


class Unread(Exception):
    """The answer is not what was declared."""


def judge(
    response: Response,
    message: Message,
    declared: Answers | None,
    now: int,
    redact: Redact,
    *,
    bisects: bool,
    policy: RetryPolicy = _USUAL,
) -> Judged:
    """
    Say what an answer means for the entries of a message.

    An answer that cannot be read as declared counts by its status; but where it was to name every entry, a success that
    names none is sent again, for silence is no success.
    """
    status = response.status
    whole = classify(response, now, policy)
    by_status = bisected(whole, status, len(message.entries)) if bisects else whole
    if declared is None or not (200 <= status < 300 or status in declared.statuses):
        return Judged(by_status)
    try:
        return _read(response, message, declared, redact, policy)
    except Unread as error:
        is_strict = declared.results is not None and declared.results.names == "all"
        if is_strict and isinstance(whole, Delivered):
            reason = f"the partner answered {status} and did not say what it took: {error}"
            return Judged(Retry("answer-unread", reason, unknown=True), str(error))
        return Judged(by_status, str(error))


def _read(response: Response, message: Message, declared: Answers, redact: Redact, policy: RetryPolicy) -> Judged:
    try:
        body = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        raise Unread("the answer is not JSON") from None
    if declared.results is not None:
        found = _at(body, declared.results.path)
        if isinstance(found, list):
            return _by_results(found, message, declared.results, redact, policy)
        if declared.counts is None:
            raise Unread(f"there is no list at `{declared.results.path}`")
    assert declared.counts is not None, "a declaration has one of the two"
    return _by_counts(body, len(message.entries), declared.counts)


def _by_results(
    found: Sequence[Any], message: Message, declared: AnswerResults, redact: Redact, policy: RetryPolicy
) -> Judged:
    """Give each entry the outcome of the results that name it; of two that differ, the worse."""
    places = _places(message)
    told: dict[int, Outcome] = {}
    strays = 0
    for position, result in enumerate(found):
        named = _named(result, position, declared, places, len(message.entries))
        strays += not named
        outcome = _outcome(result, declared, redact, policy)
        told |= {place: max(told.get(place, outcome), outcome, key=_badness) for place in named}
    silent = [place for place in range(len(message.entries)) if place not in told]
    outcomes = tuple(told.get(place) or _unnamed(declared) for place in range(len(message.entries)))
    said = [f"{strays} results name no entry"] if strays else []
    if silent and declared.names == "all":
        said.append(f"{len(silent)} entries are not named")
    return Judged(outcomes, "; ".join(said) or None)


def _places(message: Message) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(message.names):
        if name is not None:
            places.setdefault(name, []).append(place)
    return places


def _named(result: Any, position: int, declared: AnswerResults, places: dict[str, list[int]], count: int) -> list[int]:
    """Return the places of the entries that a result speaks of."""
    if declared.by == "id":
        return places.get(_text(_at(result, declared.id)) or "", [])
    said = position if declared.index is None else _number(_at(result, declared.index))
    return [said] if said is not None and said < count else []


def _outcome(result: Any, declared: AnswerResults, redact: Redact, policy: RetryPolicy) -> Outcome:
    """Say what a result means for its entry."""
    if declared.success is not None:
        value = _text(_at(result, declared.success.path))
        if value in declared.success.values:
            return Delivered()
        if not declared.success.values:
            status = _number(value)
            if status is None:
                return Retry("entry-unread", "the partner did not say whether it took it", unknown=True)
            inner = classify(Response(status), 0, policy)
            if not isinstance(inner, Parked) and not (isinstance(inner, Retry) and inner.holds):
                return inner
    why = _text(_at(result, declared.reason)) if declared.reason is not None else None
    told = f": {' '.join(redact(why).split())[:LONGEST_REASON]}" if why else ""
    if declared.retry is not None and _matches(result, declared.retry):
        return Retry("entry-refused", f"the partner did not take it for now{told}")
    return Parked("entry-refused", f"the partner refused it alone{told}")


def _unnamed(declared: AnswerResults) -> Outcome:
    if declared.names == "failures":
        return Delivered()
    return Retry("entry-unnamed", "the partner's answer does not name it", unknown=True)


def _by_counts(body: Any, count: int, declared: AnswerCounts) -> Judged:
    """Take numbers at their word, where they make up for every entry."""
    failed = _number(_at(body, declared.failed))
    accepted = _number(_at(body, declared.accepted)) if declared.accepted is not None else None
    if failed is None or (declared.accepted is not None and accepted is None):
        raise Unread(f"there is no number at `{declared.failed if failed is None else declared.accepted}`")
    missing = failed if accepted is None else max(failed, count - accepted)
    differs = accepted is not None and accepted + failed != count
    unread = f"it speaks of {accepted} and {failed} entries, and was sent {count}" if differs else None
    if missing <= 0:
        return Judged(Delivered(), unread)
    reason = f"the partner did not take {min(missing, count)} of {count} entries and does not say which"
    divides = declared.otherwise == "bisect" and count > 1
    return Judged((Split if divides else Parked)("entries-refused", reason), unread)


def _badness(outcome: Outcome) -> int:
    return (Delivered, Retry, Parked, Split).index(type(outcome))


def _matches(result: Any, matching: Matching) -> bool:
    return _text(_at(result, matching.path)) in matching.values


def _at(value: Any, path: str | None) -> Any:
    if path is None or path == WHOLE:
        return value
    return getter(path)(value)


def _text(value: Any) -> str | None:
    """Return a scalar as JSON writes it, a text without its quotes."""
    if value is None or isinstance(value, dict | list):
        return None
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _number(value: Any) -> int | None:
    text = _text(value)
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None
