"""What an export is about, read in one transaction: its columns, its audiences, and where its files lie."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from headrace.batch.compress import suffix
from headrace.batch.filenames import Naming, Place, Values, places
from headrace.batch.select import Manner, Mode
from headrace.batch.selection import AudienceWanted, Column, DedupeKey, Known, Wanted
from headrace.errors import Conflict
from headrace.mapping import IdentityRow
from headrace.mapping.audience_view import Path, reads_status
from headrace.mapping.calculated import calculation
from headrace.mapping.paths import parse as parse_path
from headrace.model.batch import BatchConfig
from headrace.model.destination import Destination
from headrace.model.export import FULL, RowSettings, template_in_force
from headrace.model.file_format import FileFormat
from headrace.model.filename import parts_of
from headrace.model.flow import IDENTITY_PATH, FieldMapping, SegmentSelectorValue
from headrace.services import consent_policies
from headrace.services.catalog import Catalog
from headrace.services.exports.due import moment_of, selectors_of
from headrace.services.exports.enriching import Upload, upload_of
from headrace.services.live import Parts, alias_of
from headrace.services.mapped import attribute_row, column_name, identity_row, mapped_rows
from headrace.store import audiences, dataflows, exports, partner_audiences
from headrace.store.access import Tenant
from headrace.store.audiences import StoredAudience
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.runs import Run

#: People are merged by one policy here, which all audiences share.
MERGE_POLICY = "default"
_TIMES = frozenset({"DATETIME", "TIMESTAMP"})


@dataclass(frozen=True, slots=True)
class FilePaths:
    """Where the files of a run lie, below the storage's folder. ``has_time``: no other run has files of these names."""

    naming: Naming
    place: Place
    has_time: bool

    def path(self, part: int) -> str:
        """Return where a part lies."""
        return self.naming.path(self.place, part)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What a run is about.

    ``size`` is how many members its audiences have. ``is_counted``: the next increments count from it, as they do not
    from one that somebody asked for besides.
    """

    run: Run
    tenant: Tenant
    stored: StoredDataflow
    parts: Parts
    wanted: Wanted
    uploads: dict[int, Upload]
    chosen: dict[int, tuple[StoredAudience, SegmentSelectorValue]]

    @property
    def batch(self) -> BatchConfig:
        """When files are written and what they are called, as the author says."""
        batch = self.parts.destination.batch_config
        assert batch is not None, "only what takes files has exports"
        return batch

    @property
    def moment(self) -> int:
        """The moment in the names of files, the same for all tries of the run."""
        return moment_of(self.run)

    def at(self, moment: int) -> "Plan":
        """Return the same plan with the names of another moment."""
        return replace(self, run=replace(self.run, progress={**self.run.progress, "moment": moment}))

    @property
    def is_counted(self) -> bool:
        return not self.run.subject["besides"]

    @property
    def size(self) -> int:
        return sum(self.chosen[one.number][0].size for one in self.wanted.audiences)

    @property
    def mode(self) -> Mode:
        """Whether there is a file although nobody is in it: where any of its audiences is written whole."""
        manners = [one.manner for one in self.wanted.audiences]
        return "full" if any(manner.mode == "full" or manner.is_first for manner in manners) else "incremental"

    def files(self, folder: str, look: FileFormat) -> FilePaths:
        """Say where the files lie; no other audience of the dataflow has its own there."""
        extension = suffix(look)
        if self.batch.segment_grouping_enabled:
            return self._files_of_all(folder, extension)
        own = self.wanted.audiences[0].number
        wanted = {str(number): self._values(*chosen) for number, chosen in self.chosen.items()}
        templates = {str(number): template_in_force(said, self.batch) for number, (_, said) in self.chosen.items()}
        named = {(number,): values for number, values in wanted.items()}
        template = templates[str(own)]
        naming = Naming(template, extension)
        others = {(number,): text for number, text in templates.items()}
        return FilePaths(naming, places(naming, folder, named, others)[str(own),], _has_time(template))

    def _files_of_all(self, folder: str, extension: str) -> FilePaths:
        template = template_in_force(self.chosen[self.wanted.audiences[0].number][1], self.batch)
        naming = Naming(template, extension)
        return FilePaths(naming, places(naming, folder, {("",): self._values(None, None)})["",], _has_time(template))

    def _values(self, audience: StoredAudience | None, selector: SegmentSelectorValue | None) -> Values:
        return Values(
            self.moment,
            destination=self.parts.destination.name,
            instance_id=self.stored.id,
            instance_name=self.parts.flow.name,
            organization=self.tenant.organization,
            sandbox=self.tenant.sandbox,
            audience_id=audience.id if audience is not None else "",
            audience_name=(audience.name or audience.id) if audience is not None else "",
            merge_policy_id=MERGE_POLICY,
            merge_policy_name=MERGE_POLICY,
        )


def going(tx: Transaction, tenant: Tenant, run: Run) -> StoredDataflow:
    """
    Return the dataflow of a run, which goes.

    Raises:
        Conflict: it is gone, or does not go.
    """
    stored = dataflows.get(tx, tenant.tenant, run.subject["dataflow"])
    if stored is None:
        raise Conflict("the dataflow was deleted")
    if stored.state != "enabled":
        raise Conflict(f"the dataflow is {stored.state}: enable it, and try the run again")
    return stored


def plan(tx: Transaction, tenant: Tenant, run: Run) -> Plan:
    """
    Read what a run is about.

    Raises:
        Conflict: its dataflow is gone or does not go, or sends none of its audiences any more.
    """
    stored = going(tx, tenant, run)
    parts = Parts.of(tx, Catalog(tx, tenant), tenant.tenant, stored.document)
    taking_part = dataflows.mapped_audiences(tx, tenant.tenant, stored.dataflow)
    known = audiences.all_of(tx, tenant.tenant)
    selectors = {n: said for n, said in selectors_of(tx, tenant.tenant, parts.flow).items() if n in taking_part}
    numbers = [number for number in run.subject["audiences"] if number in selectors]
    if not numbers:
        raise Conflict("the dataflow does not send this audience any more")
    chosen = {number: (known[number], said) for number, said in selectors.items()}
    at_partner = partner_audiences.of_target(tx, tenant.tenant, parts.target.id)
    columns = columns_of(parts)
    wanted = Wanted(
        columns=columns,
        audiences=tuple(
            AudienceWanted(
                number=number,
                namespace=chosen[number][0].namespace,
                id=chosen[number][0].id,
                alias=alias_of(chosen[number][1], chosen[number][0], parts.destination, at_partner.get(number)),
                manner=_manner(tx, stored, number, chosen[number][1], run, columns),
                known=known_of(tx, stored, number),
            )
            for number in numbers
        ),
        mandatory=mandatory_of(parts.flow.params.rows, columns),
        key=key_of(parts.flow.params.rows, columns),
        consent=consent_policies.binding(
            consent_policies.in_force(tx, tenant.tenant), stored.document, parts.destination
        )[0],
    )
    found = {number: upload_of(tx, tenant.tenant, number, chosen[number][1]) for number in numbers}
    uploads = {number: upload for number, upload in found.items() if upload is not None}
    return Plan(run, tenant, stored, parts, wanted, uploads, chosen)


# -- columns ----------------------------------------------------------------------------------------------------------


def columns_of(parts: Parts) -> tuple[Column, ...]:
    """Return the columns of files, in the order of the mapping."""
    return tuple(_column(row, parts.destination) for row in mapped_rows(parts.flow, parts.destination))


def _column(row: FieldMapping, destination: Destination) -> Column:
    name, target = column_name(row), row.target_namespace or row.destination
    if row.is_of_namespace or row.target_namespace is not None:
        return Column(name, identity_row(row, target, destination))
    schema = destination.schema_config
    fields = (schema.profile_fields if schema is not None else None) or ()
    kinds = {field.name: field.type for field in fields}
    return Column(name, attribute_row(row, destination), kinds.get(row.destination, "string"))


def _identities(columns: tuple[Column, ...]) -> Iterator[IdentityRow]:
    """Yield the rows of identities; a file has one at most."""
    yield from (column.row for column in columns if isinstance(column.row, IdentityRow))


def mandatory_of(rows: RowSettings, columns: tuple[Column, ...]) -> tuple[str, ...]:
    """Return what a row needs a value of: what the operator says, and the identity, if one is mapped."""
    mapped = [*_identities(columns)]
    names = {row.namespace for row in mapped if row.namespace}
    said = (f"{IDENTITY_PATH}{name}" if name in names else name for name in rows.mandatory_fields or ())
    return tuple(dict.fromkeys([*said, *(_place_of(row) for row in mapped if not row.is_calculated)]))


def key_of(rows: RowSettings, columns: tuple[Column, ...]) -> DedupeKey | None:
    """Return what no two rows share: the identity that is mapped, or else what the operator says."""
    for row in _identities(columns):
        return DedupeKey(namespace=row.namespace) if row.namespace else DedupeKey(paths=(row.source,))
    parts = rows.primary_fields or ()
    namespace = next((part.identity_namespace for part in parts if part.is_identity), None)
    if namespace is not None:
        return DedupeKey(namespace=namespace.removeprefix(IDENTITY_PATH))
    return DedupeKey(paths=tuple(part.attribute_path or "" for part in parts)) if parts else None


def _place_of(row: IdentityRow) -> str:
    return f"{IDENTITY_PATH}{row.namespace}" if row.namespace else row.source


# -- audiences --------------------------------------------------------------------------------------------------------


def _manner(
    tx: Transaction,
    stored: StoredDataflow,
    number: int,
    said: SegmentSelectorValue,
    run: Run,
    columns: tuple[Column, ...],
) -> Manner:
    tells_status = reads_status(path for column in columns for path in _read(column))
    is_whole = said.export_mode in (None, FULL) or run.subject["besides"]
    has_none = exports.get(tx, stored.tenant, stored.dataflow, number) is None
    is_first = has_none and not exports.unpublished(tx, stored.tenant, stored.dataflow, number)
    return Manner("full" if is_whole else "incremental", is_first=is_first, tells_status=tells_status)


def _read(column: Column) -> list[Path]:
    """Return the paths that a column reads."""
    row = column.row
    if row.is_calculated:
        return [*calculation(row.source).reads]
    return [] if isinstance(row, IdentityRow) and row.namespace else [parse_path(row.source)]


def known_of(tx: Transaction, stored: StoredDataflow, number: int) -> Known:
    """Return what the files before had."""
    whose = (stored.tenant, stored.dataflow, number)
    published, shown = exports.get(tx, *whose), exports.unpublished(tx, *whose)
    cut = published.cut if published is not None else 0
    if not shown:
        return Known(cut, [*exports.members(tx, *whose)])
    surely = [(block, packed) for block, packed, _ in shown if packed]
    return Known(cut, surely, [(block, packed) for block, _, packed in shown])


def _has_time(template: str) -> bool:
    return any(part.macro in _TIMES for part in parts_of(template))
