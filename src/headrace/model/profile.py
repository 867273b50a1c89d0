"""
The source profile: one person, as sent to us. Plain JSON data, checked once at the door.

Attributes stand at their own paths; ``identityMap`` and ``segmentMembership`` are two maps with a shape of their own.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from headrace.errors import DataError

Profile = dict[str, Any]
Membership = dict[str, Any]
#: By namespace and audience.
Memberships = dict[str, dict[str, Membership]]
#: An audience as profiles name it: namespace and id.
Audience = tuple[str, str]

#: Which identity keys a profile that names none as primary; namespaces not listed follow by name.
NAMESPACE_ORDER = ("crmId", "CORE", "ECID", "Email", "Email_LC_SHA256", "Phone", "Phone_E.164", "GAID", "IDFA")

#: An id longer than this is no id: it would fill the index instead of finding a row.
LONGEST_KEY = 512
#: The deepest nesting that can be written.
_DEEPEST = 254
#: The form of the stored document that follows this byte: JSON as it was sent, memberships merged.
_FORM = b"\x01"
_STATUSES = {"realized": "realized", "exited": "exited", "existing": "realized"}
_FAR_PAST = datetime.min.replace(tzinfo=UTC)


class ProfileError(DataError):
    """The profile cannot be taken."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.reason = code


def parse(record: bytes) -> Profile:
    """
    Read one source profile and check the shape of its identities and memberships.

    A membership ``existing``, which older senders know, becomes ``realized``.

    Raises:
        ProfileError: with a stable reason: ``json``, ``not-an-object``, ``too-deep``, ``identity-map``,
            ``segment-membership``, ``nul``.
    """
    return checked(read(record), record)


def read(record: bytes) -> Profile:
    """
    Read a JSON object.

    Raises:
        ProfileError: ``json``, ``not-an-object``.
    """
    try:
        profile = orjson.loads(record)
    except orjson.JSONDecodeError as error:
        raise ProfileError("json", f"not JSON: {error.msg} at character {error.pos + 1}") from None
    if type(profile) is not dict:
        raise ProfileError("not-an-object", "a profile is a JSON object")
    return profile


def checked(profile: Profile, record: bytes, *, is_patch: bool = False) -> Profile:
    """
    Return a profile that was read from ``record``, if identities and memberships have their shape.

    In a patch, each namespace and each audience may be ``null``.

    Raises:
        ProfileError: as :func:`parse`.
    """
    _check_depth(record, profile)
    _check_identities(profile, is_patch)
    _check_memberships(profile, is_patch)
    if rb"\u0000" in record:
        _check_names(profile)
    return profile


def encode(profile: Profile) -> bytes:
    """Write a profile as it is stored."""
    return _FORM + orjson.dumps(profile)


def decode(document: bytes) -> Profile:
    """
    Read a stored profile.

    Raises:
        ValueError: it is in a form that this Headrace does not know.
    """
    if document[:1] != _FORM:
        raise ValueError(f"a stored profile is in the unknown form {document[:1]!r}")
    profile: Profile = orjson.loads(memoryview(document)[1:])
    return profile


def key_of(profile: Profile, order: Sequence[str] = NAMESPACE_ORDER) -> str:
    """
    Return the key under which a person is kept: ``profileId``, else the primary identity, else the first by ``order``.

    >>> key_of({"identityMap": {"Email": [{"id": "ana@example.com"}], "crmId": [{"id": "7"}]}})
    'crmId:7'

    Raises:
        ProfileError: ``no-key``: nothing says who this is; ``key-too-long``.
    """
    given = profile.get("profileId")
    if given is not None and (type(given) is not str or not given):
        raise ProfileError("profile-id", "`profileId` must be a text that is not empty")
    key = f":{given}" if given else _identity_key(profile.get("identityMap") or {}, order)
    if len(key) > LONGEST_KEY:
        raise ProfileError("key-too-long", f"the identity that keys this profile is over {LONGEST_KEY} characters")
    return key


def identity_of(key: str) -> tuple[str, str]:
    """
    Return the namespace and the identity that a key was made of.

    >>> identity_of("a%3Ab:7:8")
    ('a:b', '7:8')
    """
    namespace, _, identity = key.partition(":")
    return namespace.replace("%3A", ":").replace("%25", "%"), identity


def is_identity(text: str) -> bool:
    """Say whether a text can name somebody: rows are found by it, so it is not too long, and has no U+0000."""
    return 0 < len(text) <= LONGEST_KEY and "\0" not in text


def has_new_identity(before: Profile, after: Profile) -> bool:
    """
    Say whether somebody has an identity that they did not have before.

    >>> has_new_identity({"identityMap": {"crmId": [{"id": "7"}]}}, {"identityMap": {"crmId": [{"id": "8"}]}})
    True
    """
    held, known = after.get("identityMap") or {}, before.get("identityMap") or {}
    return held != known and any(
        not {item["id"] for item in of} <= {item["id"] for item in known.get(namespace) or ()}
        for namespace, of in held.items()
    )


def merge_memberships(
    old: Memberships, new: Memberships, replace_at: str | None = None
) -> tuple[Memberships, list[Audience]]:
    """
    Return the memberships that count once new ones have come in, and the audiences whose state came too late.

    Of each the newer state is kept, by time of qualification, then ``exited`` before ``realized``, then the sender's
    ``sequence``, then arrival. An audience that ``new`` does not mention stays as it was, or has exited at
    ``replace_at`` if that is given.
    """
    merged: Memberships = {}
    late: list[Audience] = []
    for namespace in {**new, **old}:
        merged[namespace], too_late = _merge_namespace(old.get(namespace, {}), new.get(namespace, {}), replace_at)
        late.extend((namespace, audience) for audience in too_late)
    return merged, late


