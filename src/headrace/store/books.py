"""The books: what one transaction does with changes is counted, given reasons, and remembered in one go."""

from headrace.store import history, ledger
from headrace.store.database import Transaction
from headrace.store.history import Fate, Fates, Traced
from headrace.store.reasons import PARKED, WITHHELD, Reasons

#: Changes that have the same fate.
Lines = list[Traced]


class Books:
    """
    What a transaction does with changes of one sandbox.

    ``tally`` counts them, ``withheld`` and ``parked`` say why; ``of`` gives the list into which those go that have the
    same fate.
    """

    __slots__ = ("_fates", "parked", "remembers", "tally", "withheld")

    def __init__(self, tx: Transaction) -> None:
        self.tally = ledger.Tally()
        self.withheld = Reasons()
        self.parked = Reasons()
        self._fates: Fates = {}
        self.remembers = tx.remembers

    def of(self, fate: Fate) -> Lines:
        """Return the list of the changes that have a fate."""
        known = self._fates.get(fate)
        if known is None:
            known = self._fates[fate] = []
        return known

    def close(self, tx: Transaction, tenant: int, now: int) -> None:
        """Write it all down."""
        ledger.post(tx, tenant, self.tally, now)
        WITHHELD.post(tx, tenant, self.withheld, now)
        PARKED.post(tx, tenant, self.parked, now)
        if self.remembers:
            history.write(tx, tenant, {fate: lines for fate, lines in self._fates.items() if lines}, now)
