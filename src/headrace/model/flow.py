"""
The flow service's objects: accounts (base connections), source and target connections, dataflows.

The shapes are those that clients of the original send. A dataflow's one transformation holds what the operator chose:
the audiences, and the mapping of attributes and identities.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from headrace.model.account_encryption import AccountEncryption
from headrace.model.block import SERVER_SET, Block, Flag, Whole, read_of, repeated, rule
from headrace.model.export import FileSettings, RowSettings
from headrace.model.identities import Transformation
from headrace.model.mapping_set import MappingSetRow, ProfileMapping
from headrace.model.problem import Problem
from headrace.model.schema import ALIAS_MACRO

_FLOW_SERVICE_SET = SERVER_SET | {
    "id",
    "etag",
    "state",
    "createdAt",
    "createdBy",
    "createdClient",
    "updatedAt",
    "updatedBy",
    "updatedClient",
    "sandboxId",
    "sandboxName",
    "imsOrgId",
    "inheritedAttributes",
}

PROFILE_STORE_SPEC = "8a9c3494-9708-43d7-ae3f-cda01e5030e1"
#: The connection spec of datasets that are exported as they are.
DATA_LAKE_SPEC = "23598e46-f560-407b-88d5-ea6207e49db0"
#: The flow spec of people who are sent, in messages or files; and ours of datasets, which go into files as they are.
STREAMING_FLOW_SPEC = "71471eba-b620-49e4-90fd-23f1fa0174d8"
DATASET_FLOW_SPEC = "5e0c2d94-7f0b-4c55-9d0e-3a1b6d7c8e21"
IDENTITY_PATH = "identityMap."


class SpecReference(Block):
    """The connector an object belongs to: for a destination of ours, its ``instanceId``."""

    id: str = Field(min_length=1, description="The connection spec's id.")
    version: str | None = Field(None, description="Its version; `1.0`.")


class Auth(Block):
    """How the operator signs in at the partner."""

    spec_name: str = Field(description="The way of signing in: the `authType` the operator chose.")
    params: dict[str, Any] = Field(default_factory=dict, description="The credentials. Written, never read back.")


class AccountExtension(Block):
    """What Headrace adds to an account."""

    ignored: ClassVar[frozenset[str]] = frozenset({"signIn", "error", "fingerprints", "externalId"})

    signing_secrets: dict[str, str] = Field(
        default_factory=dict,
        max_length=4,
        description="What messages are signed with where the destination says `signing`: `whsec_…`, each under a name "
        "of the operator's. Written, never read back. While there are several, messages carry a signature by each, so "
        "that one can take the place of another.",
    )
    host_key: str | None = Field(
        None,
        max_length=10_000,
        description="What the server of SFTP proves to be: the fingerprint of its host key as OpenSSH prints it, "
        "`SHA256:…`, or the public key itself; several with blanks between, while a partner changes it. Left out, the "
        "key is pinned that the server shows when the account is created.",
    )


class BaseConnection(Block):
    """An account: an operator's authenticated access at the partner."""

    ignored: ClassVar[frozenset[str]] = _FLOW_SERVICE_SET

    name: str = Field(min_length=1, description="The account's name.")
    description: str | None = Field(None, description="What it is for.")
    connection_spec: SpecReference = Field(description="The destination.")
    auth: Auth | None = Field(None, description="The credentials.")
    encryption: AccountEncryption | None = Field(None, description="How files are encrypted. Without it they are not.")
    extension: AccountExtension = Field(
        default_factory=AccountExtension, alias="x-headrace", description="Additions of Headrace."
    )


class SourceData(Block):
    """The form in which profiles are read."""

    format: str | None = Field(None, description="`json` for streaming, `CSV` for files.")
    schema_: Any = Field(None, alias="schema", description="Not used.")


class NamedDataset(Block):
    """One dataset that is exported."""

    data_set_id: str = Field(min_length=1, description="The dataset's id.")
    name: str | None = Field(None, min_length=1, description="Its name; left out, the one that it has.")


