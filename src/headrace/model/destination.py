"""A destination as its author declares it: what operators are asked for, what may be mapped, how it is sent."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import regex
from pydantic import Field

from headrace.model.aggregation import Aggregation
from headrace.model.block import SERVER_SET, Block, Count, Flag, rule
from headrace.model.documentation import DestinationExtension
from headrace.model.problem import Problem

AuthenticationRule = Literal["CUSTOMER_AUTHENTICATION", "PLATFORM_AUTHENTICATION", "NONE"]
HASHED = "sha256(lower($))"
Transformation = Literal["sha256(lower($))"]


class CustomerAuthentication(Block):
    """One way in which an operator can sign in at the partner."""

    auth_type: Literal["BEARER"] = Field(description="The kind of credentials the operator is asked for.")


class CustomerDataField(Block):
    """A value the operator is asked for when connecting."""

    name: str = Field(min_length=1, description="The name under which templates read it: `customerData.<name>`.")
    title: str | None = Field(None, description="The label on the form.")
    description: str | None = Field(None, description="The help on the form.")
    type: Literal["string", "integer"] = Field(description="The type of the value.")
    is_required: Flag = Field(False, description="The operator must fill it in.")
    pattern: str | None = Field(None, description="A regular expression the value must match.")
    enum: tuple[str, ...] | None = Field(None, description="The values to choose from.")
    default: str | int | None = Field(None, description="The value that is filled in already.")
    read_only: Flag = Field(False, description="The operator cannot change the default.")
    hidden: Flag = Field(False, description="The operator does not see it.")

    @rule
    def _the_pattern_is_one(self) -> Iterator[Problem]:
        try:
            regex.compile(self.pattern or "")
        except regex.error as error:
            yield Problem("not-a-pattern", "/pattern", f"`pattern` is not a regular expression: {error}")


class UiAttributes(Block):
    """How the destination appears in the catalog."""

    documentation_link: str | None = Field(None, description="The page that explains the destination.")
    category: str | None = Field(None, description="The catalog's filter.")
    connection_type: str | None = Field(None, description="Shown in the list of accounts.")
    frequency: Literal["Streaming"] | None = Field(None, description="`Streaming` for destinations that take messages.")
    is_beta: Flag | str | None = Field(None, description="Show a beta badge.")
    icon: dict[str, Any] | None = Field(None, description="The logo.")
    icon_url: str | None = Field(None, description="The logo, in an older form.")
    flow_runs_supported: Flag | None = Field(None, description="Show the runs of dataflows.")
    monitoring_supported: Flag | None = Field(None, description="Offer the monitoring view.")


class AcceptedNamespace(Block):
    """A standard namespace that may be mapped to a target identity."""

    required_transformation: Transformation | None = Field(None, description="Always applied to its values.")


class IdentityNamespace(Block):
    """A target identity: a name in the partner's system for who a person is."""

    accepts_attributes: Flag = Field(False, description="Profile attributes may be mapped to it.")
    accepts_custom_namespaces: Flag = Field(False, description="Custom identity namespaces may be mapped to it.")
    accepted_global_namespaces: dict[str, AcceptedNamespace] = Field(
        default_factory=dict, description="The standard namespaces that may be mapped to it."
    )
    transformation: Transformation | None = Field(None, description="A transformation operators may apply.")

    @rule
    def _accepts_something(self) -> Iterator[Problem]:
        if not (self.accepts_attributes or self.accepts_custom_namespaces or self.accepted_global_namespaces):
            message = (
                "nothing can be mapped to this namespace: set `acceptsAttributes` or `acceptsCustomNamespaces`, "
                "or list `acceptedGlobalNamespaces`"
            )
            yield Problem("accepts-nothing", "", message)


class ProfileField(Block):
    """A target attribute that the author predefines."""

    name: str = Field(min_length=1, description="The attribute's key in messages.")
    title: str | None = Field(None, description="Its label.")
    description: str | None = Field(None, description="Its help.")
    type: str = Field(description="Its type: `string` nearly always.")
    is_required: Flag = Field(False, description="The operator must map it.")
    read_only: Flag = Field(False, description="The operator cannot change it.")
    hidden: Flag = Field(False, description="The operator does not see it.")


