"""Rules between a destination and the dataflows that use it: which audiences it takes, what may be mapped to what."""

from collections.abc import Collection, Iterator

from headrace.errors import AccountError
from headrace.mapping.paths import parse as parse_path
from headrace.model.destination import Destination
from headrace.model.flow import IDENTITY_PATH, FieldMapping, Flow
from headrace.model.identities import IdentityNamespace
from headrace.model.problem import Problem
from headrace.services.carried import not_carried_yet

_AUDIENCES = "/transformations/0/params/segmentSelectors/selectors"
#: The most attributes that a message lists.
_MOST_NAMED = 50
_MAPPING = "/transformations/0/params/profileSelectors/selectors"


def problems_of(flow: Flow, destination: Destination, attributes: Collection[str] | None = None) -> Iterator[Problem]:
    """
    Say what is wrong with the audiences and the mapping of a dataflow, given its destination.

    ``attributes`` are the target attributes that the partner gives, where the destination fetches them; without them
    these are not looked at.
    """
    yield from not_carried_yet(destination, "/targetConnectionIds/0")
    yield from _audience_problems(flow, destination)
    rows = flow.mapping
    for place, row in enumerate(rows):
        yield from _row_problems(row, destination, attributes, f"{_MAPPING}/{place}/value")
    identities = [row for row in rows if row.destination.startswith(IDENTITY_PATH)]
    if flow.audiences and not identities:
        names = ", ".join(destination.identity_namespaces)
        yield Problem("no-identity", _MAPPING, f"map at least one target identity, else nobody can be told of: {names}")
    yield from _limit_problems(len(rows) - len(identities), len(identities), destination)
    targets = [row.destination for row in rows if not row.destination.startswith(IDENTITY_PATH)]
    for name in sorted({name for name in targets if targets.count(name) > 1}):
        yield Problem("mapped-twice", _MAPPING, f"two rows go to the target `{name}`")


def _audience_problems(flow: Flow, destination: Destination) -> Iterator[Problem]:
    schema = destination.schema_config
    allowed = schema.segment_namespace_allow_list if schema is not None else None
    denied = schema.segment_namespace_deny_list if schema is not None else None
    for place, selector in enumerate(flow.audiences):
        origin, where = selector.namespace, f"{_AUDIENCES}/{place}/value/namespace"
        if (allowed and origin not in allowed) or (denied and origin in denied):
            yield Problem("origin-denied", where, f"this destination does not take audiences of the origin {origin!r}")


def _row_problems(
    row: FieldMapping, destination: Destination, attributes: Collection[str] | None, where: str
) -> Iterator[Problem]:
    if not row.source.startswith(IDENTITY_PATH):
        try:
            parse_path(row.source)
        except AccountError as error:
            yield Problem("invalid-path", f"{where}/path", error.message)
    if row.destination.startswith(IDENTITY_PATH):
        yield from _identity_problems(row, destination, where)
    elif row.source.startswith(IDENTITY_PATH):
        yield Problem("not-mappable", where, f"`{row.source}` is an identity: map it to an `identityMap.` target")
    else:
        names = _attributes(destination) if destination.has_predefined_attributes else attributes
        if names is not None and row.destination not in names:
            these = ", ".join([*names][:_MOST_NAMED])
            message = f"`{row.destination}` is not an attribute of this destination; these are: {these}"
            yield Problem("unknown-target", f"{where}/mapping/destination", message)


def _attributes(destination: Destination) -> list[str]:
    """Return the target attributes that the author lists."""
    schema = destination.schema_config
    return [field.name for field in (schema.profile_fields if schema is not None else None) or ()]


def _identity_problems(row: FieldMapping, destination: Destination, where: str) -> Iterator[Problem]:
    target = row.destination.removeprefix(IDENTITY_PATH)
    namespace = destination.identity_namespaces.get(target)
    if namespace is None:
        names = ", ".join(destination.identity_namespaces)
        message = f"`{target}` is not an identity namespace of this destination; these are: {names}"
        yield Problem("unknown-target", f"{where}/mapping/destination", message)
        return
    if not _accepts(namespace, row.source):
        yield Problem("not-mappable", f"{where}/path", f"`{row.source}` may not be mapped to the identity `{target}`")
    wanted = row.extension.transformation
    if wanted is not None and wanted != namespace.transformation:
        yield Problem("no-transformation", where, f"the identity `{target}` offers no transformation to apply")


def _accepts(namespace: IdentityNamespace, source: str) -> bool:
    if not source.startswith(IDENTITY_PATH):
        return namespace.accepts_attributes
    accepted = namespace.accepted_global_namespaces
    return namespace.accepts_custom_namespaces or source.removeprefix(IDENTITY_PATH) in accepted


def _limit_problems(attributes: int, identities: int, destination: Destination) -> Iterator[Problem]:
    for count, most, noun in (
        (attributes, destination.max_profile_attributes, "attributes"),
        (identities, destination.max_identity_attributes, "identities"),
    ):
        if count > most:
            yield Problem("too-many", _MAPPING, f"{count} {noun} are mapped; this destination takes {most} at most")
