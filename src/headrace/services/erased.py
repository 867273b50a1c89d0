"""
Who was erased, known by tombstones: keyed hashes of the identities that a person had.

Whoever keeps records of people asks ``among`` in the same transaction, so that nobody comes back between the two. Where
nobody was ever erased, that is one look into an empty table.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.connect.keyring import Keyring
from headrace.model.profile import Profile, identity_of
from headrace.model.record import Record
from headrace.store import access, erasures
from headrace.store.access import Tenant
from headrace.store.database import Store, Transaction

CODE = "erased"
REASON = "this person was erased, and is not taken again unless the erasure is lifted"
#: A namespace and an id; the namespace of an explicit ``profileId`` is empty.
Identity = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Erased:
    """Knows erased people again."""

    keyring: Keyring

    def among(self, tx: Transaction, tenant: int, records: Sequence[Record]) -> list[Record]:
        """Return the records, out of some, of people who were erased."""
        if not records or not erasures.has_tombstones(tx, tenant):
            return []
        whose = access.tenant_of(tx, tenant)
        known = [(record, [self.hash(whose, item) for item in _identities_of(record)]) for record in records]
        buried = erasures.buried(tx, tenant, (value for _, hashes in known for value in hashes))
        return [record for record, hashes in known if not buried.isdisjoint(hashes)] if buried else []

    def sieve(self, store: Store, tenant: int) -> "Sieve | None":
        """Return what knows erased people by their keys, as it is now; ``None`` where nobody is kept out."""

        def look(tx: Transaction) -> tuple[Tenant, frozenset[str]]:
            return access.tenant_of(tx, tenant), erasures.tombstones_of(tx, tenant)

        whose, hashes = store.read_now(look)
        return Sieve(self, whose, hashes) if hashes else None

    def hash(self, tenant: Tenant, identity: Identity) -> str:
        """Return the hash of an identity in a sandbox."""
        namespace, id_ = identity
        return self.keyring.fingerprint(f"erased\n{tenant.sandbox_id}\n{namespace}\n{id_}", tenant.organization)


@dataclass(frozen=True, slots=True)
class Sieve:
    """Tells the keys of erased people of one sandbox from those of others."""

    erased: Erased
    tenant: Tenant
    hashes: frozenset[str]

    def __call__(self, keys: Sequence[str | None]) -> list[bool]:
        """Say of each key whether it is of somebody who was erased; nobody's key is ``None``."""
        return [key is not None and self.knows(identity_of(key)) for key in keys]

    def knows(self, identity: Identity) -> bool:
        """Say whether an identity is of somebody who was erased."""
        return self.erased.hash(self.tenant, identity) in self.hashes


def identities_of(key: str, *documents: Profile) -> set[Identity]:
    """Return every identity by which a person is known: the one that keys them, and those of some documents."""
    return {identity_of(key), *(item for document in documents for item in _listed(document))}


def _identities_of(record: Record) -> Iterable[Identity]:
    return identities_of(record.key, record.profile, record.whom or {})


def _listed(document: Profile) -> Iterator[Identity]:
    mapped: dict[str, Any] = document.get("identityMap") or {}
    for namespace, values in mapped.items():
        for identity in values or ():
            yield namespace, identity["id"]
