"""
Aggregation as a pure function: what a list of target profiles becomes under a policy.

The outbox does the same with lanes and buckets as people change; this is its meaning in one place, and what authors are
shown when they try a policy on sample profiles.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.model.aggregation import AggregationKey, Policy
from headrace.render.parts import Parting
from headrace.render.target import TargetProfile, narrow, normal_time

Key = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """
    One message to be: what its entries share, and the entries.

    ``waits`` is how many seconds the first of them waits for more, unless they come; 0: it leaves at once.
    """

    key: Key
    entries: tuple[TargetProfile, ...]
    waits: int = 0


def aggregate(profiles: Sequence[TargetProfile], policy: Policy, namespaces: Sequence[str]) -> list[Call]:
    """
    Part, narrow, gather and cut: every entry leaves in exactly one call.

    Calls come in the order of identity groups, inside a group in the order in which keys first appear.
    """
    buckets: dict[tuple[Any, ...], list[TargetProfile]] = {}
    keys: dict[tuple[Any, ...], Key] = {}
    parting = Parting.of(policy, tuple(namespaces))
    for group in range(1, len(parting.groups) + 1) if parting.groups else (0,):
        for profile in profiles:
            for key, entry in _entries(_with_normal_times(profile), policy, parting, group):
                name = tuple((part, str(value)) for part, value in key.items())
                keys.setdefault(name, key)
                buckets.setdefault(name, []).append(entry)
    most = policy.most_entries
    return [
        _call(keys[name], entries[start : start + most], policy)
        for name, entries in buckets.items()
        for start in range(0, len(entries), most)
    ]


def _call(key: Key, entries: Sequence[TargetProfile], policy: Policy) -> Call:
    """Make a call; one that is not full waits where the policy has patience."""
    patience = policy.patience
    waits = patience.age // 1000 if patience is not None and len(entries) < patience.entries else 0
    return Call(key, tuple(entries), waits)


def _entries(
    profile: TargetProfile, policy: Policy, parting: Parting, group: int
) -> Iterator[tuple[Key, TargetProfile]]:
    key = policy.aggregation_key or AggregationKey()
    for part in parting.parts(profile["identityMap"]):
        if part.identity_group != group:
            continue
        namespaces = parting.namespaces(group)
        entry = narrow(profile, namespaces=namespaces, identity=part.identity)
        shared: Key = {"identityNamespaces": list(namespaces)} if namespaces else {}
        if not key.include_segment_id:
            yield shared, entry
            continue
        for namespace, audiences in profile["segmentMembership"].items():
            for audience, membership in audiences.items():
                named = {"segmentId": audience, "segmentNamespace": namespace}
                status = {"segmentStatus": membership["status"]} if key.include_segment_status else {}
                yield named | status | shared, narrow(entry, audience=(namespace, audience))


def _with_normal_times(profile: TargetProfile) -> TargetProfile:
    memberships = {
        namespace: {audience: _with_normal_time(membership) for audience, membership in audiences.items()}
        for namespace, audiences in profile.get("segmentMembership", {}).items()
    }
    return {"attributes": {}, "identityMap": {}, **profile, "segmentMembership": memberships}


def _with_normal_time(membership: dict[str, Any]) -> dict[str, Any]:
    """Write the time as messages do; a membership ``existing``, which older profiles know, is ``realized``."""
    time = membership.get("lastQualificationTime")
    normal = membership if time is None else {**membership, "lastQualificationTime": normal_time(time)}
    return {**normal, "status": "realized"} if membership.get("status") == "existing" else normal
