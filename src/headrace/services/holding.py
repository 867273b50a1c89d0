"""Holding: a dataflow stops until a person has looked; what waits stays."""

from collections.abc import Sequence

from headrace.model.message import Settled
from headrace.model.outcome import Retry
from headrace.store import access, audit, dataflows
from headrace.store.database import Transaction


def hold(tx: Transaction, tenant: int, dataflow: int, name: str, reason: str, now: int) -> bool:
    """Hold a dataflow, and say whether it was going until now."""
    was_going = dataflows.hold(tx, tenant, dataflow, reason, now)
    if was_going:
        audit.note(tx, tenant, "headrace", "hold", "dataflow", name, now)
        access.raise_configuration(tx, tenant)
    return was_going


def reason_in(settled: Sequence[Settled]) -> str | None:
    """Return why a dataflow is to be held, if an answer says that a person has to look."""
    outcomes = (item.outcome for item in settled)
    return next((outcome.reason for outcome in outcomes if isinstance(outcome, Retry) and outcome.holds), None)
