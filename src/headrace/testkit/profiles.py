"""
People who do not exist: as many source profiles as wanted, the same ones every time.

Profile ``n`` of a seed is the same however many are asked for, on every machine and every version of Python, so that a
test, the demo and a benchmark speak of the same people. Their addresses and telephone numbers are of the ranges kept
free for that: ``example.com`` and its sisters, and the numbers that films use.

>>> first, second = generate(2)
>>> next(generate(1, start=1)) == second
True
"""

import copy
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from headrace.model.profile import Profile
from headrace.testkit.people.audiences import AUDIENCES, Audience
from headrace.testkit.people.making import Wanted
from headrace.testkit.people.standard import EVERYTHING, SMALLEST
from headrace.testkit.people.writing import texts

__all__ = ["AUDIENCES", "EVERYTHING", "SMALLEST", "Audience", "generate", "leave", "ndjson"]


def generate(count: int, *, seed: int = 1, start: int = 0) -> Iterator[Profile]:
    """Make ``count`` profiles, beginning with number ``start`` of this seed."""
    for lines in texts(Wanted(count, seed, start)):
        for line in lines:
            yield orjson.loads(line)


def leave(profile: Profile, audience_id: str, at: datetime) -> Profile:
    """
    Return the profile as it is once the person has left an audience at this moment; the profile given stays as it is.

    Raises:
        ValueError: the person is not in the audience, or came into it later than ``at``.
    """
    left = copy.deepcopy(profile)
    membership = _membership(left, audience_id)
    if at <= datetime.fromisoformat(membership["lastQualificationTime"]):
        raise ValueError(f"the person came into audience {audience_id} at that time or later")
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    membership.update(status="exited", lastQualificationTime=f"{moment}Z")
    return left


def ndjson(profiles: Iterable[Profile]) -> Iterator[bytes]:
    """Write profiles as the ingest door reads them: compact JSON, one a line."""
    return (orjson.dumps(profile, option=orjson.OPT_APPEND_NEWLINE) for profile in profiles)


def _membership(profile: Profile, audience_id: str) -> dict[str, Any]:
    for audiences in profile["segmentMembership"].values():
        membership: dict[str, Any] | None = audiences.get(audience_id)
        if membership and membership["status"] == "realized":
            return membership
    raise ValueError(f"the person is not in audience {audience_id}")
