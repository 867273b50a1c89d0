"""Limits of the original: those that are soft warn, those that are hard refuse; either says both numbers."""

from collections.abc import Iterator

from headrace.model.flow import IDENTITY_PATH, Flow
from headrace.model.problem import Problem
from headrace.services.accounts import TARGET
from headrace.services.caller import Caller
from headrace.store import documents
from headrace.store.database import Transaction

#: Audiences of one dataflow, and attributes that it maps.
AUDIENCES, ATTRIBUTES = 250, 50
_PARAMS = "/transformations/0/params"


def warnings_of(flow: Flow) -> Iterator[Problem]:
    """Say of what a dataflow has more than the original recommends."""
    attributes = sum(not row.destination.startswith(IDENTITY_PATH) for row in flow.mapping)
    for count, most, noun, place in (
        (len(flow.audiences), AUDIENCES, "audiences", "segmentSelectors/selectors"),
        (attributes, ATTRIBUTES, "mapped attributes", "profileSelectors/selectors"),
    ):
        if count > most:
            message = f"the dataflow has {count} {noun}, and {most} is what the original recommends at most"
            yield Problem("many", f"{_PARAMS}/{place}", message)


def too_many_destinations(tx: Transaction, caller: Caller, most: int | None) -> Iterator[Problem]:
    """Say so if a sandbox has as many destinations set up as it may; ``None`` is no limit."""
    count = len(documents.all_of(tx, caller.number, TARGET)) if most is not None else 0
    if most is not None and count >= most:
        message = (
            f"{count} destinations are set up in this sandbox, and {most} is the most: delete one, or ask for more"
        )
        yield Problem("too-many", "", f"{message} (HEADRACE_MOST_DESTINATIONS)")
