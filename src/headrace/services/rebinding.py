"""Changes by which other consent policies bind dataflows: those who are known already are held to these by a run."""

from collections.abc import Iterator
from contextlib import contextmanager

from headrace.services import consent_policies
from headrace.services.catalog import Catalog
from headrace.services.in_use import TARGET
from headrace.store import dataflows, documents
from headrace.store.access import Tenant
from headrace.store.database import Transaction

#: By the numbers of dataflows, whether they evaluate consent, and what says by which policies.
Bound = dict[int, tuple[bool, str]]


@contextmanager
def followed(tx: Transaction, tenant: Tenant, actor: str, now: int) -> Iterator[None]:
    """Ask for the run that applies policies, where what is changed inside changes which policies bind a dataflow."""
    before = bound(tx, tenant)
    yield
    if bound(tx, tenant) != before:
        consent_policies.ask(tx, tenant.tenant, actor, now)


def bound(tx: Transaction, tenant: Tenant, target: str | None = None) -> Bound:
    """Return which policies bind the dataflows of a sandbox, or of one of its target connections."""
    policies, catalog = consent_policies.in_force(tx, tenant.tenant), Catalog(tx, tenant)
    found: Bound = {}
    for stored in dataflows.all_of(tx, tenant.tenant) if policies.policies else ():
        id_ = stored.document["targetConnectionIds"][0]
        connected = documents.get(tx, tenant.tenant, TARGET, id_) if target in (None, id_) else None
        if connected is not None:
            destination = catalog.in_force(connected).destination
            consents, _, evaluates = consent_policies.binding(policies, stored.document, destination)
            found[stored.dataflow] = evaluates, consents.version
    return found
