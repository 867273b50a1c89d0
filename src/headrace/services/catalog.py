"""
The catalog: which destinations a sandbox may use, and in which edition each of its target connections uses one.

A destination has a working edition, which its author changes at will, and the editions that were published, which are
frozen. Who may use a published destination uses it as it was published, in the author's own sandbox too; a target
connection stays on the edition that it was made with, or was moved to since.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.flow import Flow, TargetConnection
from headrace.services.checks import DESTINATION, SERVER, Document, Others, lenient
from headrace.services.disclosure import Disclosure, disclosure_of
from headrace.store import access, consents, dataflows, documents, publishing
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.documents import Declared
from headrace.store.publishing import PublishRequest

PUBLISHED = "PUBLISHED"


class Parts(Others, Protocol):
    """The objects that an edition is made of, in the versions that belong to it."""

    def version_of(self, noun: str, id_: str) -> int | None:
        """Return the version of an object in this edition."""
        ...


@dataclass(frozen=True, slots=True)
class Working:
    """The objects of a sandbox as they are now."""

    tx: Transaction
    tenant: int

    def get(self, noun: str, id_: str) -> Document | None:
        found = documents.get(self.tx, self.tenant, noun, id_)
        return found.document if found is not None else None

    def all_of(self, noun: str) -> list[tuple[str, Document]]:
        return [(item.id, item.document) for item in documents.all_of(self.tx, self.tenant, noun)]

    def version_of(self, noun: str, id_: str) -> int | None:
        found = documents.get(self.tx, self.tenant, noun, id_)
        return found.version if found is not None else None


@dataclass(frozen=True, slots=True)
class Pinned:
    """The objects that a request froze, and those it did not as they are now: shared credentials."""

    tx: Transaction
    request: PublishRequest

    def get(self, noun: str, id_: str) -> Document | None:
        number = self._pins.get((noun, id_))
        if number is None:
            return Working(self.tx, self.request.tenant).get(noun, id_)
        version = documents.version(self.tx, self.request.tenant, noun, id_, number)
        return version.document if version is not None else None

    def all_of(self, noun: str) -> list[tuple[str, Document]]:
        found = [(id_, self.get(noun, id_)) for kind, id_ in self._pins if kind == noun]
        return [(id_, document) for id_, document in found if document is not None]

    def version_of(self, noun: str, id_: str) -> int | None:
        return self._pins.get((noun, id_)) or Working(self.tx, self.request.tenant).version_of(noun, id_)

    @property
    def _pins(self) -> dict[tuple[str, str], int]:
        return {(pin["noun"], pin["id"]): pin["version"] for pin in self.request.pinned}


@dataclass(frozen=True)
class Edition:
    """
    One destination in one edition: whose it is, its document and its version. The working one has no ``request``.

    Its parts, and what is read from them, are there as long as the transaction is that it was found in.
    """

    id: str
    owner: Tenant
    version: int
    document: Document
    parts: Parts
    request: PublishRequest | None

    @property
    def config_id(self) -> str | None:
        """The request that froze it."""
        return self.request.config_id if self.request is not None else None

    @cached_property
    def destination(self) -> Destination:
        return lenient(Destination, self.document)

    @property
    def server(self) -> DestinationServer:
        """The server that takes its messages."""
        document = self.parts.get(SERVER, self.destination.delivery.destination_server_id)
        assert document is not None, "what is in use is not deleted"
        return lenient(DestinationServer, document)

    @cached_property
    def disclosure(self) -> Disclosure:
        """Where it sends, and what."""
        return disclosure_of(self.document, self.parts)


class Catalog:
    """What one sandbox may use, as a transaction sees it."""

    def __init__(self, tx: Transaction, tenant: Tenant) -> None:
        self._tx = tx
        self._tenant = tenant

    def find(self, id_: str) -> Edition | None:
        """Return a destination as it can be connected to now; ``None`` also where it is hidden from this sandbox."""
        edition = self.offered(id_)
        return edition if edition is not None and edition.document.get("status") != "DELETED" else None

    def offered(self, id_: str) -> Edition | None:
        """Return a destination in its newest edition for this sandbox, even if its author hides the card."""
        published = [item for item in publishing.of_destination(self._tx, id_) if item.status == PUBLISHED]
        seen = [item for item in published if self._sees(item)]
        return edition_of(self._tx, seen[0]) if seen else self.working(id_)

    def listing(self) -> list[Edition]:
        """Return all that can be connected to: what is of this sandbox, oldest first, then what others publish."""
        own = [item.id for item in documents.all_of(self._tx, self._tenant.tenant, DESTINATION)]
        others = [item.destination for item in publishing.listing(self._tx, PUBLISHED) if self._sees(item)]
        found = [self.find(id_) for id_ in dict.fromkeys([*own, *others])]
        return [edition for edition in found if edition is not None]

    def working(self, id_: str) -> Edition | None:
        """Return the working edition of a destination of this sandbox."""
        found = documents.get(self._tx, self._tenant.tenant, DESTINATION, id_)
        if found is None:
            return None
        parts = Working(self._tx, self._tenant.tenant)
        return Edition(id_, self._tenant, found.version, found.document, parts, None)

    def in_force(self, target: Declared) -> Edition:
        """Return the edition that a target connection uses."""
        id_ = destination_of(target)
        consent = None if uses_working(target) else consents.get(self._tx, self._tenant.tenant, target.id)
        if consent is None or consent.config_id is None:
            edition = self.working(id_)
        else:
            request = publishing.get(self._tx, consent.config_id)
            edition = edition_of(self._tx, request) if request is not None else None
        assert edition is not None, "what is in use is not deleted"
        return edition

    def dataflows_of(self, target: str) -> list[Flow]:
        """Return the dataflows of a target connection."""
        return self._flows.get(target, [])

    def targets_on_working(self, id_: str) -> Iterator[Declared]:
        """Return the target connections that a change of the working edition reaches at once."""
        for tenant, target in documents.connected_to(self._tx, "target-connection", id_):
            if tenant == self._tenant.tenant and self.in_force(target).request is None:
                yield target

    @cached_property
    def _flows(self) -> dict[str, list[Flow]]:
        found: dict[str, list[Flow]] = {}
        for stored in dataflows.all_of(self._tx, self._tenant.tenant):
            flow = lenient(Flow, stored.document)
            found.setdefault(flow.target_connection_ids[0], []).append(flow)
        return found

    def _sees(self, request: PublishRequest) -> bool:
        """Say whether a published destination is for this sandbox; an organization sees its own author's always."""
        return request.is_for(self._tenant.organization) or (
            tenant_of(self._tx, request.tenant).organization == self._tenant.organization
        )


def edition_of(tx: Transaction, request: PublishRequest) -> Edition:
    """Return the edition that a request froze."""
    parts = Pinned(tx, request)
    document, version = (ask(DESTINATION, request.destination) for ask in (parts.get, parts.version_of))
    assert isinstance(document, dict), "versions are kept for good"
    assert isinstance(version, int), "and so are requests"
    return Edition(request.destination, tenant_of(tx, request.tenant), version, document, parts, request)


def tenant_of(tx: Transaction, number: int) -> Tenant:
    """Return a sandbox by its number."""
    return next(tenant for tenant in access.all_tenants(tx) if tenant.tenant == number)


def destination_of(target: Declared) -> str:
    """Return the id of the destination that an account or a connection belongs to."""
    id_: str = target.document["connectionSpec"]["id"]
    return id_


def uses_working(target: Declared) -> bool:
    """Say whether a target connection is one for trying the working edition."""
    return lenient(TargetConnection, target.document).extension.working
