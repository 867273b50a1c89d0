"""Rules between a destination and the dataflows that use it: which audiences it takes, what may be mapped to what."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

from headrace.errors import AccountError
from headrace.mapping.calculated import calculation
from headrace.mapping.paths import parse as parse_path
from headrace.mapping.phones import is_region
from headrace.model.destination import Destination
from headrace.model.export import ScheduleParams, check_dataset, check_export, check_rows
from headrace.model.flow import FieldMapping, Flow
from headrace.model.identities import IdentityNamespace
from headrace.model.problem import Problem
from headrace.model.reading import examine
from headrace.services.carried import not_carried_yet
from headrace.services.mapped import (
    column_name,
    groups_by_audience,
    is_of_audience,
    mapped_rows,
    objects_of,
    required_of,
)

_AUDIENCES = "/transformations/0/params/segmentSelectors/selectors"
#: The most attributes that a message lists.
_MOST_NAMED = 50
_MAPPING = "/transformations/0/params/profileSelectors/selectors"
#: Beyond these a dataflow is larger than the original advises.
SOFT_LIMITS = {"audiences": 250, "attributes": 50}


def problems_of(flow: Flow, destination: Destination, attributes: Collection[str] | None = None) -> Iterator[Problem]:
    """
    Say what is wrong with the audiences and the mapping of a dataflow, given its destination.

    ``attributes`` are the target attributes that the partner gives, where the destination fetches them; without them
    these are not looked at.
    """
    yield from not_carried_yet(destination, "/targetConnectionIds/0")
    if destination.exports_datasets:
        yield from _problems_of_datasets(flow, destination)
        return
    yield from _audience_problems(flow, destination)
    for place, row in enumerate(flow.mapping):
        yield from _row_problems(row, destination, attributes, f"{_MAPPING}/{place}/value")
    yield from _problems_of_required(flow, destination)
    rows = mapped_rows(flow, destination)
    identities = [row for row in rows if row.target_namespace is not None]
    if destination.follows_profiles:
        yield from _problems_of_whole_people(flow)
    elif destination.takes_files:
        yield from _problems_of_files(flow, destination, len(identities))
    elif flow.audiences and not identities and _has_mapping(destination):
        names = ", ".join(destination.identity_namespaces)
        yield Problem("no-identity", _MAPPING, f"map at least one target identity, else nobody can be told of: {names}")
    yield from _limit_problems(len(rows) - len(identities), len(identities), destination)
    targets = Counter(
        _name(row, destination) for row in rows if row.target_namespace is None or destination.takes_files
    )
    for name in sorted(name for name, count in targets.items() if count > 1):
        yield Problem("mapped-twice", _MAPPING, f"two rows go to the target `{name}`")


def _name(row: FieldMapping, destination: Destination) -> str:
    """Return what a row goes to: in files, the name of its column."""
    return column_name(row) if destination.takes_files else row.destination


def warnings_of(flow: Flow, destination: Destination) -> Iterator[Problem]:
    """Say where a dataflow is larger than is advised; that keeps nobody from using it."""
    if destination.exports_datasets:
        yield from (problem for problem in _problems_of_datasets(flow, destination) if not problem.is_error)
        return
    rows = mapped_rows(flow, destination)
    counts = {
        "audiences": (len(flow.audiences), _AUDIENCES),
        "attributes": (sum(row.target_namespace is None for row in rows), _MAPPING),
    }
    for noun, (count, where) in counts.items():
        if count > SOFT_LIMITS[noun]:
            message = f"{count} {noun} are mapped; up to {SOFT_LIMITS[noun]} are advised: split the dataflow"
            yield Problem("larger-than-advised", where, message)
    yield from (problem for problem in _problems_of_files(flow, destination, 0) if not problem.is_error)


def _problems_of_datasets(flow: Flow, destination: Destination) -> Iterator[Problem]:
    """Say what is wrong with a dataflow of datasets: they are written as they are, and need a schedule."""
    for chosen, where, noun in ((flow.audiences, _AUDIENCES, "audiences"), (flow.mapping, _MAPPING, "a mapping")):
        if chosen:
            message = f'datasets are exported as they are, without {noun}: write `"transformations": []`'
            yield Problem("datasets-have-no-mapping", where, message)
    params, where = None, "/scheduleParams"
    if flow.schedule_params is not None:
        examined = examine(ScheduleParams, flow.schedule_params)
        yield from (replace(problem, pointer=f"{where}{problem.pointer}") for problem in examined.problems)
        if examined.errors:
            return
        params = examined.block
    batch = destination.batch_config
    yield from check_dataset(params, batch.dataset_batch_config if batch is not None else None, where=where)


def _problems_of_files(flow: Flow, destination: Destination, identities: int) -> Iterator[Problem]:
    """Say what is wrong with when the files of a dataflow are written, what they are called, and their rows."""
    takes_files, params = destination.takes_files, "/transformations/0/params"
    batch = destination.batch_config
    for place, selector in enumerate(flow.audiences):
        where = f"{_AUDIENCES}/{place}/value"
        yield from check_export(selector, batch, takes_files, sources=destination.sources, where=where)
    yield from check_rows(flow.params.rows, identities, batch, takes_files, where=params)


def _audience_problems(flow: Flow, destination: Destination) -> Iterator[Problem]:
    schema = destination.schema_config
    allowed = schema.segment_namespace_allow_list if schema is not None else None
    denied = schema.segment_namespace_deny_list if schema is not None else None
    for place, selector in enumerate(flow.audiences):
        origin, where = selector.namespace, f"{_AUDIENCES}/{place}/value/namespace"
        if (allowed and origin not in allowed) or (denied and origin in denied):
            yield Problem("origin-denied", where, f"this destination does not take audiences of the origin {origin!r}")
        if destination.audience_metadata.map_user_input and not selector.mapping_id:
            message = f"type the partner's identifier of the audience {selector.id!r}: `mappingId` is missing"
            yield Problem("missing-field", f"{_AUDIENCES}/{place}/value/mappingId", message)


def _row_problems(
    row: FieldMapping, destination: Destination, attributes: Collection[str] | None, where: str
) -> Iterator[Problem]:
    yield from _source_problems(row, destination, where)
    if row.target_namespace is not None:
        yield from _identity_problems(row, row.target_namespace, destination, where)
    elif row.is_of_namespace and not destination.takes_files:
        yield Problem("not-mappable", where, f"`{row.source}` is an identity: map it to an `identityMap.` target")
    else:
        yield from _attribute_problems(row, destination, attributes, where)


def _source_problems(row: FieldMapping, destination: Destination, where: str) -> Iterator[Problem]:
    """Say whether a source can be read, and whether what it is about is known when it is."""
    if row.is_of_namespace:
        return
    try:
        calculation(row.source) if row.is_calculated else parse_path(row.source)
    except AccountError as error:
        code, place = ("invalid-expression", "mapping/source") if row.is_calculated else ("invalid-path", "path")
        yield Problem(code, f"{where}/{place}", error.message)
        return
    if is_of_audience(row) and not groups_by_audience(destination):
        message = f"`{row.source}` is of one audience, and a message of this destination is about several"
        yield Problem("no-single-audience", where, message)


def _attribute_problems(
    row: FieldMapping, destination: Destination, attributes: Collection[str] | None, where: str
) -> Iterator[Problem]:
    names = _attributes(destination) if destination.has_predefined_attributes else attributes
    if names is not None and row.destination not in names and row.destination not in _required_names(destination):
        these = ", ".join([*names][:_MOST_NAMED])
        message = f"`{row.destination}` is not an attribute of this destination; these are: {these}"
        yield Problem("unknown-target", f"{where}/mapping/destination", message)
    schema = destination.schema_config
    if schema is not None and schema.use_customer_schema_for_attribute_mapping and row.destination != row.source:
        message = f"targets of this destination have the names of their sources: map `{row.source}` to itself"
        yield Problem("renamed-target", f"{where}/mapping/destination", message)
    yield from _kind_problems(row, destination, where)


def _kind_problems(row: FieldMapping, destination: Destination, where: str) -> Iterator[Problem]:
    """Say whether a calculated field gives what a message cannot carry."""
    if not row.is_calculated or row.destination in objects_of(destination):
        return
    try:
        kind = calculation(row.source).gives
    except AccountError:
        return
    if kind in ("array", "object"):
        message = f"it gives an {kind}, which messages do not carry: make a text of it, as with `array_to_string`"
        yield Problem("list-or-object", f"{where}/mapping/source", message)


def _attributes(destination: Destination) -> list[str]:
    """Return the target attributes that the author lists."""
    schema = destination.schema_config
    return [field.name for field in (schema.profile_fields if schema is not None else None) or ()]


def _required_names(destination: Destination) -> set[str]:
    return {row.destination for row in required_of(destination)}


def _has_mapping(destination: Destination) -> bool:
    """Say whether operators map anything for a destination: where they cannot, no identity is asked of them."""
    schema = destination.schema_config
    if schema is None or schema.identity_required is not False:
        return True
    return schema.profile_required or bool(schema.required_mappings)


def _problems_of_required(flow: Flow, destination: Destination) -> Iterator[Problem]:
    """Hold a mapping to the rows that the author asks for, or filled in."""
    schema = destination.schema_config
    if schema is None:
        return
    fixed = {row.destination: row for row in schema.required_mappings if row.source is not None}
    for place, row in enumerate(flow.mapping):
        where = f"{_MAPPING}/{place}/value"
        if row.destination in fixed and row.source != fixed[row.destination].source:
            message = f"`{row.destination}` is filled in with `{fixed[row.destination].source}`: leave the row out"
            yield Problem("fixed-mapping", f"{where}/mapping/source", message)
        if schema.required_mappings_only and row.destination not in _required_names(destination):
            these = ", ".join(sorted(_required_names(destination)))
            message = f"`{row.destination}` cannot be mapped; this destination takes these alone: {these}"
            yield Problem("required-only", f"{where}/mapping/destination", message)
    if flow.audiences:
        yield from _missing_rows({row.destination for row in flow.mapping}, destination)


def _problems_of_whole_people(flow: Flow) -> Iterator[Problem]:
    """Say which identities are mapped though all of them are sent as they are."""
    for place, row in enumerate(flow.mapping):
        if row.target_namespace is not None:
            message = f"this destination is sent all identities as they are: leave the row to `{row.destination}` out"
            yield Problem("not-mappable", f"{_MAPPING}/{place}/value", message)


def _missing_rows(mapped: set[str], destination: Destination) -> Iterator[Problem]:
    schema = destination.schema_config
    fields = (schema.profile_fields if schema is not None else None) or ()
    needed = [row.destination for row in required_of(destination) if row.source is None]
    needed += [field.name for field in fields if field.is_required and field.name not in _required_names(destination)]
    for name in needed:
        if name not in mapped:
            yield Problem("required-mapping", _MAPPING, f"map a source to `{name}`: this destination needs it")


def _identity_problems(row: FieldMapping, target: str, destination: Destination, where: str) -> Iterator[Problem]:
    namespace = destination.identity_namespaces.get(target)
    if namespace is None and destination.takes_files and not destination.identity_namespaces:
        return  # A column is called as its operator likes, and has the identities as they are.
    if namespace is None:
        names = ", ".join(destination.identity_namespaces)
        message = f"`{target}` is not an identity namespace of this destination; these are: {names}"
        yield Problem("unknown-target", f"{where}/mapping/destination", message)
        return
    if not _accepts(namespace, row):
        yield Problem("not-mappable", f"{where}/path", f"`{row.source}` may not be mapped to the identity `{target}`")
    wanted = row.extension.transformation
    if wanted is not None and wanted != namespace.transformation and not _is_required(namespace, row):
        yield Problem("no-transformation", where, f"the identity `{target}` offers no transformation to apply")
    region = row.extension.region
    if region is not None and not is_region(region):
        message = f"{region!r} is no region in which telephones are: write its two letters, as `DE`"
        yield Problem("unknown-region", f"{where}/mapping/x-headrace/region", message)


def _accepts(namespace: IdentityNamespace, row: FieldMapping) -> bool:
    if not row.is_of_namespace:
        return namespace.accepts_attributes
    return namespace.accepts_custom_namespaces or row.namespace in namespace.accepted_global_namespaces


def _is_required(namespace: IdentityNamespace, row: FieldMapping) -> bool:
    """Say whether the transformation that a row asks for is applied in any case."""
    accepted = namespace.accepted_global_namespaces.get(row.namespace) if row.is_of_namespace else None
    return accepted is not None and accepted.required_transformation == row.extension.transformation


def _limit_problems(attributes: int, identities: int, destination: Destination) -> Iterator[Problem]:
    for count, most, noun in (
        (attributes, destination.max_profile_attributes, "attributes"),
        (identities, destination.max_identity_attributes, "identities"),
    ):
        if count > most:
            yield Problem("too-many", _MAPPING, f"{count} {noun} are mapped; this destination takes {most} at most")
