"""Requests to publish a destination: which versions of what it is made of, for whom, and what was decided."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Select, insert, select, update

from headrace.store.database import Transaction
from headrace.store.tables import publish_requests


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """
    One request. ``pinned`` holds ``{noun, id, version}`` of everything that is frozen.

    ``published_at`` stays when the request is published no longer; ``ended_at`` says since when.
    """

    tenant: int
    config_id: str
    destination: str
    access: str
    allowed_orgs: list[str]
    pinned: list[dict[str, Any]]
    status: str
    submitted_by: str
    submitted_at: int
    decided_by: str | None = None
    decided_at: int | None = None
    reason: str | None = None
    published_at: int | None = None
    ended_at: int | None = None

    def is_for(self, organization: str) -> bool:
        """Say whether an organization may see what is published."""
        return self.access == "ALL" or organization in self.allowed_orgs


def add(tx: Transaction, request: PublishRequest) -> None:
    """Keep a new request."""
    tx.core.execute(insert(publish_requests).values(**asdict(request)))


def get(tx: Transaction, config_id: str) -> PublishRequest | None:
    """Return a request by its id."""
    found = [] if "\0" in config_id else _all(tx, select(publish_requests).where(_is_it(config_id)))
    return found[0] if found else None


def of_destination(tx: Transaction, destination: str) -> list[PublishRequest]:
    """Return every request for a destination, oldest first."""
    return _all(tx, select(publish_requests).where(publish_requests.c.destination == destination))


def of_tenant(tx: Transaction, tenant: int) -> list[PublishRequest]:
    """Return every request of a sandbox, oldest first."""
    return _all(tx, select(publish_requests).where(publish_requests.c.tenant == tenant))


def listing(tx: Transaction, status: str | None = None) -> list[PublishRequest]:
    """Return the requests of all sandboxes, oldest first; with ``status``, those alone that are so."""
    query = select(publish_requests)
    return _all(tx, query if status is None else query.where(publish_requests.c.status == status))


def change(tx: Transaction, known: PublishRequest, **values: Any) -> PublishRequest | None:
    """Change a request if its status is still the one that was read; ``None``: somebody else was quicker."""
    is_as_read = _is_it(known.config_id) & (publish_requests.c.status == known.status)
    if not tx.core.execute(update(publish_requests).where(is_as_read).values(**values)).rowcount:
        return None
    return replace(known, **values)


def _is_it(config_id: str) -> Any:
    return publish_requests.c.config_id == config_id


def _all(tx: Transaction, query: Select[Any]) -> list[PublishRequest]:
    ordered = query.order_by(publish_requests.c.submitted_at, publish_requests.c.config_id)
    return [PublishRequest(**row) for row in tx.core.execute(ordered).mappings()]
