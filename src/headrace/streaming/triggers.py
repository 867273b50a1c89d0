"""
What triggers a message: pure functions of a person before, the person after, and what a dataflow watches.

| what happens to a person | message |
|---|---|
| enters a mapped audience | yes, ``realized`` |
| leaves a mapped audience | yes, ``exited`` |
| a mapped attribute, or an identity of a mapped namespace, changes while in a mapped audience | yes |
| anything that is not mapped changes | no |
| is first heard of as ``exited`` | no: nobody was told of a membership that could end |
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headrace.mapping import Mapping
from headrace.model.aggregation import BestEffortAggregation
from headrace.model.change import NO_AUDIENCE, LaneTouched
from headrace.model.message import Bucket, Status
from headrace.model.profile import Profile
from headrace.render.parts import Parting
from headrace.render.target import Audiences

#: A lane that exists already, by audience and part.
KnownLane = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Watched:
    """What one dataflow watches, and how it parts people into lanes."""

    dataflow: int
    audiences: Audiences
    mapping: Mapping
    policy: BestEffortAggregation
    parting: Parting


def changed(before: Profile | None, after: Profile, watched: Watched) -> tuple[int, ...]:
    """Return the numbers of the audiences a person entered or left; 0 if attributes or identities changed as well."""
    was = watched.audiences.statuses(before) if before is not None else {}
    now = watched.audiences.statuses(after)
    moved = tuple(
        number
        for number, membership in now.items()
        if (membership["status"] == "realized") != (number in was and was[number]["status"] == "realized")
    )
    is_member = any(membership["status"] == "realized" for membership in now.values())
    if before is not None and is_member and watched.mapping.differs(before, after):
        return (NO_AUDIENCE, *moved)
    return moved


def lanes(
    after: Profile, moved: tuple[int, ...], watched: Watched, known: Iterable[KnownLane] = ()
) -> tuple[LaneTouched, ...]:
    """
    Return the lanes that the changes of a person must leave by.

    ``known`` are lanes that the partner was told something by: if the identity of one is gone, it must be told so too.
    None at all: nothing of the person can be said to this partner.
    """
    if not moved:
        return ()
    parts = _parts(after, moved, watched, known)
    return tuple(_lane(number, part, after, watched) for number in _audiences(after, moved, watched) for part in parts)


def _audiences(after: Profile, moved: tuple[int, ...], watched: Watched) -> Iterator[int]:
    """Yield the audiences that lanes are named after; 0 where the policy does not group by audience."""
    key = watched.policy.aggregation_key
    if key is None or not key.include_segment_id:
        yield NO_AUDIENCE
        return
    for number, membership in watched.audiences.statuses(after).items():
        if number in moved or (NO_AUDIENCE in moved and membership["status"] == "realized"):
            yield number


def _parts(after: Profile, moved: tuple[int, ...], watched: Watched, known: Iterable[KnownLane]) -> list[str]:
    if watched.parting.is_whole:
        return [""]
    held = [part.write() for part in watched.parting.parts(watched.mapping.identities(after))]
    return held + sorted({part for _, part in known} - set(held))


def _lane(number: int, part: str, after: Profile, watched: Watched) -> LaneTouched:
    key = watched.policy.aggregation_key
    status: Status | None = None
    if number and key is not None and key.include_segment_status:
        status = watched.audiences.statuses(after)[number]["status"]
    group = int(part.split("|", 1)[0] or 0) if part else 0
    return LaneTouched(number, part, Bucket(number, status, group).encode())
