"""What operators may map, and which audiences they may choose."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field

from headrace.model.block import Block, Flag, read_of, repeated, rule
from headrace.model.delivery import AuthenticationRule
from headrace.model.problem import Problem

#: How a target identity is written as the target of a mapping.
IDENTITY = "identityMap."
#: The one macro that a mapping may have as its source.
ALIAS_MACRO = "metadata.segment.alias"


class ProfileField(Block):
    """A target attribute that the author predefines."""

    name: str = Field(min_length=1, description="The attribute's key in messages.")
    title: str | None = Field(None, description="Its label.")
    description: str | None = Field(None, description="Its help.")
    type: Literal["string", "object", "integer"] = Field(description="Its type: `string` nearly always.")
    is_required: Flag = Field(False, description="The operator must map it.")
    read_only: Flag = Field(False, description="The operator cannot change it.")
    hidden: Flag = Field(False, description="The operator does not see it.")


class DynamicSchema(Block):
    """Where the partner's list of target attributes comes from."""

    destination_server_id: str = Field(min_length=1, description="The destination server that is called for it.")
    authentication_rule: AuthenticationRule = Field(description="Whose credentials the call uses.")
    value: str = Field(min_length=1, description="The name of the list, as operators see it.")
    response_format: Literal["SCHEMA"] = Field(description="What the server gives; always `SCHEMA`.")


class DynamicSchemaConfig(Block):
    """Target attributes that are fetched from the partner."""

    dynamic_enum: DynamicSchema = Field(description="Where they come from.")


class RequiredMapping(Block):
    """A row of the mapping that the author fills in."""

    destination: str = Field(min_length=1, description="The target: an attribute, or `identityMap.<namespace>`.")
    source: str | None = Field(None, min_length=1, description="The source; without it, the operator chooses one.")
    source_type: Literal["text/x.schema-path", "text/x.aep-xl", "text/plain"] | None = Field(
        None, description="How `source` is read: as a path, as an expression, or as a macro. Needed with it."
    )
    mandatory_required: Flag = Field(False, description="Nobody is exported without it. For files.")
    primary_key_required: Flag = Field(False, description="It tells people apart: a deduplication key. For files.")

    @rule
    def _a_source_has_a_type(self) -> Iterator[Problem]:
        if self.source is not None and self.source_type is None:
            message = "`source` needs `sourceType`: `text/x.schema-path` for the path of an attribute"
            yield Problem("missing-field", "/sourceType", message)

    @rule
    def _a_type_has_a_source(self) -> Iterator[Problem]:
        if self.source is None and self.source_type is not None:
            message = "`sourceType` counts for nothing without `source`; leave it out, or add `source`"
            yield Problem("has-no-effect", "/sourceType", message)

    @rule
    def _there_is_one_macro(self) -> Iterator[Problem]:
        if self.source_type == "text/plain" and self.source not in (None, ALIAS_MACRO):
            message = f"{self.source!r} is no macro; `text/plain` reads `{ALIAS_MACRO}` alone"
            yield Problem("not-a-macro", "/source", message)

    @property
    def is_identity(self) -> bool:
        """Whether the target is an identity."""
        return self.destination.startswith(IDENTITY)