class SchemaConfig(Block):
    """What operators may map, and which audiences they may choose."""

    old_names: ClassVar[Mapping[str, str]] = {
        "segmentNamespaceAllowed": "segmentNamespaceAllowList",
        "segmentNamespaceDenied": "segmentNamespaceDenyList",
    }

    profile_fields: tuple[ProfileField, ...] | None = Field(None, description="The target attributes, predefined.")
    use_customer_schema_for_attribute_mapping: Flag = Field(False, description="Targets take the names of the sources.")
    profile_required: Flag = Field(False, description="Operators can map attributes.")
    segment_required: Literal[True] = Field(description="Operators choose audiences; always true.")
    identity_required: Flag = Field(False, description="Operators can map identities.")
    segment_namespace_allow_list: tuple[str, ...] | None = Field(None, description="Only audiences of these origins.")
    segment_namespace_deny_list: tuple[str, ...] | None = Field(None, description="No audiences of these origins.")

    @rule
    def _the_lists_exclude_each_other(self) -> Iterator[Problem]:
        if self.segment_namespace_allow_list and self.segment_namespace_deny_list:
            message = "`segmentNamespaceAllowList` and `segmentNamespaceDenyList` exclude each other"
            yield Problem("lists-exclude", "/segmentNamespaceDenyList", message)


class AudienceMetadata(Block):
    """Where the identifier comes from that an audience has in the partner's system."""

    map_experience_platform_segment_name: Flag = Field(False, description="It is the audience's name.")
    map_experience_platform_segment_id: Flag = Field(False, description="It is the audience's id.")
    map_user_input: Flag = Field(False, description="The operator types it.")


class Delivery(Block):
    """Which server takes the messages, and how they are signed in."""

    authentication_rule: AuthenticationRule = Field(description="Whose credentials are used.")
    authentication_id: str | None = Field(None, description="The shared credentials of `PLATFORM_AUTHENTICATION`.")
    destination_server_id: str = Field(min_length=1, description="The `instanceId` of the destination server.")


class Destination(Block):
    """A destination: one card of the catalog, one partner's way of taking audiences and profiles."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET | {
        "imsOrg",
        "sandboxName",
        "sandboxId",
        "destConfigId",
        "releaseNotes",
        "inputSchemaId",
    }

    name: str = Field(min_length=1, description="The title of the card.")
    description: str | None = Field(None, description="The text on the card.")
    status: Literal["TEST", "PUBLISHED", "DELETED"] = Field(description="The life of the card; `TEST` at first.")
    customer_authentication_configurations: tuple[CustomerAuthentication, ...] = Field(
        (), description="The ways in which an operator can sign in."
    )
    customer_data_fields: tuple[CustomerDataField, ...] = Field((), description="What else the operator is asked for.")
    ui_attributes: UiAttributes | None = Field(None, description="How the card looks.")
    identity_namespaces: dict[str, IdentityNamespace] = Field(
        min_length=1, description="The target identities, by the name they have at the partner."
    )
    schema_config: SchemaConfig | None = Field(None, description="What may be mapped.")
    segment_mapping_config: AudienceMetadata | None = Field(None, description="The older home of the next.")
    audience_metadata_config: AudienceMetadata | None = Field(
        None, description="Where an audience's identifier at the partner comes from."
    )
    aggregation: Aggregation = Field(description="How profiles are put into messages.")
    destination_delivery: tuple[Delivery, ...] = Field(
        min_length=1, max_length=1, description="Where messages go and how they are signed in."
    )
    backfill_historical_profile_data: Literal[True] = Field(
        True, description="Everybody who is in an audience is sent when it is activated; always true."
    )
    max_profile_attributes: Count = Field(2000, ge=1, description="The most attributes an operator may map.")
    max_identity_attributes: Count = Field(10, ge=1, description="The most identities an operator may map.")
    extension: DestinationExtension = Field(
        default_factory=DestinationExtension, alias="x-headrace", description="Additions of Headrace."
    )

    @rule
    def _asks_for_what_it_uses(self) -> Iterator[Problem]:
        wanted, where = self.delivery.authentication_rule, "/customerAuthenticationConfigurations"
        if wanted == "CUSTOMER_AUTHENTICATION" and not self.customer_authentication_configurations:
            message = f"`{wanted}` needs an entry in `{where[1:]}`: operators could not sign in"
            yield Problem("no-sign-in", where, message)
        if wanted != "CUSTOMER_AUTHENTICATION" and self.customer_authentication_configurations:
            message = f"`{where[1:]}` needs the rule `CUSTOMER_AUTHENTICATION`, not `{wanted}`"
            yield Problem("sign-in-unused", where, message)

    @property
    def delivery(self) -> Delivery:
        """The one delivery."""
        return self.destination_delivery[0]

    @property
    def audience_metadata(self) -> AudienceMetadata:
        """The block in force, whichever of its two homes it has."""
        return self.audience_metadata_config or self.segment_mapping_config or AudienceMetadata()

    @property
    def has_predefined_attributes(self) -> bool:
        """Whether messages show attributes bare, or each under ``value``."""
        return self.schema_config is not None and bool(self.schema_config.profile_fields)
