"""The rows of a mapping that an author fills in: whether they can be read, and mapped to what they name."""

from collections.abc import Callable, Iterator

from headrace.errors import AccountError
from headrace.mapping.calculated import calculation
from headrace.mapping.paths import parse as parse_path
from headrace.model.destination import Destination
from headrace.model.flow import FieldMapping
from headrace.model.problem import Problem
from headrace.services.mapped import objects_of, required_of, rows_filled_in

Check = Callable[[Destination], Iterator[Problem]]
_WHERE = "/schemaConfig/requiredMappings"


def _sources_can_be_read(destination: Destination) -> Iterator[Problem]:
    for place, row in rows_filled_in(destination):
        where = f"{_WHERE}/{place}/source"
        try:
            yield from _of_kind(row, destination, where)
        except AccountError as error:
            yield Problem("invalid-expression" if row.is_calculated else "invalid-path", where, error.message)


def _of_kind(row: FieldMapping, destination: Destination, where: str) -> Iterator[Problem]:
    """Raises: AccountError if the source cannot be read."""
    if not row.is_calculated:
        parse_path(row.source)
        return
    kind = calculation(row.source).gives
    if kind in ("array", "object") and row.destination not in objects_of(destination) and destination.policy:
        message = f"it gives an {kind}, which messages do not carry: make a text of it, as with `array_to_string`"
        yield Problem("list-or-object", where, message)


def _identities_are_there(destination: Destination) -> Iterator[Problem]:
    for place, row in enumerate(required_of(destination)):
        target = row.destination.removeprefix("identityMap.").replace("//.", ".")
        if destination.policy and row.is_identity and target not in destination.identity_namespaces:
            message = f"`{target}` is not one of the `identityNamespaces`: add it there, or name another"
            yield Problem("unknown-target", f"{_WHERE}/{place}/destination", message)


def _attributes_are_not_identities(destination: Destination) -> Iterator[Problem]:
    for place, row in rows_filled_in(destination):
        if destination.policy and row.is_of_namespace and row.target_namespace is None:
            message = f"`{row.source}` is an identity: map it to an `identityMap.` target"
            yield Problem("not-mappable", f"{_WHERE}/{place}/destination", message)


CHECKS: tuple[Check, ...] = (_sources_can_be_read, _identities_are_there, _attributes_are_not_identities)
