"""Mapping sets: mappings that stand by themselves, for dataflows to refer to."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from headrace.model.block import SERVER_SET, Block, Whole

_SERVER_SET = SERVER_SET | {"id", "version", "createdDate", "createdBy", "modifiedDate", "modifiedBy", "updatedAt"}


class ConversionSchema(Block):
    """A schema that a mapping leads from or to."""

    ignored: ClassVar[frozenset[str]] = _SERVER_SET

    name: str = Field(min_length=1, description="Its name.")
    json_schema: dict[str, Any] = Field(description="The JSON Schema.")


class SchemaReference(Block):
    """A schema, by its id."""

    id: str = Field(min_length=1, description="The schema's id.")


class MappingSetRow(Block):
    """One row of a mapping set."""

    ignored: ClassVar[frozenset[str]] = _SERVER_SET

    source: str = Field(
        min_length=1, description="An attribute's path, or `identityMap.<namespace>`; `//.` is a dot in a namespace."
    )
    source_type: Literal["ATTRIBUTE", "text/x.schema-path"] = Field("ATTRIBUTE", description="How to read `source`.")
    destination: str = Field(min_length=1, description="The target field, without a dot.")
    name: str | None = Field(None, description="What the row is called; not used.")
    description: str | None = Field(None, description="What the row is for; not used.")


class MappingSet(Block):
    """A mapping between two schemas."""

    ignored: ClassVar[frozenset[str]] = _SERVER_SET

    name: str | None = Field(None, description="Its name.")
    input_schema: SchemaReference | None = Field(None, description="The schema of people.")
    output_schema: SchemaReference | None = Field(None, description="The schema of the destination.")
    mappings: tuple[MappingSetRow, ...] = Field(description="The rows.")
    xdm_version: str | None = Field(None, description="Written by clients: `1.0`.")
    schema_ref: dict[str, Any] | None = Field(None, description="Written by clients; not used.")


class ProfileMappingExtension(Block):
    """What a dataflow keeps of the mapping set that it refers to."""

    mappings: tuple[MappingSetRow, ...] = Field((), description="The rows, as they were when it was referred to.")


class ProfileMapping(Block):
    """A dataflow's reference to a mapping set."""

    mapping_id: str | None = Field(None, description="The mapping set's id.")
    mapping_version: Whole = Field(0, description="Its version; a set does not change, so it is 0.")
    extension: ProfileMappingExtension = Field(
        default_factory=ProfileMappingExtension, alias="x-headrace", description="Additions of Headrace."
    )
