"""What operators look at before they connect, and after a destination has changed."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from headrace.errors import HeadraceError, NotFound
from headrace.services import moving
from headrace.services.accounts import ACCOUNT
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog, Edition
from headrace.services.moving import TARGET, Held
from headrace.services.partners import Partners
from headrace.store import documents
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow

T = TypeVar("T")
#: Makes something of an edition, while the transaction that it is read in lasts.
Show = Callable[[Edition], T]


async def listing(store: Store, caller: Caller, show: Show[T]) -> list[T]:
    """Return everything that can be connected to."""
    return await store.read(lambda tx: [show(edition) for edition in Catalog(tx, caller.tenant).listing()])


async def read(store: Store, caller: Caller, id_: str, show: Show[T]) -> T:
    """
    Return one destination that can be connected to.

    Raises:
        NotFound: it cannot, whether or not it is there.
    """

    def look(tx: Transaction) -> T:
        edition = Catalog(tx, caller.tenant).find(id_)
        if edition is None:
            raise NotFound(f"there is no destination {id_!r} here")
        return show(edition)

    return await store.read(look)


async def held_back(store: Store, caller: Caller, flows: Iterable[StoredDataflow]) -> dict[str, Held]:
    """Return, by dataflow, the newer editions that target connections of some dataflows wait before."""

    def look(tx: Transaction) -> dict[str, Held]:
        catalog, found = Catalog(tx, caller.tenant), {}
        for stored in flows:
            target = documents.get(tx, caller.number, TARGET, stored.document["targetConnectionIds"][0])
            held = moving.held_back(tx, caller.tenant, target, catalog) if target is not None else None
            if held is not None:
                found[stored.id] = held
        return found

    return await store.read(look)


async def stopped(store: Store, partners: Partners, caller: Caller, flows: Iterable[StoredDataflow]) -> dict[str, str]:
    """Return, by dataflow, why some do not send although they are enabled: what is wrong with the account."""

    def look(tx: Transaction) -> dict[str, str]:
        catalog = Catalog(tx, caller.tenant)
        found = {stored.id: _fault(tx, catalog, partners, caller, stored) for stored in flows}
        return {id_: fault for id_, fault in found.items() if fault is not None}

    return await store.read(look)


def _fault(tx: Transaction, catalog: Catalog, partners: Partners, caller: Caller, stored: StoredDataflow) -> str | None:
    target = documents.get(tx, caller.number, TARGET, stored.document["targetConnectionIds"][0])
    if target is None:
        return None
    account_id = target.document.get("baseConnectionId")
    account = documents.get(tx, caller.number, ACCOUNT, account_id) if account_id else None
    try:
        partners.access(tx, caller.tenant, catalog.in_force(target), account, target)
    except HeadraceError as error:
        return error.message
    return None
