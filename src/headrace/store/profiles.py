"""People: one document each, memberships inside, found by key or by the number they have inside."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from headrace.model.profile import Profile, decode
from headrace.store.database import Transaction

#: How many keys are asked for at once; fewer are filled up, so that there are few statements to plan. SQLite joins 500.
_AT_ONCE = (1, 16, 128)
_LAST = "SELECT coalesce(max(profile), 0) FROM profiles WHERE tenant = :tenant"
#: The numbers of erased people are not given again.
_LAST_ERASED = "SELECT coalesce(max(profile), 0) FROM erased_people WHERE tenant = :tenant"
_REMOVE = "DELETE FROM profiles WHERE tenant = :tenant AND profile = :profile"
_INSERT = """
    INSERT INTO profiles (tenant, profile, key, document, sequence, expires_at, identities_at)
    VALUES (:tenant, :profile, :key, :document, :sequence, :expires_at, :identities_at)
"""
_UPDATE = """
    UPDATE profiles SET document = :document, sequence = :sequence, expires_at = :expires_at,
        identities_at = coalesce(:identities_at, identities_at)
    WHERE tenant = :tenant AND profile = :profile
"""
_SCAN = """
    SELECT profile, document FROM profiles WHERE tenant = :tenant AND profile > :after AND profile <= :upto
    ORDER BY profile LIMIT :most
"""
_SCAN_STATES = """
    SELECT profile, coalesce(sequence, 0), document FROM profiles
    WHERE tenant = :tenant AND profile > :after AND profile <= :upto ORDER BY profile LIMIT :most
"""
_EXPIRED = """
    SELECT profile, key, document, coalesce(sequence, 0) FROM profiles
    WHERE tenant = :tenant AND expires_at <= :now ORDER BY expires_at LIMIT :most
"""
_EXPIRE = "UPDATE profiles SET expires_at = :expires_at WHERE tenant = :tenant AND profile = :profile"
_SCAN_WITH_KEYS = """
    SELECT profile, key, document FROM profiles WHERE tenant = :tenant AND profile > :after ORDER BY profile LIMIT :most
"""
_SEQUENCE = "UPDATE tenants SET sequence = sequence + :count WHERE tenant = :tenant RETURNING sequence"


@dataclass(slots=True)
class Kept:
    """
    A person as they are kept: ``sequence`` is the number of the state, ``identities_at`` that of the one that brought
    an identity which they had not before; ``None``: none has since they were kept last.

    ``expires_at`` is when a membership of theirs ends by itself or is to be forgotten, ``None`` for never; 0: somebody
    has to look.
    """

    profile: int
    key: str
    document: bytes
    sequence: int
    expires_at: int | None = 0
    identities_at: int | None = None


def _find(count: int) -> str:
    """
    Write a query for so many keys: one search of the index for each, whatever the planner knows of the table.

    Of ``key IN (…)`` PostgreSQL may make a reading of everybody, if there was next to nobody when it last counted.
    """
    one = "SELECT key, profile, document FROM profiles WHERE tenant = :tenant AND key = :k{}"
    return " UNION ALL ".join(one.format(place) for place in range(count))


_FIND = {count: _find(count) for count in _AT_ONCE}


def find(tx: Transaction, tenant: int, keys: Iterable[str]) -> dict[str, tuple[int, bytes]]:
    """Return the numbers and the documents of the people with some keys, by key."""
    found: dict[str, tuple[int, bytes]] = {}
    wanted = iter(dict.fromkeys(keys))
    while some := list(islice(wanted, _AT_ONCE[-1])):
        count = next(count for count in _AT_ONCE if count >= len(some))
        asked: dict[str, Any] = {f"k{place}": key for place, key in enumerate(some)}
        asked |= {f"k{place}": some[-1] for place in range(len(some), count)}
        for key, profile, document in tx.run(_FIND[count], {**asked, "tenant": tenant}):
            found[key] = (profile, document)
    return found


def last_number(tx: Transaction, tenant: int) -> int:
    """Return the highest number that a person has or had; 0 where there never was anybody."""
    whose = {"tenant": tenant}
    return max(int(tx.run(sql, whose).fetchone()[0]) for sql in (_LAST, _LAST_ERASED))


def insert(tx: Transaction, tenant: int, people: Iterable[Kept]) -> None:
    """Keep new people."""
    tx.many(_INSERT, [_row(tenant, person) for person in people])


def update(tx: Transaction, tenant: int, people: Iterable[Kept]) -> None:
    """Replace people's documents."""
    tx.many(_UPDATE, [_row(tenant, person) for person in people])


def remove(tx: Transaction, tenant: int, profile: int) -> None:
    """Remove a person for good."""
    tx.run(_REMOVE, {"tenant": tenant, "profile": profile})


def _row(tenant: int, person: Kept) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "profile": person.profile,
        "key": person.key,
        "document": person.document,
        "sequence": person.sequence,
        "expires_at": person.expires_at,
        "identities_at": person.identities_at,
    }


def scan(tx: Transaction, tenant: int, after: int, upto: int, most: int) -> Iterator[tuple[int, Profile]]:
    """Read people by number, in order, up to ``most`` of them."""
    rows = tx.run(_SCAN, {"tenant": tenant, "after": after, "upto": upto, "most": most})
    return ((number, decode(document)) for number, document in rows)


def expired(tx: Transaction, tenant: int, now: int, most: int) -> list[Kept]:
    """Return people of whom a membership has ended by itself or is to be forgotten, the longest due first."""
    rows = tx.run(_EXPIRED, {"tenant": tenant, "now": now, "most": most})
    return [Kept(profile, key, bytes(document), sequence) for profile, key, document, sequence in rows]


def expire(tx: Transaction, tenant: int, profile: int, at: int | None) -> None:
    """Note when somebody is to be looked at again."""
    tx.run(_EXPIRE, {"tenant": tenant, "profile": profile, "expires_at": at})


def scan_states(tx: Transaction, tenant: int, after: int, upto: int, most: int) -> Iterator[tuple[int, int, Profile]]:
    """Yield people by number as ``scan`` does, each with the number of their state."""
    span = {"tenant": tenant, "after": after, "upto": upto, "most": most}
    for profile, sequence, document in tx.run(_SCAN_STATES, span):
        yield profile, sequence, decode(document)


def scan_with_keys(tx: Transaction, tenant: int, after: int, most: int) -> Iterator[tuple[int, str, Profile]]:
    """Read people by number, in order, up to ``most`` of them, with their keys."""
    rows = tx.run(_SCAN_WITH_KEYS, {"tenant": tenant, "after": after, "most": most})
    return ((number, key, decode(document)) for number, key, document in rows)


def next_sequence(tx: Transaction, tenant: int, count: int) -> int:
    """Take ``count`` sequence numbers and return the first: a higher one is a newer state, for ever."""
    (last,) = tx.run(_SEQUENCE, {"tenant": tenant, "count": count}).fetchone()
    return int(last) - count + 1
