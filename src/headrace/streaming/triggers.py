"""
What triggers a message: pure functions of a person before, the person after, and what a dataflow watches.

Most dataflows follow **audiences**:

| what happens to a person | message |
|---|---|
| enters a mapped audience | yes, ``realized`` |
| leaves a mapped audience | yes, ``exited`` |
| a mapped attribute, or an identity of a mapped namespace, changes while in a mapped audience | yes |
| anything that is not mapped changes | no |
| is first heard of as ``exited`` | no: nobody was told of a membership that could end |
| has left once more, and the store was restored from a backup | yes: the partner may have been told since |

Those whose destination says so follow **profiles**, and what is above triggers a message there, too:

| what happens to a person who is in a mapped audience | message |
|---|---|
| a mapped attribute is written, even with the value it has | yes |
| any identity changes, of whatever namespace | yes |
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headrace.mapping import Mapping
from headrace.model.aggregation import Policy
from headrace.model.change import NO_AUDIENCE, LaneTouched
from headrace.model.message import Bucket, Status
from headrace.model.profile import Membership, Profile
from headrace.render.parts import Parting
from headrace.render.target import Audiences

#: A lane that exists already, by audience and part.
KnownLane = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Watched:
    """
    What one dataflow watches, and how it parts people into lanes.

    ``follows_profiles``: whatever is written of what is mapped is told, and every identity. ``ended``: audiences of
    which nothing more is told. ``is_restored``: the partner may have been told what we do not know any more, so that
    whoever has left may have entered before.
    """

    dataflow: int
    audiences: Audiences
    mapping: Mapping
    policy: Policy
    parting: Parting
    follows_profiles: bool = False
    ended: frozenset[int] = frozenset()
    is_restored: bool = False


def changed(
    before: Profile | None, after: Profile, watched: Watched, written: Profile | None = None
) -> tuple[int, ...]:
    """
    Return the numbers of the audiences a person entered or left; 0 if anything else of them must be told as well.

    ``written`` is what the sender said of the person, for dataflows that follow what is written; without it, what the
    person is after it.
    """
    was = watched.audiences.statuses(before) if before is not None else {}
    now = watched.audiences.statuses(after)
    if watched.ended:
        now = {number: membership for number, membership in now.items() if number not in watched.ended}
    moved = tuple(
        number
        for number, membership in now.items()
        if (membership["status"] == "realized") != (number in was and was[number]["status"] == "realized")
    )
    if watched.is_restored:
        moved += tuple(number for number in now if number not in moved and _may_have_left(number, was, now))
    is_member = any(membership["status"] == "realized" for membership in now.values())
    if before is not None and is_member and _is_news(before, after, watched, written):
        return (NO_AUDIENCE, *moved)
    return moved


def _may_have_left(number: int, was: dict[int, Membership], now: dict[int, Membership]) -> bool:
    """Say whether somebody may have entered an audience and left it where nothing is known between two states."""
    return now[number]["status"] != "realized" and was.get(number) != now[number]


def _is_news(before: Profile, after: Profile, watched: Watched, written: Profile | None) -> bool:
    """Say whether attributes or identities of a member are to be told."""
    if watched.mapping.differs(before, after):
        return True
    if not watched.follows_profiles:
        return False
    if watched.mapping.is_written(after if written is None else written):
        return True
    return before.get("identityMap") != after.get("identityMap")


def lanes(
    after: Profile, moved: tuple[int, ...], watched: Watched, known: Iterable[KnownLane] = ()
) -> tuple[LaneTouched, ...]:
    """
    Return the lanes that the changes of a person must leave by.

    ``known`` are lanes by which the partner was told something, or is about to be: where the identity of one is gone,
    the person leaves by it. None at all: nothing of the person can be said to this partner.
    """
    if not moved:
        return ()
    held, known = _parts(after, watched), set(known)
    touched: list[LaneTouched] = []
    for number in _audiences(after, moved, watched):
        gone = sorted({part for audience, part in known if audience == number} - set(held))
        touched += [_lane(number, part, after, watched) for part in held]
        touched += [_lane(number, part, after, watched, is_gone=True) for part in gone]
    return tuple(touched)


def bucket(after: Profile, number: int, part: str, watched: Watched) -> int | None:
    """Return the bucket of a person's entry as they are now; ``None`` where they are not known to be in an audience."""
    if number and number not in watched.audiences.statuses(after):
        return None
    is_gone = part not in _parts(after, watched)
    return _lane(number, part, after, watched, is_gone=is_gone).bucket


def _audiences(after: Profile, moved: tuple[int, ...], watched: Watched) -> Iterator[int]:
    """
    Yield the audiences that lanes are named after; 0 where the policy does not group by audience.

    Whoever was in one so long ago that it is forgotten leaves it all the same, where they are to.
    """
    key = watched.policy.aggregation_key
    if key is None or not key.include_segment_id:
        yield NO_AUDIENCE
        return
    statuses = watched.audiences.statuses(after)
    for number, membership in statuses.items():
        is_told = NO_AUDIENCE in moved and membership["status"] == "realized" and number not in watched.ended
        if number in moved or is_told:
            yield number
    yield from (number for number in moved if number != NO_AUDIENCE and number not in statuses)


def _parts(after: Profile, watched: Watched) -> list[str]:
    if watched.parting.is_whole:
        return [""]
    return [part.write() for part in watched.parting.parts(watched.mapping.identities(after))]


def _lane(number: int, part: str, after: Profile, watched: Watched, *, is_gone: bool = False) -> LaneTouched:
    key = watched.policy.aggregation_key
    status: Status | None = None
    if number and key is not None and key.include_segment_status:
        membership = watched.audiences.statuses(after).get(number)
        status = "exited" if is_gone or membership is None else membership["status"]
    group = int(part.split("|", 1)[0] or 0) if part else 0
    return LaneTouched(number, part, Bucket(number, status, group).encode())
