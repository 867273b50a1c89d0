"""How target connections move from one edition of their destination to another, and what holds them back."""

from dataclasses import dataclass

from headrace.errors import Conflict
from headrace.model.problem import ConfigurationError, Problem
from headrace.services import consent_policies, form
from headrace.services.at_partner import wanting
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog, Edition, destination_of, tenant_of, uses_working
from headrace.services.disclosure import Disclosure
from headrace.services.fitting import misfits
from headrace.services.governance.holding import brought_by_edition
from headrace.services.rebinding import bound
from headrace.services.sealing import SEALED
from headrace.store import access, audit, consents, documents
from headrace.store.access import Tenant
from headrace.store.consents import Consent
from headrace.store.database import Transaction
from headrace.store.documents import Declared

TARGET = "target-connection"


@dataclass(frozen=True, slots=True)
class Held:
    """A newer edition that a target connection does not use yet: what is new in it, and what does not fit."""

    edition: Edition
    news: Disclosure
    problems: tuple[Problem, ...]


def held_back(tx: Transaction, tenant: Tenant, target: Declared, catalog: Catalog | None = None) -> Held | None:
    """Return the newer edition that a target connection waits before; ``None``: it has the newest."""
    catalog = catalog or Catalog(tx, tenant)
    newest, current = catalog.offered(destination_of(target)), catalog.in_force(target)
    if newest is None or uses_working(target) or newest.config_id == current.config_id:
        return None
    return Held(newest, _news(tx, tenant, target, newest), tuple(_misfits(catalog, target, current, newest)))


def agree(tx: Transaction, target: str, caller: Caller, edition: Edition, now: int) -> None:
    """Note that a target connection uses an edition from now on, and what its operator was told of that."""
    shown = edition.disclosure
    consent = Consent(caller.number, target, edition.config_id, [*shown.origins], [*shown.fields], caller.actor, now)
    consents.keep(tx, consent)


def consent(tx: Transaction, caller: Caller, target: Declared, config_id: str | None, now: int) -> None:
    """
    Move a target connection to the newest edition, to which its operator agrees.

    Raises:
        Conflict: ``config_id`` is not the newest edition's.
        ConfigurationError: dataflows of this connection cannot go on under it.
    """
    held = held_back(tx, caller.tenant, target)
    if held is None or held.edition.config_id != config_id:
        newest = "this connection has the newest version already" if held is None else "there is a newer version"
        raise Conflict(f"{newest}: read the connection again, and agree to what it shows")
    if held.problems:
        raise ConfigurationError([*held.problems])
    agree(tx, target.id, caller, held.edition, now)
    wanting.mended(tx, caller.tenant, TARGET, target.id, caller.actor, now)
    details = {"configId": config_id, "origins": [*held.news.origins], "fields": [*held.news.fields]}
    audit.note(tx, caller.number, caller.actor, "consent", TARGET, target.id, now, target.version, details)
    access.raise_configuration(tx, caller.number)


def move_all(tx: Transaction, edition: Edition, actor: str, now: int) -> list[int]:
    """
    Move every target connection of a destination to a new edition, where nothing holds it back.

    In the author's own sandbox nobody has to agree: whoever works there can read what is sent where. Returns the
    sandboxes that this reaches.
    """
    reached, rebound = [], set[int]()
    for number, target in documents.connected_to(tx, TARGET, edition.id):
        tenant = tenant_of(tx, number)
        catalog = Catalog(tx, tenant)
        offered = catalog.offered(edition.id)
        is_theirs = offered is not None and offered.config_id == edition.config_id
        if is_theirs and not uses_working(target) and not _is_held(tx, catalog, tenant, target, edition):
            before = bound(tx, tenant, target.id)
            _move(tx, tenant, target, edition, actor, now)
            reached.append(number)
            rebound |= {number} if bound(tx, tenant, target.id) != before else set()
    for number in rebound:
        consent_policies.ask(tx, number, actor, now)
    for number in set(reached):
        access.raise_configuration(tx, number)
    return sorted(set(reached))


def _is_held(tx: Transaction, catalog: Catalog, tenant: Tenant, target: Declared, edition: Edition) -> bool:
    is_new = tenant != edition.owner and bool(_news(tx, tenant, target, edition))
    is_held = is_new or any(_misfits(catalog, target, catalog.in_force(target), edition))
    return is_held or bool(brought_by_edition(tx, tenant, target.id, edition))


def _move(tx: Transaction, tenant: Tenant, target: Declared, edition: Edition, actor: str, now: int) -> None:
    """Put a target connection on an edition; what was agreed to stays what it was, except for the author's own."""
    agreed, shown = consents.get(tx, tenant.tenant, target.id), edition.disclosure
    if agreed is None or tenant == edition.owner:
        row = Consent(tenant.tenant, target.id, edition.config_id, [*shown.origins], [*shown.fields], actor, now)
    else:
        row = Consent(
            tenant.tenant, target.id, edition.config_id, agreed.origins, agreed.fields, agreed.actor, agreed.at
        )
    consents.keep(tx, row)
    wanting.mended(tx, tenant, TARGET, target.id, actor, now)


def _news(tx: Transaction, tenant: Tenant, target: Declared, edition: Edition) -> Disclosure:
    agreed = consents.get(tx, tenant.tenant, target.id)
    return edition.disclosure.beyond(*((agreed.origins, agreed.fields) if agreed is not None else ((), ())))


def _misfits(catalog: Catalog, target: Declared, current: Edition, edition: Edition) -> list[Problem]:
    """Say what keeps a connection from an edition: dataflows that could not go on, and a form filled in for another."""
    fields = edition.destination.customer_data_fields
    return [
        *misfits(catalog.dataflows_of(target.id), current.destination, edition.destination),
        *form.misfits(fields, target.document.get("params", {}), target.document.get(SEALED, {})),
    ]
