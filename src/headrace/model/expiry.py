"""
How long a membership lasts: until its ``validUntil``; and what an external one has that says none.

An audience of a namespace other than ``ups`` is kept by somebody else: what that one says holds for 30 days. Somebody
who has left is remembered for 30 days more, so that a late word of older news does not bring them back.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from headrace.model.profile import Audience, Membership, Profile, instant

#: The namespace of audiences that are found out here.
OWN = "ups"
DAY = 24 * 60 * 60 * 1000
#: How long an external membership lasts that does not say so, and how long one that ended is remembered.
EXTERNAL = 30 * DAY
REMEMBERED = 30 * DAY


def moment(text: object) -> int | None:
    """Read a timestamp of a membership as milliseconds; ``None``: it is none, or one that nobody will see."""
    if type(text) is not str:
        return None
    try:
        found = instant(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return int((found - datetime.fromtimestamp(0, UTC)).total_seconds() * 1000)


def ends_at(namespace: str, membership: Membership) -> int | None:
    """Return when a membership that is realized ends by itself; ``None``: it does not."""
    until = moment(membership.get("validUntil"))
    if until is not None or namespace == OWN:
        return until
    since = moment(membership.get("lastQualificationTime"))
    return None if since is None else since + EXTERNAL


def forgotten_at(membership: Membership) -> int | None:
    """Return when a membership that has exited may be forgotten; ``None``: it does not say since when."""
    since = moment(membership.get("lastQualificationTime"))
    return None if since is None else since + REMEMBERED


def due(profile: Profile) -> Iterator[tuple[Audience, Membership, int]]:
    """Yield the memberships of a person that end or are forgotten some time, each with when."""
    for namespace, audiences in (profile.get("segmentMembership") or {}).items():
        for id_, membership in audiences.items():
            is_in = membership["status"] == "realized"
            at = ends_at(namespace, membership) if is_in else forgotten_at(membership)
            if at is not None:
                yield (namespace, id_), membership, at


def next_due(profile: Profile) -> int | None:
    """Return when a membership of a person ends by itself or is forgotten, the first that is; ``None``: none is."""
    return min((at for _, _, at in due(profile)), default=None)
