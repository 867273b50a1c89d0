"""Monitoring: what became of everything."""

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Wrong:
    """A figure of the ledger that the rows do not bear out, with its dataflow and audience."""

    dataflow: str
    audience: StoredAudience | None
    figure: str
    counted: int
    found: int


async def verify(store: Store, caller: Caller, id_: str | None = None) -> tuple[int, list[Wrong]]:
    """
    Hold the ledger of a dataflow, or of all of them, against the rows; return how many were looked at, what is wrong.

    Each dataflow is looked at in one moment, so it is right beside whatever else happens.

    Raises:
        NotFound: it is not in this sandbox.
    """

    def which(tx: Transaction) -> list[tuple[int, str]]:
        if id_ is not None:
            return [(_number(tx, caller, id_), id_)]
        return [(number, name) for number, name, _ in dataflows.names(tx, caller.number)]

    wrong: list[Wrong] = []
    flows = await store.read(which)
    for number, name in flows:
        wrong += await store.read(lambda tx, number=number, name=name: _wrong(tx, caller, number, name))  # type: ignore[misc]
    return len(flows), wrong


def _wrong(tx: Transaction, caller: Caller, number: int, name: str) -> list[Wrong]:
    found = ledger.differences(tx, caller.number, number)
    names = audiences.all_of(tx, caller.number) if found else {}
    return [Wrong(name, names.get(item.audience), item.figure, item.counted, item.found) for item in found]


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
