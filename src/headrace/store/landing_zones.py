"""The storage that the house itself has for a sandbox: its container, and what signs the ways into it, sealed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, insert, select, update

from headrace.store import keys
from headrace.store.database import Transaction
from headrace.store.tables import landing_zones

#: The record under which the keys of every landing zone are sealed in its sandbox.
RECORD = "landing-zone"


@dataclass(frozen=True, slots=True)
class Zone:
    """The landing zone of a sandbox; ``keys`` are sealed, by name."""

    tenant: int
    container: str
    keys: dict[str, str]
    created_at: int


def add(tx: Transaction, zone: Zone) -> Zone:
    """
    Keep a landing zone, and return it; where the sandbox has one already, that one.

    Raises:
        Conflict: the key that sealed its keys is gone.
    """
    if (known := of(tx, zone.tenant)) is not None:
        return known
    keys.must_be_there(tx, zone.keys.values())
    tx.core.execute(insert(landing_zones).values(asdict(zone)))
    return zone


def of(tx: Transaction, tenant: int) -> Zone | None:
    """Return the landing zone of a sandbox."""
    return _find(tx, landing_zones.c.tenant == tenant)


def named(tx: Transaction, container: str) -> Zone | None:
    """Return the landing zone of a container, whosever it is."""
    return _find(tx, landing_zones.c.container == container)


def containers(tx: Transaction) -> list[str]:
    """Return the containers of all sandboxes."""
    return [*tx.core.execute(select(landing_zones.c.container).order_by(landing_zones.c.tenant)).scalars()]


def put_keys(tx: Transaction, tenant: int, sealed: Mapping[str, str]) -> None:
    """
    Put others in the place of a landing zone's keys: what the old ones signed is good for nothing.

    Raises:
        Conflict: the key that sealed them is gone.
    """
    keys.must_be_there(tx, sealed.values())
    tx.core.execute(update(landing_zones).where(landing_zones.c.tenant == tenant).values(keys=dict(sealed)))


def _find(tx: Transaction, is_it: ColumnElement[bool]) -> Zone | None:
    row: Any = tx.core.execute(select(landing_zones).where(is_it)).mappings().one_or_none()
    return None if row is None else Zone(**row)