def instant(text: object) -> datetime:
    """Read a timestamp of a membership; one without a zone is UTC, none at all is before all others."""
    if type(text) is not str:
        return _FAR_PAST
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _merge_namespace(
    old: dict[str, Membership], new: dict[str, Membership], replace_at: str | None
) -> tuple[dict[str, Membership], list[str]]:
    kept, late = dict(old), []
    for audience, membership in new.items():
        known = old.get(audience)
        if known is None or known == membership or not _is_older(membership, known):
            kept[audience] = membership
        elif membership["status"] != known["status"]:
            late.append(audience)
    if replace_at is not None:
        for audience, membership in old.items():
            if audience not in new and membership["status"] == "realized":
                kept[audience] = {"status": "exited", "lastQualificationTime": replace_at}
    return kept, late


def _is_older(membership: Membership, known: Membership) -> bool:
    return _rank(membership) < _rank(known)


def _rank(membership: Membership) -> tuple[datetime, bool, int]:
    sequence = membership.get("sequence")
    return (
        instant(membership.get("lastQualificationTime")),
        membership["status"] == "exited",
        sequence if type(sequence) is int else 0,
    )


def _identity_key(identities: dict[str, list[dict[str, Any]]], order: Sequence[str]) -> str:
    first: dict[str, str] = {}
    for namespace, values in identities.items():
        for identity in values:
            if identity.get("primary") is True:
                return named(namespace, identity["id"])
        if values:
            first[namespace] = values[0]["id"]
    for namespace in (*order, *sorted(first)):
        if namespace in first:
            return named(namespace, first[namespace])
    raise ProfileError("no-key", "nothing says who this is: give `profileId` or an identity in `identityMap`")


def prefix_of(namespace: str) -> str:
    """Return what keys of a namespace begin with. A colon in it is escaped: no two identities make the same key."""
    return f"{namespace.replace('%', '%25').replace(':', '%3A')}:"


def named(namespace: str, identity: str) -> str:
    """Write an identity as a key."""
    return prefix_of(namespace) + identity


def _check_depth(record: bytes, profile: Profile) -> None:
    """Refuse what can be read and not written again; only a text with that many brackets can be nested so deep."""
    if record.count(b"{") + record.count(b"[") <= _DEEPEST:
        return
    try:
        orjson.dumps(profile)
    except orjson.JSONEncodeError:
        raise ProfileError("too-deep", f"a profile is nested {_DEEPEST} levels deep at most") from None


def _check_identities(profile: Profile, is_patch: bool) -> None:
    identities = profile.get("identityMap")
    if identities is None:
        return
    if type(identities) is not dict:
        raise ProfileError("identity-map", "`identityMap` is an object: namespace to list of identities")
    for namespace, values in identities.items():
        if values is None and is_patch and namespace:
            continue
        if not namespace or type(values) is not list:
            raise ProfileError("identity-map", f"`identityMap.{namespace}` is a list of identities")
        for identity in values:
            if type(identity) is not dict or type(identity.get("id")) is not str or not identity["id"]:
                raise ProfileError("identity-map", f"an identity in `identityMap.{namespace}` needs a text `id`")
            if len(identity["id"]) > LONGEST_KEY:
                raise ProfileError("key-too-long", f"an identity in `identityMap.{namespace}` is over {LONGEST_KEY}")


def _check_memberships(profile: Profile, is_patch: bool) -> None:
    memberships = profile.get("segmentMembership")
    if memberships is None:
        return
    if type(memberships) is not dict:
        raise ProfileError("segment-membership", "`segmentMembership` is an object: namespace to audiences")
    for namespace, audiences in memberships.items():
        if audiences is None and is_patch:
            continue
        if type(audiences) is not dict:
            raise ProfileError("segment-membership", f"`segmentMembership.{namespace}` is an object: id to membership")
        for audience, membership in audiences.items():
            if membership is not None or not is_patch:
                _check_membership(f"segmentMembership.{namespace}.{audience}", membership)


def _check_names(profile: Profile) -> None:
    """Refuse the character U+0000 in what people and audiences are called; elsewhere it is a character like others."""
    identities, memberships = profile.get("identityMap") or {}, profile.get("segmentMembership") or {}
    names = {
        "profileId": [str(profile.get("profileId"))],
        "identityMap": [*identities, *(identity["id"] for values in identities.values() for identity in values or ())],
        "segmentMembership": [
            *memberships,
            *(audience for audiences in memberships.values() for audience in audiences or ()),
        ],
    }
    for place, found in names.items():
        if any("\0" in name for name in found):
            raise ProfileError("nul", f"the character U+0000 cannot be kept in what `{place}` names: leave it out")


def _check_membership(where: str, membership: object) -> None:
    status = membership.get("status") if type(membership) is dict else None
    if type(membership) is not dict or type(status) is not str or status not in _STATUSES:
        raise ProfileError("segment-membership", f"`{where}` needs a `status`: realized or exited")
    membership["status"] = _STATUSES[status]
    for name in ("lastQualificationTime", "validUntil"):
        time = membership.get(name)
        if time is None:
            continue
        try:
            instant(time if type(time) is str else "").astimezone(UTC)
        except (ValueError, OverflowError):
            raise ProfileError("segment-membership", f"`{where}.{name}` is not an ISO 8601 time") from None
