"""What Headrace carries out of all that authors can declare; the rest is kept, and refused where it would be used."""

from collections.abc import Iterator

from headrace.connect.auth import schemes
from headrace.errors import AccountError
from headrace.model.destination import Destination
from headrace.model.flow import FieldMapping
from headrace.model.problem import Problem
from headrace.services.mapped import groups_by_audience, is_of_audience, rows_filled_in
from headrace.services.storage_credentials import WAYS


def not_carried_yet(destination: Destination, where: str) -> Iterator[Problem]:
    """Say, in one problem, all that a destination asks for and Headrace does not carry out yet."""
    asked = sorted({*_of_signing_in(destination), *_of_delivery(destination)})
    if asked:
        message = f"Headrace does not carry out yet what this destination asks for: {', '.join(asked)}"
        yield Problem("not-carried-yet", where, message)


def _of_signing_in(destination: Destination) -> Iterator[str]:
    ways = [way.auth_type for way in destination.customer_authentication_configurations]
    if ways and not any(way in schemes or way in WAYS for way in ways):
        yield f"signing in with {', '.join(f'`{way}`' for way in ways)}"


def _of_delivery(destination: Destination) -> Iterator[str]:
    what = {
        "exports of accounts and prospects (`sources`)": bool({*destination.sources} - {"DATASETS"}),
        "messages without a policy (`aggregation`)": destination.policy is None and not destination.takes_files,
        "mappings of one audience (`requiredMappings`) without `includeSegmentId`": _lacks_an_audience(destination),
    }
    yield from (words for words, is_asked in what.items() if is_asked)


def _lacks_an_audience(destination: Destination) -> bool:
    """Say whether a row that is filled in speaks of the audience of a message that is about several."""
    return not groups_by_audience(destination) and any(_is_of_audience(row) for _, row in rows_filled_in(destination))


def _is_of_audience(row: FieldMapping) -> bool:
    try:
        return is_of_audience(row)
    except AccountError:  # Its author is told of it.
        return False
