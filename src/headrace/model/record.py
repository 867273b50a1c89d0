"""
A record as it comes in: a whole source profile, or a patch of one; and what a person is after it.

A patch names whom it is of, as a profile does, and holds a JSON merge patch (RFC 7396) of attributes and identities,
and memberships, each of which is one value::

    {"identityMap": {"crmId": [{"id": "7"}]}, "patch": {"loyalty": {"points": 12, "tier": null}}}

Either may hold ``"x-headrace": {"sequence": 12}``: the sender's number of the record, by which a newer one stands
whatever order they arrive in.
"""

from dataclasses import dataclass
from typing import Any

from headrace.model.profile import (
    Audience,
    Profile,
    ProfileError,
    checked,
    identity_of,
    key_of,
    merge_memberships,
    parse,
    read,
)
from headrace.model.sequenced import patched, patched_at, replaced_at

#: What is ours in a record, and in the document that is kept of a person.
OURS = "x-headrace"
MEMBERSHIPS = "segmentMembership"
_OF_A_PATCH = {"profileId", "identityMap", "patch", OURS}


@dataclass(frozen=True, slots=True)
class Record:
    """
    One record that was read: the key of the person it is of, and a whole profile, or what a patch changes.

    ``whom`` are, for a patch, the members by which it names the person; ``None`` for a whole profile.
    """

    line: int
    key: str
    profile: Profile
    whom: Profile | None = None
    sequence: int | None = None


def read_whole(line: int, text: bytes, order: tuple[str, ...]) -> Record:
    """
    Read a whole source profile.

    Raises:
        ProfileError: as :func:`headrace.model.profile.parse`, and ``sequence``.
    """
    profile = parse(text)
    return Record(line, key_of(profile, order), profile, None, _sequence(profile))


def read_patch(line: int, text: bytes, order: tuple[str, ...]) -> Record:
    """
    Read a patch.

    Raises:
        ProfileError: ``patch`` where it is none, ``sequence``, and whatever makes a profile wrong.
    """
    record = read(text)
    sequence = _sequence(record)
    patch = record.get("patch")
    if type(patch) is not dict:
        raise ProfileError("patch", 'a patch is `{"identityMap" or "profileId": …, "patch": {…}}`')
    if unknown := sorted(record.keys() - _OF_A_PATCH):
        raise ProfileError(
            "patch", f"beside `patch` stand `profileId` and `identityMap` only, not {len(unknown)} others"
        )
    if OURS in patch:
        raise ProfileError("patch", f"`{OURS}` stands beside `patch`, not in it")
    named = checked({name: record[name] for name in ("profileId", "identityMap") if name in record}, text)
    key = key_of(named, order)
    return Record(line, key, checked(patch, text, is_patch=True), _whom(named, key), sequence)


def stamp(record: Record, arrived: str) -> None:
    """
    Give memberships that do not say since when the moment of their arrival.

    Those of a numbered record have its number, where they have none.
    """
    for audiences in (record.profile.get(MEMBERSHIPS) or {}).values():
        for membership in (audiences or {}).values():
            if membership is not None:
                membership.setdefault("lastQualificationTime", arrived)
                if record.sequence is not None:
                    membership.setdefault("sequence", record.sequence)


def after(
    before: Profile | None, record: Record, arrived: str, replace_at: str | None
) -> tuple[Profile, list[Audience]]:
    """
    Return a person as they are kept after a record, and the audiences whose state came too late.

    Attributes and identities are those of a whole profile, or the patched ones; where a sender numbers records, those
    of the highest number at each path. Memberships are merged by :func:`headrace.model.profile.merge_memberships`. One
    that a patch says is ``null`` has exited at ``arrived``.
    """
    old = before or {}
    known = old.get(MEMBERSHIPS) or {}
    new = record.profile.get(MEMBERSHIPS) or {}
    if record.whom is not None:
        new = _left(new, known, arrived)
    merged, late = merge_memberships(known, new, replace_at)
    if record.sequence is None and OURS not in old:
        kept = record.profile if record.whom is None else _patched(old or record.whom, record.profile)
        return {**kept, MEMBERSHIPS: merged}, late
    return {**_in_order(old, record), MEMBERSHIPS: merged}, late


def whom_of(key: str) -> Profile:
    """Return what a key says of the person that it is of, as a patch names them."""
    if key.startswith(":"):
        return {"profileId": key[1:]}
    namespace, identity = identity_of(key)
    return {"identityMap": {namespace: [{"id": identity}]}}


def _in_order(old: Profile, record: Record) -> Profile:
    """Return attributes, identities and stamps after a record that has a place in the order of its sender."""
    ours = old.get(OURS) or {}
    newest = ours.get("newest", 0)
    number = newest if record.sequence is None else record.sequence
    attributes = _attributes(old)
    change, stamps = _attributes(record.profile), ours.get("stamps", {})
    if record.whom is None:
        attributes, stamps = replaced_at(attributes, stamps, change, number)
    else:
        attributes, stamps = patched_at({**record.whom, **attributes}, stamps, change, number)
    return {**attributes, OURS: {"newest": max(newest, number), "stamps": stamps}}


def _attributes(profile: Profile) -> Profile:
    return {name: value for name, value in profile.items() if name not in (MEMBERSHIPS, OURS)}


def _patched(old: Profile, patch: Profile) -> Profile:
    written: Profile = patched(old, {name: value for name, value in patch.items() if name != MEMBERSHIPS})
    return written


def _whom(named: Profile, key: str) -> Profile:
    """Return what a person that only patches have named has of their own: what the key says, whoever names them."""
    return {"profileId": named["profileId"]} if key.startswith(":") else whom_of(key)


def _left(new: dict[str, Any], known: dict[str, Any], arrived: str) -> dict[str, Any]:
    """Say of memberships that are ``null`` in a patch that they have exited, where they were there."""
    said: dict[str, dict[str, Any]] = {}
    for namespace, audiences in new.items():
        held = known.get(namespace, {})
        named = dict.fromkeys(held) if audiences is None else audiences
        said[namespace] = {
            id_: {"status": "exited", "lastQualificationTime": arrived} if membership is None else membership
            for id_, membership in named.items()
            if membership is not None or held.get(id_, {}).get("status") == "realized"
        }
    return said


def _sequence(record: Profile) -> int | None:
    """Take the sender's number out of a record."""
    ours = record.pop(OURS, None)
    if ours is None:
        return None
    number = ours.get("sequence") if type(ours) is dict and ours.keys() == {"sequence"} else None
    if type(number) is not int or not 0 <= number < 1 << 53:
        raise ProfileError("sequence", f'`{OURS}` of a record is {{"sequence": a whole number from 0 up to 2^53}}')
    return number