class NamedDatasets(Block):
    """The datasets that are exported together."""

    datasets: tuple[NamedDataset, ...] = Field(min_length=1, max_length=1000, description="The datasets.")

    @rule
    def _names_a_dataset_once(self) -> Iterator[Problem]:
        for place, id_ in repeated(self.datasets, "data_set_id"):
            yield Problem("named-twice", f"/datasets/{place}/dataSetId", f"the dataset {id_!r} is named twice")


class SourceConnection(Block):
    """Where a dataflow's profiles come from: the profile store; or the datasets that it exports, by name."""

    ignored: ClassVar[frozenset[str]] = _FLOW_SERVICE_SET

    name: str = Field(min_length=1, description="Its name.")
    description: str | None = Field(None, description="What it is for.")
    connection_spec: SpecReference = Field(
        description="The profile store's connection spec; that of the data lake for datasets."
    )
    base_connection_id: str | None = Field(None, description="Not needed for the profile store.")
    data: SourceData | None = Field(None, description="The form of the data.")
    params: dict[str, Any] = Field(
        default_factory=dict,
        description="Of the data lake, `datasets`: those that are exported, each with `dataSetId` and `name`. Not used "
        "where people are sent.",
    )

    @property
    def is_of_datasets(self) -> bool:
        """Whether datasets are exported as they are, and no people sent."""
        return self.connection_spec.id == DATA_LAKE_SPEC


class TargetExtension(Block):
    """What Headrace adds to a target connection."""

    ignored: ClassVar[frozenset[str]] = frozenset({"consentRequired", "fingerprints"})

    working: Flag = Field(
        False,
        description="Use the destination as its author works on it, and not as it was published: to try a change. "
        "In the author's own sandbox only.",
    )
    check: Flag = Field(
        True,
        description="Whether it is tried, when this is set up or changed, that files can be written to the storage. "
        "`false`: for a storage that is there later.",
    )


class TargetConnection(Block):
    """A destination set up under an account: the values of its customer data fields."""

    ignored: ClassVar[frozenset[str]] = _FLOW_SERVICE_SET

    name: str = Field(min_length=1, description="Its name.")
    description: str | None = Field(None, description="What it is for.")
    connection_spec: SpecReference = Field(description="The destination.")
    base_connection_id: str | None = Field(None, description="The account.")
    data: dict[str, Any] | None = Field(None, description="Not used.")
    params: dict[str, Any] = Field(default_factory=dict, description="The customer data, by field name.")
    extension: TargetExtension = Field(
        default_factory=TargetExtension, alias="x-headrace", description="Additions of Headrace."
    )


class SchemaWanted(Block):
    """Whose attributes are looked up at the partner: an account, and the form as far as it is filled in."""

    base_connection_id: str | None = Field(None, description="The account, where the partner asks for one.")
    params: dict[str, Any] = Field(default_factory=dict, description="The customer data, by field name.")


class ChoicesWanted(SchemaWanted):
    """Which choices are looked up at the partner."""

    field: str = Field(min_length=1, description="The customer data field; in a group, by its JSON pointer.")


class SegmentSelectorValue(FileSettings):
    """One audience that the dataflow sends."""

    ignored: ClassVar[frozenset[str]] = frozenset({"createTime", "updateTime"})

    id: str = Field(min_length=1, description="The audience's id.")
    name: str | None = Field(None, description="The audience's name.")
    description: str | None = Field(None, description="What it is.")
    namespace: str = Field("ups", description="The audience's origin.")
    system_segment_id: str | None = Field(None, description="The platform's own id of an external audience.")
    mapping_id: str | None = Field(None, description="The audience's identifier at the partner, typed by the operator.")
    enrichment_info: dict[str, Any] | None = Field(None, description="For files only.")


class SegmentSelector(Block):
    """The choice of one audience."""

    type: Literal["PLATFORM_SEGMENT"] = Field("PLATFORM_SEGMENT", description="What is chosen.")
    value: SegmentSelectorValue = Field(description="The audience.")


class FieldMappingExtension(Block):
    """What Headrace adds to a row of the mapping."""

    transformation: Transformation | None = Field(None, description="The operator's tick at “apply transformation”.")
    region: str | None = Field(
        None,
        pattern="^[A-Z]{2}$",
        description="Where telephone numbers without `+` are dialled, as `DE`. Without it they are left out.",
    )


