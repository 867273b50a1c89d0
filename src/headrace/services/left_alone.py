"""Which dataflows wait because their partner has too much to do, or keeps failing."""

from collections.abc import Iterable

from headrace.clock import Clock
from headrace.services.accounts import TARGET
from headrace.services.caller import Caller
from headrace.store import documents, slowed
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.slowed import SlowedAccount


async def left_alone(
    store: Store, clock: Clock, caller: Caller, flows: Iterable[StoredDataflow]
) -> dict[str, SlowedAccount]:
    """Return, by dataflow, the accounts for which nothing but a probe is sent at this moment."""
    now = clock.now()

    def look(tx: Transaction) -> dict[str, SlowedAccount]:
        accounts = slowed.of(tx, caller.number, now)
        if not accounts:
            return {}
        names = {stored.id: _account(tx, caller, stored) for stored in flows}
        return {id_: accounts[name] for id_, name in names.items() if name in accounts}

    return await store.read(look)


def _account(tx: Transaction, caller: Caller, stored: StoredDataflow) -> str | None:
    """Return the account under which a dataflow's requests are counted: where there is none, its own connection."""
    target = documents.get(tx, caller.number, TARGET, stored.document["targetConnectionIds"][0])
    return None if target is None else target.document.get("baseConnectionId") or target.id
