"""The rows of a dataflow's mapping as they are in force: the operator's, and those that the author filled in."""

from collections.abc import Iterator

from headrace.mapping import AttributeRow, IdentityRow
from headrace.mapping.audience_view import reads_audience
from headrace.mapping.calculated import calculation
from headrace.mapping.paths import parse as parse_path
from headrace.model.destination import Destination
from headrace.model.flow import FieldMapping, Flow
from headrace.model.schema import RequiredMapping


def required_of(destination: Destination) -> tuple[RequiredMapping, ...]:
    """Return the rows that the author asks for, or fills in."""
    return destination.schema_config.required_mappings if destination.schema_config is not None else ()


def mapped_rows(flow: Flow, destination: Destination) -> tuple[FieldMapping, ...]:
    """Return all rows in force: those filled in stand first, unless the operator wrote them in another place."""
    fixed = {row.destination: filled_in(row) for row in required_of(destination) if row.source is not None}
    written = {row.destination for row in flow.mapping}
    first = tuple(row for target, row in fixed.items() if target not in written)
    own = tuple(row if _is_same(row, fixed.get(row.destination)) else fixed[row.destination] for row in flow.mapping)
    return first + own


def groups_by_audience(destination: Destination) -> bool:
    """Say whether each message of a destination, or each row of its files, is about one audience."""
    if destination.takes_files:
        return True
    policy = destination.policy
    key = policy.aggregation_key if policy is not None else None
    return key is not None and key.include_segment_id


def filled_in(row: RequiredMapping) -> FieldMapping:
    """Return a row that the author filled in, as an operator would write it."""
    return FieldMapping.model_validate(
        {"source": row.source, "sourceType": row.source_type or "text/x.schema-path", "destination": row.destination}
    )


def objects_of(destination: Destination) -> frozenset[str]:
    """Return the target attributes that take a list or an object: those that the author declares as ``object``."""
    fields = (destination.schema_config.profile_fields if destination.schema_config is not None else None) or ()
    return frozenset(field.name for field in fields if field.type == "object")


def is_of_audience(row: FieldMapping) -> bool:
    """
    Say whether a row is about the audience at hand.

    Raises:
        AccountError: its source is not right.
    """
    if row.is_of_namespace:
        return False
    return reads_audience(calculation(row.source).reads if row.is_calculated else [parse_path(row.source)])


def rows_filled_in(destination: Destination) -> Iterator[tuple[int, FieldMapping]]:
    """Yield the rows that the author filled in, each with its place."""
    for place, row in enumerate(required_of(destination)):
        if row.source is not None:
            yield place, filled_in(row)


def _is_same(row: FieldMapping, fixed: FieldMapping | None) -> bool:
    return fixed is None or (row.source, row.is_calculated) == (fixed.source, fixed.is_calculated)


def column_name(row: FieldMapping) -> str:
    """
    Return what files call the column of a row: its target, without dots.

    >>> column_name(FieldMapping(source="person.name.firstName", destination="person.name.firstName"))
    'person_name_firstName'
    """
    return (row.target_namespace or row.destination).replace(".", "_")


def attribute_row(row: FieldMapping, destination: Destination) -> AttributeRow:
    """Return a row of an attribute, to be compiled."""
    return AttributeRow(row.source, row.destination, row.is_calculated, row.destination in objects_of(destination))


def identity_row(row: FieldMapping, target: str, destination: Destination) -> IdentityRow:
    """Return a row of an identity, to be compiled. Files may have one that their destination does not name."""
    namespace = destination.identity_namespaces.get(target)
    assert namespace is not None or destination.takes_files, "a mapping is refused whose targets are unknown"
    names = namespace.accepted_global_namespaces if namespace is not None else {}
    accepted = names.get(row.namespace) if row.is_of_namespace else None
    required = accepted.required_transformation if accepted is not None else None
    return IdentityRow(
        row.namespace if row.is_of_namespace else row.source,
        target,
        is_attribute=not row.is_of_namespace and not row.is_calculated,
        transformation=required or row.extension.transformation,
        is_calculated=row.is_calculated,
        region=row.extension.region,
    )
