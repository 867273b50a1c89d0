"""Turning: audiences whose dates have come take part in their dataflows, and those whose dates are over end."""

from headrace.model.flow import Flow
from headrace.services.at_partner import wanting
from headrace.services.at_partner.wanting import Place
from headrace.services.catalog import tenant_of
from headrace.services.checks import lenient
from headrace.store import access, dataflows
from headrace.store.database import Store, Transaction


async def turn(store: Store, now: int) -> None:
    """Let audiences begin and end whose dates have come."""
    if await store.read(lambda tx: dataflows.windows_due(tx, now)):
        await store.write(lambda tx: _turn(tx, now))


def _turn(tx: Transaction, now: int) -> None:
    for stored in dataflows.windows_due(tx, now):
        flow = lenient(Flow, stored.document)
        place = Place.of(tx, tenant_of(tx, stored.tenant), flow.target_connection_ids[0])
        wanting.join_dataflow(place, stored, flow, now)
        access.raise_configuration(tx, stored.tenant)
