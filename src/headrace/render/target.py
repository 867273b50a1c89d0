"""The target profile: the only shape of a person that templates see."""

from collections.abc import Sequence
from datetime import UTC
from functools import lru_cache
from typing import Any

import orjson

from headrace.mapping import LeftOut, Mapping
from headrace.mapping.audience_view import with_audience
from headrace.model.message import Entry
from headrace.model.profile import Profile, instant
from headrace.render.recipe import MappedAudience

TargetProfile = dict[str, Any]
#: What the partner was last told through a lane: when each audience was entered, and under which identities.
Shown = dict[str, Any]


class Audiences:
    """The audiences of a dataflow: ``ups`` before other namespaces, then in the order in which they were mapped."""

    def __init__(self, mapped: Sequence[MappedAudience]) -> None:
        ordered = sorted(mapped, key=lambda audience: audience.namespace != "ups")
        self.by_number = {audience.number: audience for audience in ordered}
        self._places = {audience.number: place for place, audience in enumerate(ordered)}
        self._leaving = {audience.number for audience in ordered if audience.is_leaving}
        self.numbers: dict[str, dict[str, int]] = {}
        for audience in ordered:
            self.numbers.setdefault(audience.namespace, {})[audience.id] = audience.number

    def statuses(self, profile: Profile) -> dict[int, dict[str, Any]]:
        """Return a person's memberships of these audiences by number, in our order."""
        found = [
            (numbers[audience], membership)
            for namespace, memberships in (profile.get("segmentMembership") or {}).items()
            if (numbers := self.numbers.get(namespace)) is not None
            for audience, membership in memberships.items()
            if audience in numbers
        ]
        if len(found) > 1:
            found.sort(key=lambda item: self._places[item[0]])
        if self._leaving:
            found = [
                (number, {**item, "status": "exited"} if number in self._leaving else item) for number, item in found
            ]
        return dict(found)


def target_profile(
    entry: Entry, profile: Profile, mapping: Mapping, audiences: Audiences, left_out: list[LeftOut] | None = None
) -> TargetProfile:
    """
    Map a person for one entry: mapped audiences, identities of mapped namespaces, mapped attributes.

    An audience that the person has left is there if that is news: it just changed, or the partner still has the person
    as a member. One that has ended is there only if the change was accepted before that. What the source no longer
    knows of somebody the partner knows is taken from what the partner was shown.
    What is mapped and cannot be sent is noted as ``left_out``.
    """
    shown: Shown = orjson.loads(entry.shown) if entry.shown else {}
    known: dict[str, str] = shown.get("audiences", {})
    statuses = audiences.statuses(profile)
    memberships: dict[str, dict[str, Any]] = {}
    for number, membership in statuses.items():
        if audiences.by_number[number].has_ended and number not in (entry.audience, *entry.changed):
            continue
        if membership["status"] == "realized" or number in entry.changed or str(number) in known:
            audience = audiences.by_number[number]
            _put(memberships, audience, membership["status"], membership.get("lastQualificationTime"))
    for text, entered_at in known.items():
        number = int(text)
        if number not in audiences.by_number or number in statuses:
            continue
        if not audiences.by_number[number].has_ended or number in (entry.audience, *entry.changed):
            _put(memberships, audiences.by_number[number], "exited", entered_at)
    identities = mapping.identities(profile, left_out) or shown.get("identities", {})
    attributes = mapped_attributes(entry, profile, memberships, mapping, audiences, left_out)
    return {"segmentMembership": memberships, "identityMap": identities, "attributes": attributes}


def mapped_attributes(
    entry: Entry,
    profile: Profile,
    memberships: dict[str, dict[str, Any]],
    mapping: Mapping,
    audiences: Audiences,
    left_out: list[LeftOut] | None = None,
) -> dict[str, Any]:
    """Return the attributes of a person for one entry; some may hang on what is told of the entry's audience."""
    if not (mapping.reads_audience and entry.audience):
        return mapping.attributes(profile, left_out)
    audience = audiences.by_number[entry.audience]
    membership = memberships.get(audience.namespace, {}).get(audience.id, {})
    return mapping.attributes(with_audience(profile, audience.namespace, audience.alias, membership), left_out)


def taken_back(target: TargetProfile, entry: Entry) -> TargetProfile:
    """Return a person as one who has left by a lane whose identities are gone: out of all, as the partner knew them."""
    shown: Shown = orjson.loads(entry.shown) if entry.shown else {}
    memberships = {
        namespace: {id_: {**membership, "status": "exited"} for id_, membership in audiences.items()}
        for namespace, audiences in target["segmentMembership"].items()
    }
    return {**target, "segmentMembership": memberships, "identityMap": shown.get("identities", {})}


def shown_after(target: TargetProfile, audiences: Audiences, before: bytes | None = None) -> bytes | None:
    """
    Return what the partner knows once a (narrowed) target profile is delivered; nothing if the person is out.

    Of audiences that it does not speak of, what the partner knew ``before`` stands.
    """
    told = {
        str(audiences.numbers[namespace][audience]): membership
        for namespace, memberships in target["segmentMembership"].items()
        for audience, membership in memberships.items()
    }
    known = orjson.loads(before)["audiences"] if before else {}
    members = {number: entered_at for number, entered_at in known.items() if number not in told}
    for number, membership in told.items():
        if membership["status"] == "realized":
            members[number] = membership.get("lastQualificationTime", "")
    return orjson.dumps({"audiences": members, "identities": target["identityMap"]}) if members else None


def narrow(
    target: TargetProfile,
    *,
    audience: tuple[str, str] | None = None,
    namespaces: Sequence[str] | None = None,
    identity: tuple[str, str] | None = None,
) -> TargetProfile:
    """
    Return a copy that holds one audience, the identities of some namespaces, or a single identity, as asked.

    The maps are new and what is inside them is shared: templates cannot change it.
    """
    narrowed = dict(target)
    if audience is not None:
        namespace, id_ = audience
        membership = target["segmentMembership"].get(namespace, {}).get(id_)
        narrowed["segmentMembership"] = {namespace: {id_: membership}} if membership is not None else {}
    if identity is not None:
        narrowed["identityMap"] = {identity[0]: [{"id": identity[1]}]}
    elif namespaces is not None:
        held = target["identityMap"]
        narrowed["identityMap"] = {namespace: held[namespace] for namespace in held if namespace in namespaces}
    return narrowed


@lru_cache(maxsize=65536)
def normal_time(text: str) -> str:
    """
    Write a timestamp as templates are shown it: UTC, milliseconds (cut, not rounded), zone without colon.

    >>> normal_time("2024-03-01T17:41:55.947859Z")
    '2024-03-01T17:41:55.947+0000'
    """
    return instant(text).astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "+0000"


def _put(memberships: dict[str, dict[str, Any]], audience: MappedAudience, status: str, time: str | None) -> None:
    membership = {"lastQualificationTime": normal_time(time), "status": status} if time else {"status": status}
    memberships.setdefault(audience.namespace, {})[audience.id] = membership
