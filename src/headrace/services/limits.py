"""Limits of the original that are hard: they refuse, and say both numbers."""

from collections.abc import Iterator

from headrace.model.problem import Problem
from headrace.services.accounts import TARGET
from headrace.services.caller import Caller
from headrace.store import documents
from headrace.store.database import Transaction


def too_many_destinations(tx: Transaction, caller: Caller, most: int | None) -> Iterator[Problem]:
    """Say so if a sandbox has as many destinations set up as it may; ``None`` is no limit."""
    count = len(documents.all_of(tx, caller.number, TARGET)) if most is not None else 0
    if most is not None and count >= most:
        message = (
            f"{count} destinations are set up in this sandbox, and {most} is the most: delete one, or ask for more"
        )
        yield Problem("too-many", "", f"{message} (HEADRACE_MOST_DESTINATIONS)")
