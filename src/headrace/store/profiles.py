"""People: one document each, memberships inside, found by key or by the number they have inside."""

from collections.abc import Iterator

from headrace.model.profile import Profile, decode
from headrace.store.database import Transaction

_FIND = "SELECT profile, document FROM profiles WHERE tenant = :tenant AND key = :key"
_LAST = "SELECT coalesce(max(profile), 0) FROM profiles WHERE tenant = :tenant"
_INSERT = "INSERT INTO profiles (tenant, profile, key, document) VALUES (:tenant, :profile, :key, :document)"
_UPDATE = "UPDATE profiles SET document = :document WHERE tenant = :tenant AND profile = :profile"
_SCAN = """
    SELECT profile, document FROM profiles WHERE tenant = :tenant AND profile > :after AND profile <= :upto
    ORDER BY profile LIMIT :most
"""
_SEQUENCE = "UPDATE tenants SET sequence = sequence + :count WHERE tenant = :tenant RETURNING sequence"


def find(tx: Transaction, tenant: int, key: str) -> tuple[int, bytes] | None:
    """Return the number and the document of the person with a key."""
    row: tuple[int, bytes] | None = tx.run(_FIND, {"tenant": tenant, "key": key}).fetchone()
    return row


def last_number(tx: Transaction, tenant: int) -> int:
    """Return the highest number that a person has; 0 where there is nobody."""
    number: int = tx.run(_LAST, {"tenant": tenant}).fetchone()[0]
    return number


def insert(tx: Transaction, tenant: int, profile: int, key: str, document: bytes) -> None:
    """Keep a new person."""
    tx.run(_INSERT, {"tenant": tenant, "profile": profile, "key": key, "document": document})


def update(tx: Transaction, tenant: int, profile: int, document: bytes) -> None:
    """Replace a person's document."""
    tx.run(_UPDATE, {"tenant": tenant, "profile": profile, "document": document})


def scan(tx: Transaction, tenant: int, after: int, upto: int, most: int) -> Iterator[tuple[int, Profile]]:
    """Read people by number, in order, up to ``most`` of them."""
    rows = tx.run(_SCAN, {"tenant": tenant, "after": after, "upto": upto, "most": most})
    return ((number, decode(document)) for number, document in rows)


def next_sequence(tx: Transaction, tenant: int, count: int) -> int:
    """Take ``count`` sequence numbers and return the first: a higher one is a newer state, for ever."""
    (last,) = tx.run(_SEQUENCE, {"tenant": tenant, "count": count}).fetchone()
    return int(last) - count + 1