class FieldMapping(Block):
    """One row of the mapping: from where to where."""

    source_type: Literal["text/x.schema-path", "ATTRIBUTE", "text/x.aep-xl", "EXPRESSION", "text/plain"] = Field(
        "text/x.schema-path",
        description="How to read `source`: as a path (`text/x.schema-path`, `ATTRIBUTE`), as a calculated field "
        "(`text/x.aep-xl`, `EXPRESSION`), or as the macro `metadata.segment.alias` (`text/plain`).",
    )
    source: str = Field(
        min_length=1, description="An attribute's path, `identityMap.<namespace>`, or a calculated field."
    )
    destination: str = Field(min_length=1, description="A target attribute, or `identityMap.<target namespace>`.")
    identity: Flag | None = Field(None, description="Written by clients; the paths say it already.")
    primary_identity: Flag | None = Field(None, description="Written by clients; not used.")
    function_version: Whole | None = Field(None, description="Written by clients; not used.")
    copy_mode_mapping: Flag | None = Field(None, description="Written by clients; not used.")
    source_attribute: str | None = Field(None, description="Written by clients; not used.")
    destination_xdm_path: str | None = Field(None, description="Written by clients; not used.")
    extension: FieldMappingExtension = Field(
        default_factory=FieldMappingExtension, alias="x-headrace", description="Additions of Headrace."
    )

    @rule
    def _there_is_one_macro(self) -> Iterator[Problem]:
        if self.source_type == "text/plain" and self.source != ALIAS_MACRO:
            message = f"{self.source!r} is no macro; `text/plain` reads `{ALIAS_MACRO}` alone"
            yield Problem("not-a-macro", "/source", message)

    @property
    def is_calculated(self) -> bool:
        """Whether the source is a calculated field."""
        return self.source_type in ("text/x.aep-xl", "EXPRESSION")

    @property
    def is_of_namespace(self) -> bool:
        """Whether the source is an identity namespace."""
        return self.source.startswith(IDENTITY_PATH) and not self.is_calculated

    @property
    def namespace(self) -> str:
        """The source's namespace. Clients write a dot in one as ``//.``."""
        return self.source.removeprefix(IDENTITY_PATH).replace("//.", ".")

    @property
    def target_namespace(self) -> str | None:
        """The target identity, if the target is one."""
        is_one = self.destination.startswith(IDENTITY_PATH)
        return self.destination.removeprefix(IDENTITY_PATH).replace("//.", ".") if is_one else None


class SelectedIdentity(Block):
    """The target namespace of an identity."""

    namespace: str = Field(min_length=1, description="The target namespace.")


class ProfileSelectorValue(Block):
    """One field that the dataflow sends."""

    path: str = Field(min_length=1, description="The source: an attribute's path, or `identityMap.<namespace>`.")
    operator: Literal["EXISTS"] | None = Field(None, description="Of no effect on streaming.")
    mapping: FieldMapping | None = Field(None, description="Where it goes; without it, to the same name.")
    identity: SelectedIdentity | None = Field(None, description="The target namespace, in short.")

    def row(self) -> FieldMapping:
        """Return the row of the mapping that this selector stands for."""
        if self.mapping is not None:
            return self.mapping
        if self.identity is not None:
            return FieldMapping(source=self.path, destination=f"{IDENTITY_PATH}{self.identity.namespace}")
        same = self.path if self.path.startswith(IDENTITY_PATH) else self.path.replace(".", "_")
        return FieldMapping(source=self.path, destination=same)


class ProfileSelector(Block):
    """The choice of one field."""

    type: Literal["JSON_PATH"] = Field("JSON_PATH", description="How the field is named.")
    value: ProfileSelectorValue = Field(description="The field.")


class SegmentSelectors(Block):
    """The audiences."""

    selectors: tuple[SegmentSelector, ...] = Field((), description="The audiences a dataflow sends.")


