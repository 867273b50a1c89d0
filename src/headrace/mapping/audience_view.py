"""
What a row of the mapping may read of the audience that a message is about.

Paths such as ``segmentMembership.ups.aep_seg_id.status`` name no audience: they stand for the one at hand.
"""

from collections.abc import Iterable
from typing import Any

from headrace.model.profile import Profile

ALIAS = ("metadata", "segment", "alias")
_MEMBERSHIPS = "segmentMembership"
_ANY_AUDIENCE = frozenset({"aep_seg_id", "seg_id"})
_DIRECT = frozenset({"status", "lastQualificationTime"})

Path = tuple[str | int, ...]


def reads_audience(paths: Iterable[Path]) -> bool:
    """Say whether any of these paths stands for the audience at hand."""
    return any(_is_of_audience(path) for path in paths)


def reads_status(paths: Iterable[Path]) -> bool:
    """Say whether any of these paths stands for the status of the audience at hand, or for all there is of it."""
    return any(_is_of_audience(path) and path != ALIAS and _has_status(path[-1]) for path in paths)


def with_audience(profile: Profile, namespace: str, alias: str | None, membership: dict[str, Any]) -> Profile:
    """Return a person as such paths see one: with the membership and the alias of the audience at hand."""
    held = profile.get(_MEMBERSHIPS) or {}
    at_hand = dict.fromkeys(_ANY_AUDIENCE, membership)
    memberships = {
        **held,
        **{name: {**held.get(name, {}), **at_hand} for name in (namespace, "ups", "seg_namespace")},
        **{name: membership.get(name) for name in _DIRECT},
    }
    return {**profile, _MEMBERSHIPS: memberships, "metadata": {"segment": {"alias": alias}}}


def _is_of_audience(path: Path) -> bool:
    if path[0] != _MEMBERSHIPS:
        return path == ALIAS
    return path[1:2] != () and (path[1] in _DIRECT or (path[2:3] != () and path[2] in _ANY_AUDIENCE))


def _has_status(last: str | int) -> bool:
    return last == "status" or last in _ANY_AUDIENCE
