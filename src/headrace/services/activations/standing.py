"""How activations stand: what sends whom where, and how far those who were there before have been looked at."""

from collections.abc import Iterator
from typing import Any

from headrace.clock import Clock, iso
from headrace.model.flow import Flow
from headrace.services import backfills
from headrace.services.accounts import ACCOUNT, TARGET
from headrace.services.activations.planning import audiences_of, rows_of
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog
from headrace.services.checks import lenient
from headrace.services.exports import standing as exports
from headrace.services.windows import Window
from headrace.store import dataflows, documents
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow

Object = dict[str, Any]


async def listing(store: Store, clock: Clock, caller: Caller) -> list[Object]:
    """Return the activations of a sandbox, newest first."""

    now = clock.now()

    def look(tx: Transaction) -> list[Object]:
        catalog = Catalog(tx, caller.tenant)
        return [_shown(tx, catalog, caller, stored, now) for stored in dataflows.all_of(tx, caller.number)]

    return await store.read(look)


def _windows(flow: Flow, now: int) -> Iterator[Object]:
    """Yield how the dates of audiences stand that have some."""
    for selector in flow.audiences:
        window = Window.of(selector)
        if window != Window():
            ends = {"from": window.start, "to": window.end}
            shown = {name: None if moment is None else iso(moment) for name, moment in ends.items()}
            yield {"audience": selector.id, "namespace": selector.namespace, "state": window.state(now), **shown}


def _shown(tx: Transaction, catalog: Catalog, caller: Caller, stored: StoredDataflow, now: int) -> Object:
    flow = lenient(Flow, stored.document)
    target = documents.get(tx, caller.number, TARGET, flow.target_connection_ids[0])
    assert target is not None, "what is in use is not deleted"
    edition, account_id = catalog.in_force(target), target.document.get("baseConnectionId")
    account = documents.get(tx, caller.number, ACCOUNT, account_id) if account_id is not None else None
    left = [run.progress for run in backfills.unended(tx, caller.number, stored.id)]
    return {
        "id": stored.id,
        "name": flow.name,
        "state": stored.state,
        "reason": stored.reason,
        "destination": {"id": edition.id, "name": edition.destination.name},
        "account": {"id": account.id, "name": account.document["name"]} if account is not None else None,
        "audiences": [*audiences_of(flow)],
        "mapping": [*rows_of(flow)],
        "windows": [*_windows(flow, now)],
        **({"exports": exports.of_dataflow(tx, stored, now)} if edition.destination.takes_files else {}),
        "backfill": {name: sum(int(item.get(name, 0)) for item in left) for name in ("looked", "of")},
    }