class ProfileSelectors(RowSettings):
    """The mapping; an older place of the choice of rows."""

    selectors: tuple[ProfileSelector, ...] = Field((), description="The fields a dataflow sends.")


class TransformParams(RowSettings):
    """What the operator chose."""

    segment_selectors: SegmentSelectors = Field(default_factory=SegmentSelectors, description="The audiences.")
    profile_selectors: ProfileSelectors = Field(default_factory=ProfileSelectors, description="The mapping.")
    profile_mapping: ProfileMapping | None = Field(None, description="A mapping set whose rows are added.")

    @property
    def rows(self) -> RowSettings:
        """The choice of rows, wherever it stands."""
        older = self.profile_selectors
        return RowSettings.model_construct(
            mandatory_fields=self.mandatory_fields or older.mandatory_fields,
            primary_fields=self.primary_fields or older.primary_fields,
        )

    @rule
    def _rows_are_chosen_in_one_place(self) -> Iterator[Problem]:
        for name in ("mandatory_fields", "primary_fields"):
            own, older = read_of(self, name), read_of(self.profile_selectors, name)
            if own and older and own != older:
                wire = RowSettings.model_fields[name].alias
                message = f"`{wire}` stands in `params` and says something else here; leave it out here"
                yield Problem("two-homes", f"/profileSelectors/{wire}", message)

    @rule
    def _names_an_audience_once(self) -> Iterator[Problem]:
        seen: set[tuple[str, str]] = set()
        for place, selector in enumerate(self.segment_selectors.selectors):
            audience = (selector.value.namespace, selector.value.id)
            if audience in seen:
                where = f"/segmentSelectors/selectors/{place}/value/id"
                yield Problem("chosen-twice", where, f"the audience {audience[1]!r} is chosen twice")
            seen.add(audience)


class Transform(Block):
    """The one transformation of a dataflow."""

    name: Literal["GeneralTransform", "General Transform"] = Field("GeneralTransform", description="Its name.")
    params: TransformParams = Field(default_factory=TransformParams, description="What the operator chose.")


class Flow(Block):
    """A dataflow: account, audiences and mapping, from the profile store to a destination; or datasets as they are."""

    ignored: ClassVar[frozenset[str]] = _FLOW_SERVICE_SET | {"version"}

    name: str = Field(min_length=1, description="The dataflow's name.")
    description: str | None = Field(None, description="What it is for.")
    flow_spec: SpecReference | None = Field(None, description="The kind of dataflow; derived from the destination.")
    source_connection_ids: tuple[str, ...] = Field(
        min_length=1, max_length=1, description="The profile store, or the datasets that are exported."
    )
    target_connection_ids: tuple[str, ...] = Field(min_length=1, max_length=1, description="The target connection.")
    transformations: tuple[Transform, ...] = Field((), max_length=1, description="Audiences and mapping.")
    schedule_params: dict[str, Any] | None = Field(
        None, description="When datasets are written; of no effect where people are sent."
    )
    policy: dict[str, Any] | None = Field(None, description="Marketing actions.")

    @property
    def params(self) -> TransformParams:
        """What the operator chose; empty at first."""
        return self.transformations[0].params if self.transformations else TransformParams()

    @property
    def audiences(self) -> tuple[SegmentSelectorValue, ...]:
        """The audiences, in the order in which they were mapped."""
        return tuple(selector.value for selector in self.params.segment_selectors.selectors)

    @property
    def mapping(self) -> tuple[FieldMapping, ...]:
        """The rows of the mapping, in order: its own, then those of the mapping set."""
        reference = self.params.profile_mapping
        referred = reference.extension.mappings if reference is not None else ()
        own = (selector.value.row() for selector in self.params.profile_selectors.selectors)
        return (*own, *map(_row_of, referred))


def _row_of(row: MappingSetRow) -> FieldMapping:
    """Return a row of a mapping set as dataflows have theirs: identities go to the target namespace that is named."""
    if not row.source.startswith(IDENTITY_PATH):
        return FieldMapping(source=row.source, destination=row.destination)
    source = row.source.replace("//.", ".")
    return FieldMapping(source=source, destination=f"{IDENTITY_PATH}{row.destination}")
