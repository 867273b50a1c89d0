"""Turning: audiences whose dates have come take part in their dataflows, those whose dates are over end or are gone."""

from headrace.crashpoints import crashpoint
from headrace.model.flow import Flow
from headrace.services import backfills
from headrace.services.at_partner import wanting
from headrace.services.at_partner.wanting import Place
from headrace.services.catalog import tenant_of
from headrace.services.checks import lenient
from headrace.store import access, dataflows, outbox
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow


async def turn(store: Store, now: int) -> None:
    """Let audiences begin and end whose dates have come, and go that nobody is told to have left any more."""
    if await store.read(lambda tx: dataflows.windows_due(tx, now)):
        await store.write(lambda tx: _turn(tx, now))
    if await store.read(_forsaken):
        await store.write(lambda tx: _let_go(tx, now))


def _turn(tx: Transaction, now: int) -> None:
    for stored in dataflows.windows_due(tx, now):
        flow = lenient(Flow, stored.document)
        place = Place.of(tx, tenant_of(tx, stored.tenant), flow.target_connection_ids[0])
        wanting.join_dataflow(place, stored, flow, now)
        access.raise_configuration(tx, stored.tenant)
    crashpoint("before_turn_commit")


def _forsaken(tx: Transaction) -> list[tuple[StoredDataflow, int]]:
    """Return the audiences that are being left, and whose backfill was cancelled."""
    leaving = dataflows.leaving(tx)
    return [
        (stored, audience)
        for stored, audience in leaving
        if all(run.subject["audience"] != audience for run in backfills.unended(tx, stored.tenant, stored.id))
    ]


def _let_go(tx: Transaction, now: int) -> None:
    for stored, audience in _forsaken(tx):
        dataflows.unmap_audience(tx, stored.tenant, stored.dataflow, audience)
        outbox.withhold_audience(tx, stored.tenant, stored.dataflow, audience, now)
        access.raise_configuration(tx, stored.tenant)