class SchemaConfig(Block):
    """What operators may map, and which audiences they may choose."""

    old_names: ClassVar[Mapping[str, str]] = {
        "segmentNamespaceAllowed": "segmentNamespaceAllowList",
        "segmentNamespaceDenied": "segmentNamespaceDenyList",
    }

    profile_fields: tuple[ProfileField, ...] | None = Field(None, description="The target attributes, predefined.")
    use_customer_schema_for_attribute_mapping: Flag = Field(False, description="Targets take the names of the sources.")
    dynamic_schema_config: DynamicSchemaConfig | None = Field(
        None, description="The target attributes, fetched from the partner."
    )
    profile_required: Flag = Field(False, description="Operators can map attributes.")
    segment_required: Flag | None = Field(
        None, description="Operators choose audiences: `true`, and `false` for exports of datasets."
    )
    identity_required: Flag | None = Field(None, description="Operators can map identities.")
    required_mappings_only: Flag = Field(False, description="Operators can map nothing beyond `requiredMappings`.")
    required_mappings: tuple[RequiredMapping, ...] = Field((), description="Rows of the mapping that are filled in.")
    segment_namespace_allow_list: tuple[str, ...] | None = Field(None, description="Only audiences of these origins.")
    segment_namespace_deny_list: tuple[str, ...] | None = Field(None, description="No audiences of these origins.")

    @rule
    def _says_whether_audiences_are_chosen(self) -> Iterator[Problem]:
        if self.segment_required is None:
            yield _unsaid("segmentRequired", "`true`, and `false` for exports of datasets")

    @rule
    def _says_whether_identities_are_mapped(self) -> Iterator[Problem]:
        if self.identity_required is None:
            yield _unsaid("identityRequired", "`true` if operators can map identities, else `false`")

    @rule
    def _attributes_have_one_origin(self) -> Iterator[Problem]:
        if self.profile_fields and self.dynamic_schema_config is not None:
            message = "`profileFields` and `dynamicSchemaConfig` exclude each other: attributes are listed or fetched"
            yield Problem("two-schemas", "/dynamicSchemaConfig", message)

    @rule
    def _attributes_are_listed_to_be_used(self) -> Iterator[Problem]:
        if self.profile_fields and self.use_customer_schema_for_attribute_mapping:
            message = (
                "`profileFields` count for nothing while `useCustomerSchemaForAttributeMapping` is `true`: "
                "set it to `false`, or leave them out"
            )
            yield Problem("has-no-effect", "/profileFields", message)

    @rule
    def _attributes_differ(self) -> Iterator[Problem]:
        for place, name in repeated(self.profile_fields or ()):
            message = f"another attribute is named `{name}`; give each a name of its own"
            yield Problem("named-twice", f"/profileFields/{place}/name", message)

    @rule
    def _the_lists_exclude_each_other(self) -> Iterator[Problem]:
        if self.segment_namespace_allow_list and self.segment_namespace_deny_list:
            message = "`segmentNamespaceAllowList` and `segmentNamespaceDenyList` exclude each other: keep one"
            yield Problem("lists-exclude", "/segmentNamespaceDenyList", message)

    @rule
    def _something_can_be_mapped(self) -> Iterator[Problem]:
        if self.required_mappings_only and not self.required_mappings:
            message = "`requiredMappingsOnly` needs rows in `requiredMappings`: nothing could be mapped"
            yield Problem("nothing-to-map", "/requiredMappingsOnly", message)

    @rule
    def _the_key_is_of_one_kind(self) -> Iterator[Problem]:
        keys = [
            (place, row.is_identity)
            for place, row in enumerate(self.required_mappings)
            if read_of(row, "primary_key_required") and read_of(row, "destination") is not None
        ]
        identities = sum(is_identity for _, is_identity in keys)
        if len(keys) > (1 if identities else 2):
            message = "a deduplication key is one identity, or one or two attributes: mark fewer rows"
            yield Problem("wrong-key", f"/requiredMappings/{keys[-1][0]}/primaryKeyRequired", message)


def flags_of_a_mapping(schema: SchemaConfig | None, where: str) -> Iterator[Problem]:
    """Say which flags ask for a mapping, where there is none to be."""
    for name in ("profile_required", "segment_required", "identity_required"):
        if read_of(schema, name):
            wire = SchemaConfig.model_fields[name].alias
            message = f"exports of datasets have no mapping: set `{wire}` to `false`"
            yield Problem("datasets-have-no-mapping", f"{where}/{wire}", message)


def flags_of_files(schema: SchemaConfig | None, where: str) -> Iterator[Problem]:
    """Say which flags of required mappings have a meaning for files alone."""
    for place, row in enumerate(read_of(schema, "required_mappings") or ()):
        for name in ("mandatory_required", "primary_key_required"):
            if read_of(row, name):
                wire = RequiredMapping.model_fields[name].alias
                message = f"`{wire}` has a meaning for files alone; leave it out"
                yield Problem("files-only", f"{where}/requiredMappings/{place}/{wire}", message)


def _unsaid(name: str, values: str) -> Problem:
    return Problem("unsaid", f"/{name}", f"`{name}` is missing: say {values}")
