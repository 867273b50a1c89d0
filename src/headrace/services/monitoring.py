"""Monitoring: what became of everything."""

from headrace.errors import NotFound
from headrace.services.caller import Caller
from headrace.store import audiences, dataflows, ledger, withheld
from headrace.store.audiences import StoredAudience
from headrace.store.database import Store, Transaction

Balance = dict[str, int]
ByAudience = list[tuple[StoredAudience | None, Balance]]

#: What the ledger tells of: everything that was accepted is in one of the others.
STATES = ("accepted", "delivered", "superseded", "withheld", "parked", "pending")


async def balance(store: Store, caller: Caller, id_: str) -> tuple[Balance, ByAudience]:
    """
    Return the ledger of a dataflow: in all, and by audience (``None``: changes of attributes and identities).

    Raises:
        NotFound: it is not in this sandbox.
    """

    def work(tx: Transaction) -> tuple[Balance, ByAudience]:
        number = _number(tx, caller, id_)
        sums, names = ledger.balance(tx, caller.number, number), audiences.all_of(tx, caller.number)
        empty = dict.fromkeys((*ledger.COLUMNS, "pending"), 0)
        total = {column: sum(row[column] for row in sums.values()) for column in empty}
        return total, [(names.get(audience), row) for audience, row in sums.items()]

    return await store.read(work)


async def withheld_reasons(store: Store, caller: Caller, id_: str) -> list[tuple[str, int]]:
    """
    Return for which reasons changes of a dataflow were withheld, and how many for each.

    Raises:
        NotFound: it is not in this sandbox.
    """
    return await store.read(lambda tx: withheld.counts(tx, caller.number, _number(tx, caller, id_)))


def _number(tx: Transaction, caller: Caller, id_: str) -> int:
    number = dataflows.number_of(tx, caller.number, id_)
    if number is None:
        raise NotFound(f"there is no dataflow {id_!r} here")
    return number
