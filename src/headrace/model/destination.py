"""A destination as its author declares it: what operators are asked for, what may be mapped, how it is sent."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from headrace.model import customer_data, metadata
from headrace.model.aggregation import Aggregation, Policy
from headrace.model.authentication import CustomerAuthentication
from headrace.model.batch import BatchConfig, Source
from headrace.model.block import SERVER_SET, Block, Count, Flag, read_of, rule
from headrace.model.customer_data import CustomerDataField
from headrace.model.delivery import Delivery
from headrace.model.documentation import DestinationExtension
from headrace.model.identities import IdentityNamespace
from headrace.model.metadata import AudienceMetadata, Homes
from headrace.model.problem import Problem
from headrace.model.schema import DynamicSchema, SchemaConfig, flags_of_a_mapping, flags_of_files
from headrace.model.ui import UiAttributes

MarketingAction = Literal[
    "ANALYTICS",
    "COMBINE_WITH_PII",
    "CROSS_SITE_TARGETING",
    "DATA_SCIENCE",
    "EMAIL_TARGETING",
    "EXPORT_TO_THIRD_PARTY",
    "ONSITE_ADVERTISING",
    "ONSITE_PERSONALIZATION",
    "SINGLE_IDENTITY_PERSONALIZATION",
]
Label = Literal["C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "I1", "I2", "S1", "S2"]
_FORM = "/customerDataFields"


class CustomerEncryption(Block):
    """A way in which operators may have their files encrypted."""

    encryption_algo: str | None = Field(None, description="The algorithm; an entry asks for the operator's public key.")


class Destination(Block):
    """A destination: one card of the catalog, one partner's way of taking audiences and profiles."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET | {"imsOrg", "sandboxName", "sandboxId", "destConfigId"}
    old_names: ClassVar[Mapping[str, str]] = {"batchConfiguration": "batchConfig"}

    name: str = Field(min_length=1, description="The title of the card.")
    description: str | None = Field(None, description="The text on the card: four or five sentences at most.")
    status: Literal["TEST", "PUBLISHED", "DELETED"] = Field(description="The life of the card; `TEST` at first.")
    sources: tuple[Source, ...] = Field(
        (), max_length=1, description="What is delivered, where it is not people: at most one kind."
    )
    customer_authentication_configurations: tuple[CustomerAuthentication, ...] = Field(
        (), description="The ways in which an operator can sign in."
    )
    customer_encryption_configurations: tuple[CustomerEncryption, ...] = Field(
        (), description="How operators may have files encrypted."
    )
    customer_data_fields: tuple[CustomerDataField, ...] = Field((), description="What else the operator is asked for.")
    ui_attributes: UiAttributes | None = Field(None, description="How the card looks.")
    identity_namespaces: dict[str, IdentityNamespace] = Field(
        default_factory=dict,
        description="The target identities, by the name they have at the partner. Messages need at least one.",
    )
    schema_config: SchemaConfig | None = Field(None, description="What may be mapped.")
    segment_mapping_config: AudienceMetadata | None = Field(None, description="The older home of the next.")
    audience_metadata_config: AudienceMetadata | None = Field(
        None, description="Where an audience's identifier at the partner comes from."
    )
    aggregation: Aggregation | None = Field(None, description="How profiles are put into messages. Messages need it.")
    batch_config: BatchConfig | None = Field(None, description="When files are written, and what they are called.")
    destination_delivery: tuple[Delivery, ...] = Field(
        min_length=1, description="Where messages or files go, and how they are signed in: one item."
    )
    backfill_historical_profile_data: Flag = Field(
        True, description="Everybody who is in an audience is sent when it is activated; always true."
    )
    max_profile_attributes: Count = Field(2000, ge=1, description="The most attributes an operator may map.")
    max_identity_attributes: Count = Field(10, ge=1, description="The most identities an operator may map.")
    marketing_actions: tuple[MarketingAction, ...] = Field(
        (), description="What the exported data is for, as far as the destination says it for everybody."
    )
    dule_labels: tuple[Label, ...] = Field(
        (), description="The data-usage labels that the destination sets by default."
    )
    input_schema_id: str | None = Field(None, description="Kept, and of no effect.")
    release_notes: Any = Field(None, description="Kept, and of no effect.")
    extension: DestinationExtension = Field(
        default_factory=DestinationExtension, alias="x-headrace", description="Additions of Headrace."
    )

    @rule
    def _has_one_delivery(self) -> Iterator[Problem]:
        if len(self.destination_delivery) > 1:
            message = "a destination delivers to one server: make one destination of each item"
            yield Problem("several-deliveries", "/destinationDelivery/1", message)

    @rule
    def _asks_for_what_it_uses(self) -> Iterator[Problem]:
        wanted, where = self.delivery.authentication_rule, "/customerAuthenticationConfigurations"
        if wanted == "CUSTOMER_AUTHENTICATION" and not self.customer_authentication_configurations:
            message = f"`{wanted}` needs an entry in `{where[1:]}`: operators could not sign in"
            yield Problem("no-sign-in", where, message)
        if wanted != "CUSTOMER_AUTHENTICATION" and self.customer_authentication_configurations:
            message = f"`{where[1:]}` needs the rule `CUSTOMER_AUTHENTICATION`, not `{wanted}`; leave it out"
            yield Problem("sign-in-unused", where, message)

    @rule
    def _names_on_the_form_differ(self) -> Iterator[Problem]:
        yield from customer_data.same_names(self.customer_data_fields, _FORM)

    @rule
    def _the_form_asks_for_nothing_twice(self) -> Iterator[Problem]:
        yield from customer_data.automatic_names(self.customer_data_fields, _FORM)

    @rule
    def _the_form_can_be_shown(self) -> Iterator[Problem]:
        yield from customer_data.dependencies(self.customer_data_fields, _FORM)

    @rule
    def _looks_up_as_it_signs_in(self) -> Iterator[Problem]:
        schema = read_of(read_of(read_of(self, "schema_config"), "dynamic_schema_config"), "dynamic_enum")
        sources = [*customer_data.fetched(read_of(self, "customer_data_fields") or (), _FORM)]
        sources += [("/schemaConfig/dynamicSchemaConfig/dynamicEnum", schema)] if schema is not None else []
        rule_of_delivery = self.delivery.authentication_rule
        for where, source in sources:
            wanted = read_of(source, "authentication_rule")
            if wanted not in (None, "NONE", rule_of_delivery):
                message = (
                    f"`{wanted}` has no credentials here, for messages are signed in by `{rule_of_delivery}`; "
                    "use that, or `NONE`"
                )
                yield Problem("lookup-rule", f"{where}/authenticationRule", message)

    @rule
    def _the_card_says_what_it_is(self) -> Iterator[Problem]:
        if not self.description:
            message = "without `description` the card says nothing but its name; add it"
            yield Problem("incomplete-card", "/description", message)

    @rule
    def _the_card_has_its_attributes(self) -> Iterator[Problem]:
        if self.ui_attributes is None:
            message = "without `uiAttributes` the card has no category, connection type and frequency; add them"
            yield Problem("incomplete-card", "/uiAttributes", message)

    @rule
    def _what_is_published_is_documented(self) -> Iterator[Problem]:
        if self.status == "PUBLISHED" and (self.ui_attributes is None or self.ui_attributes.documentation_link is None):
            where = "/uiAttributes" if self.ui_attributes is None else "/uiAttributes/documentationLink"
            message = "what is published needs `documentationLink` in `uiAttributes`; add it, or stay at `TEST`"
            yield Problem("no-documentation-link", where, message)

    @rule
    def _says_what_may_be_mapped(self) -> Iterator[Problem]:
        if self.schema_config is None:
            message = "without `schemaConfig` operators can map whatever they like; add it"
            yield Problem("no-schema", "/schemaConfig", message)

    @rule
    def _audiences_can_be_chosen(self) -> Iterator[Problem]:
        if not self.exports_datasets and read_of(self.schema_config, "segment_required") is False:
            message = "`segmentRequired` is always `true`, except for exports of datasets; set it so"
            yield Problem("no-audiences", "/schemaConfig/segmentRequired", message)

    @rule
    def _datasets_have_no_mapping(self) -> Iterator[Problem]:
        if self.exports_datasets:
            yield from flags_of_a_mapping(self.schema_config, "/schemaConfig")

    @rule
    def _messages_have_no_flags_of_files(self) -> Iterator[Problem]:
        if self.ui_attributes is not None and self.ui_attributes.frequency == "Streaming":
            yield from flags_of_files(self.schema_config, "/schemaConfig")

    @rule
    def _places_of_metadata_agree(self) -> Iterator[Problem]:
        yield from metadata.contradictions(self._homes)

    @rule
    def _an_audience_has_one_identifier(self) -> Iterator[Problem]:
        yield from metadata.several_origins(self._homes)

    @rule
    def _credentials_of_requests_sign_some(self) -> Iterator[Problem]:
        yield from metadata.unused_credentials(self._homes)

    @rule
    def _the_aggregation_has_its_policy(self) -> Iterator[Problem]:
        if self.aggregation is not None and not self.exports_datasets and self.aggregation.policy is None:
            wanted = self.aggregation.policy_name
            message = f"`{self.aggregation.aggregation_type}` needs `{wanted}`; add it"
            yield Problem("no-policy", f"/aggregation/{wanted}", message)

    @rule
    def _groups_are_of_target_identities(self) -> Iterator[Problem]:
        if self.aggregation is not None:
            yield from self.aggregation.groups_of_no_target(tuple(self.identity_namespaces), "/aggregation")

    @rule
    def _every_target_identity_is_in_a_group(self) -> Iterator[Problem]:
        if self.aggregation is not None:
            yield from self.aggregation.targets_in_no_group(tuple(self.identity_namespaces), "/aggregation")

    @rule
    def _whole_people_are_not_parted(self) -> Iterator[Problem]:
        policy = self.aggregation.policy if self.aggregation is not None else None
        if policy is None or not self.follows_profiles:
            return
        if policy.split_user_by_id or (policy.aggregation_key is not None and policy.aggregation_key.include_identity):
            message = "where `trigger` is `profile`, messages hold all identities of people: do not part people by them"
            yield Problem("parted-by-identity", "/x-headrace/trigger", message)

    @rule
    def _everybody_is_sent(self) -> Iterator[Problem]:
        if not self.backfill_historical_profile_data:
            message = "everybody who is in an audience is sent when it is activated: set it to `true`, or leave it out"
            yield Problem("no-backfill", "/backfillHistoricalProfileData", message)

    @property
    def delivery(self) -> Delivery:
        """The one delivery."""
        return self.destination_delivery[0]

    @property
    def follows_profiles(self) -> bool:
        """Whether whatever is written of people is told, with all their identities, and not audiences alone."""
        return self.extension.trigger == "profile"

    @property
    def exports_datasets(self) -> bool:
        """Whether datasets are exported, and not audiences."""
        return "DATASETS" in self.sources

    @property
    def takes_files(self) -> bool:
        """Whether files are written for it, and no messages."""
        return self.batch_config is not None

    @property
    def audience_metadata(self) -> AudienceMetadata:
        """What is said in its two homes together."""
        return metadata.merged(self._homes)

    @property
    def has_predefined_attributes(self) -> bool:
        """Whether messages show attributes bare, or each under ``value``."""
        return self.schema_config is not None and bool(self.schema_config.profile_fields)

    @property
    def dynamic_schema(self) -> DynamicSchema | None:
        """Where the target attributes are fetched, if they are."""
        config = self.schema_config.dynamic_schema_config if self.schema_config is not None else None
        return config.dynamic_enum if config is not None else None

    @property
    def policy(self) -> Policy | None:
        """How people are put into messages; ``None`` where there are none."""
        return self.aggregation.policy if self.aggregation is not None else None

    @property
    def _homes(self) -> Homes:
        return (
            ("audienceMetadataConfig", read_of(self, "audience_metadata_config")),
            ("segmentMappingConfig", read_of(self, "segment_mapping_config")),
        )
