"""
When files are written, what they are called, and which rows they have: what operators say of it.

Rules of these blocks find what contradicts itself, whatever it is for. What hangs on the destination, and what files
need and messages do not, is found by ``check_export``, ``check_rows`` and ``check_dataset``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from headrace.model.batch import (
    FREQUENCIES,
    SCHEDULES,
    BatchConfig,
    DatasetBatchConfig,
    ExportMode,
    Frequency,
    Source,
)
from headrace.model.block import Block, Count, read_of, rule
from headrace.model.filename import (
    default_template,
    parts_of,
    problems_of_choice,
    problems_of_folder_choice,
    problems_of_template,
)
from headrace.model.kinds import Day, TimeOfDay
from headrace.model.problem import Problem

Trigger = Literal["SCHEDULED", "AFTER_SEGMENT_EVAL"]
TimeUnit = Literal["day", "hour"]
FULL: ExportMode = "DAILY_FULL_EXPORT"
INCREMENTAL: ExportMode = "FIRST_FULL_THEN_INCREMENTAL"
#: How often datasets are written, by the mode; `0` days are once.
DATASET_INTERVALS: Mapping[ExportMode, frozenset[tuple[TimeUnit, int]]] = {
    FULL: frozenset({("day", 0)}),
    INCREMENTAL: frozenset({("day", 1), ("hour", 3), ("hour", 6), ("hour", 8), ("hour", 9), ("hour", 12)}),
}
#: What is written whole alone, and how often accounts are.
_WHOLE: tuple[Source, ...] = ("UNIFIED_PROFILE_PROSPECTS",)
_OF_ACCOUNTS = frozenset({"ONCE", "DAILY"})


# -- one audience -----------------------------------------------------------------------------------------------------


class ExportSchedule(Block):
    """Between which days an audience is sent, and for files how often. Messages know the days alone."""

    frequency: Frequency | None = Field(None, description="How often files are written. For files only.")
    trigger_type: Trigger | None = Field(
        None,
        description="`SCHEDULED`, where nothing is said: at `startTime`. `AFTER_SEGMENT_EVAL`: when the audience has "
        "been evaluated. For files only.",
    )
    start_date: Day | None = Field(None, description="The first day, in UTC: nothing is told before it begins.")
    end_date: Day | None = Field(None, description="The first day without: nothing is told from it on.")
    start_time: TimeOfDay | None = Field(None, description="`HH:MM` in UTC. For files only.")

    @property
    def trigger(self) -> Trigger:
        """What an export waits for."""
        return self.trigger_type or "SCHEDULED"

    @rule
    def _ends_after_it_starts(self) -> Iterator[Problem]:
        start, end = self.start_date, self.end_date
        if start is not None and end is not None and end <= start:
            message = f"`endDate` is the first day without anything: let it come after `startDate`, {start}"
            yield Problem("ends-too-early", "/endDate", message)

    @rule
    def _once_has_no_end(self) -> Iterator[Problem]:
        if self.frequency == "ONCE" and self.end_date is not None:
            yield Problem("schedule-clash", "/endDate", "`ONCE` is over by itself; leave `endDate` out")

    @rule
    def _evaluations_have_a_time_of_their_own(self) -> Iterator[Problem]:
        if self.trigger_type == "AFTER_SEGMENT_EVAL" and self.start_time is not None:
            message = "`AFTER_SEGMENT_EVAL` waits for an evaluation; leave `startTime` out, or write `SCHEDULED`"
            yield Problem("schedule-clash", "/startTime", message)

    @rule
    def _evaluations_are_daily(self) -> Iterator[Problem]:
        if self.trigger_type == "AFTER_SEGMENT_EVAL" and self.frequency not in (None, "ONCE", "DAILY"):
            message = f"`AFTER_SEGMENT_EVAL` goes with `ONCE` and `DAILY`, not with `{self.frequency}`"
            yield Problem("schedule-clash", "/triggerType", message)


class FileSettings(Block):
    """How the files of one audience are written."""

    old_names: ClassVar[Mapping[str, str]] = {"fileNameTemplate": "filenameTemplate"}

    schedule: ExportSchedule | None = Field(None, description="When it is sent.")
    filename_template: str | None = Field(
        None, description="What files are called; nothing: as the destination presets it. For files only."
    )
    export_mode: ExportMode | None = Field(
        None,
        description="`DAILY_FULL_EXPORT`: everybody, each time. `FIRST_FULL_THEN_INCREMENTAL`: everybody, then what is "
        "new. For files only.",
    )

    @rule
    def _the_frequency_goes_with_the_mode(self) -> Iterator[Problem]:
        frequency = read_of(self.schedule, "frequency")
        if self.export_mode is not None and frequency is not None and frequency not in SCHEDULES[self.export_mode]:
            possible = _and(name for name in FREQUENCIES if name in SCHEDULES[self.export_mode])
            message = f"`{frequency}` does not go with `{self.export_mode}`; these do: {possible}"
            yield Problem("schedule-clash", "/schedule/frequency", message)

    @rule
    def _what_is_new_comes_on_a_schedule(self) -> Iterator[Problem]:
        if self.export_mode == INCREMENTAL and read_of(self.schedule, "trigger_type") == "AFTER_SEGMENT_EVAL":
            message = f"`AFTER_SEGMENT_EVAL` goes with `{FULL}` alone; write `SCHEDULED`"
            yield Problem("schedule-clash", "/schedule/triggerType", message)

    @rule
    def _the_name_can_be_made(self) -> Iterator[Problem]:
        if self.filename_template is not None:
            yield from problems_of_template(self.filename_template, "name", "/filenameTemplate")


def check_export(
    settings: FileSettings,
    batch: BatchConfig | None,
    is_file_based: bool,
    *,
    sources: Sequence[Source] = (),
    has_folder_of_its_own: bool = False,
    where: str = "",
) -> Iterator[Problem]:
    """
    Say what is wrong with how the files of an audience are written, given its destination, beyond its own rules.

    ``has_folder_of_its_own``: the path has a macro, so that no other audience's files lie beside. For messages, it
    warns of what only files have; a warning keeps nobody from anything.
    """
    if not is_file_based:
        yield from _of_files_alone(settings, where)
        return
    yield from _missing(settings, where)
    yield from _not_for_this_source(settings, sources, where)
    if batch is not None:
        offered = (batch.allowed_export_modes, batch.allowed_schedule_frequency)
        yield from _not_offered(settings, *offered, where)
        yield from _of_the_name(settings, batch, where, has_folder_of_its_own=has_folder_of_its_own)


def template_in_force(settings: FileSettings, batch: BatchConfig) -> str:
    """Return what the files of an audience are called: as its operator says, or else as the author presets it."""
    preset = default_template(batch.filename_config, is_grouped=batch.segment_grouping_enabled)
    return settings.filename_template or preset


def _of_files_alone(settings: FileSettings, where: str) -> Iterator[Problem]:
    schedule = settings.schedule or ExportSchedule()
    said = {
        "/filenameTemplate": settings.filename_template,
        "/exportMode": settings.export_mode,
        "/schedule/frequency": schedule.frequency,
        "/schedule/triggerType": schedule.trigger_type,
        "/schedule/startTime": schedule.start_time,
    }
    for place, value in said.items():
        if value is not None:
            message = f"`{place.rpartition('/')[2]}` has a meaning for files alone; leave it out"
            yield Problem("files-only", f"{where}{place}", message)


def _missing(settings: FileSettings, where: str) -> Iterator[Problem]:
    schedule = settings.schedule or ExportSchedule()
    needed = {
        "/exportMode": settings.export_mode,
        "/schedule/frequency": schedule.frequency,
        "/schedule/startDate": schedule.start_date,
        "/schedule/startTime": schedule.start_time if schedule.trigger == "SCHEDULED" else "",
    }
    for place, value in needed.items():
        if value is None:
            name = place.rpartition("/")[2]
            yield Problem("missing-field", f"{where}{place}", f"`{name}` is missing; files need it")


def _not_for_this_source(settings: FileSettings, sources: Sequence[Source], where: str) -> Iterator[Problem]:
    frequency = settings.schedule.frequency if settings.schedule is not None else None
    if settings.export_mode == INCREMENTAL and set(sources) & set(_WHOLE):
        message = f"prospects are exported whole; write `{FULL}`"
        yield Problem("schedule-clash", f"{where}/exportMode", message)
    if "ACCOUNTS" in sources and frequency is not None and frequency not in _OF_ACCOUNTS:
        message = f"accounts are exported `ONCE` or `DAILY`, not `{frequency}`"
        yield Problem("schedule-clash", f"{where}/schedule/frequency", message)


def _not_offered(
    settings: FileSettings, modes: tuple[ExportMode, ...], frequencies: tuple[Frequency, ...], where: str
) -> Iterator[Problem]:
    frequency = settings.schedule.frequency if settings.schedule is not None else None
    said: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
        ("/exportMode", settings.export_mode, modes),
        ("/schedule/frequency", frequency, frequencies),
    )
    for place, value, allowed in said:
        if value is not None and allowed and value not in allowed:
            message = f"the destination does not offer `{value}`; take one of: {_and(allowed)}"
            yield Problem("not-offered", f"{where}{place}", message)


def _of_the_name(
    settings: FileSettings, batch: BatchConfig, where: str, *, has_folder_of_its_own: bool
) -> Iterator[Problem]:
    place = f"{where}/filenameTemplate"
    if settings.filename_template is not None:
        yield from problems_of_choice(settings.filename_template, batch.filename_config, place)
    macros = {part.macro for part in parts_of(template_in_force(settings, batch))}
    if batch.segment_grouping_enabled:
        unfit, why = {"SEGMENT_ID", "SEGMENT_NAME"}, "a file holds several audiences here"
    else:
        unfit, why = {"MERGE_POLICY_ID", "MERGE_POLICY_NAME"}, "files here are of one audience, not of a merge policy"
    for macro in sorted(macro for macro in macros if macro in unfit):
        yield Problem("unfit-macro", place, f"`%{macro}%` has no single value: {why}; leave it out")
    if not batch.segment_grouping_enabled and not has_folder_of_its_own and "SEGMENT_ID" not in macros:
        message = "two audiences may come to one name, and then both get an addition; append `%SEGMENT_ID%`"
        yield Problem("same-name-possible", place, message)


# -- rows -------------------------------------------------------------------------------------------------------------


class PrimaryField(Block):
    """A part of the deduplication key: an attribute, or an identity."""

    field_type: Literal["ATTRIBUTE", "IDENTITY"] = Field(description="What the part is.")
    attribute_path: str | None = Field(None, min_length=1, description="The path of the attribute.")
    identity_namespace: str | None = Field(None, min_length=1, description="The namespace of the identity.")

    @property
    def is_identity(self) -> bool:
        """Whether it is an identity."""
        return self.field_type == "IDENTITY"

    @rule
    def _names_what_it_is(self) -> Iterator[Problem]:
        names = {"attributePath": self.attribute_path, "identityNamespace": self.identity_namespace}
        wanted = "identityNamespace" if self.is_identity else "attributePath"
        if names.pop(wanted) is None or any(value is not None for value in names.values()):
            message = f"`{self.field_type}` is named by `{wanted}`, and by nothing else"
            yield Problem("one-of-two", f"/{wanted}", message)


class RowSettings(Block):
    """Which rows a file has: those that have what they must, and one for each key."""

    mandatory_fields: tuple[str, ...] | None = Field(
        None, description="Paths or namespaces: a row without a value of each is left out. For files only."
    )
    primary_fields: tuple[PrimaryField, ...] | None = Field(
        None,
        description="The deduplication key: one identity, or one or two attributes; of those who share it, the one "
        "that changed last has the row. For files only.",
    )

    @rule
    def _the_key_is_of_one_kind(self) -> Iterator[Problem]:
        kinds = [read_of(part, "field_type") for part in self.primary_fields or ()]
        if len(kinds) > (1 if "IDENTITY" in kinds else 2):
            message = "a deduplication key is one identity, or one or two attributes: leave some out"
            yield Problem("wrong-key", f"/primaryFields/{len(kinds) - 1}", message)


def check_rows(
    rows: RowSettings, identities: int, batch: BatchConfig | None, is_file_based: bool, *, where: str = ""
) -> Iterator[Problem]:
    """
    Say what is wrong with the choice of a file's rows, given its destination; for messages, what files alone have.

    ``identities``: how many rows of the mapping are of an identity. One makes its namespace mandatory, and the key.
    """
    said = {"/mandatoryFields": rows.mandatory_fields, "/primaryFields": rows.primary_fields}
    chosen = [place for place, value in said.items() if value]
    if not is_file_based:
        for place in chosen:
            yield Problem("files-only", f"{where}{place}", f"`{place[1:]}` has a meaning for files alone; leave it out")
        return
    for place in chosen if batch is not None else ():
        if not _may_be_chosen(place, batch):
            message = f"the destination does not leave `{place[1:]}` to operators; leave it out"
            yield Problem("may-not-be-chosen", f"{where}{place}", message)
    if identities > 1:
        message = f"{identities} identities are mapped, and a file has one; map the others as attributes"
        yield Problem("several-identities", f"{where}/profileSelectors/selectors", message)
    if identities and any(not part.is_identity for part in rows.primary_fields or ()):
        message = "the identity that is mapped is the key already; leave the attributes out"
        yield Problem("wrong-key", f"{where}/primaryFields", message)


def _may_be_chosen(place: str, batch: BatchConfig | None) -> bool:
    if batch is None:
        return True
    is_key = place == "/primaryFields"
    return batch.allow_dedupe_key_field_selection if is_key else batch.allow_mandatory_field_selection


# -- datasets ---------------------------------------------------------------------------------------------------------


class ScheduleParams(Block):
    """When the datasets of a dataflow are written, and into which folders. Moments are Unix seconds."""

    old_names: ClassVar[Mapping[str, str]] = {"folderNameTemplate": "foldernameTemplate"}

    start_time: Count | None = Field(None, ge=0, lt=10**11, description="The first export, in Unix seconds.")
    interval: Count | None = Field(None, ge=0, description="So many of `timeUnit` between two exports; `0`: once.")
    time_unit: TimeUnit | None = Field(None, description="`day` or `hour`.")
    export_mode: ExportMode | None = Field(None, description="Whole and once, or whole and then what is new.")
    end_time: Count | None = Field(
        None, ge=0, lt=10**11, description="No export from then on; six months after creation where nothing is said."
    )
    foldername_template: str | None = Field(
        None, description="The folder of an export; nothing: `%DATASET_ID%/%EXPORT_TIME%`."
    )

    @property
    def mode(self) -> ExportMode:
        """The mode in force: what is written once is written whole."""
        return self.export_mode or (FULL if self.interval == 0 else INCREMENTAL)

    @property
    def frequency(self) -> str:
        """How often, in the words of destinations; a few intervals have none there."""
        if self.time_unit == "day":
            return "ONCE" if self.interval == 0 else "DAILY"
        return f"EVERY_{self.interval}_HOURS"

    @rule
    def _the_interval_goes_with_the_mode(self) -> Iterator[Problem]:
        if self.interval is None or self.time_unit is None:
            return
        possible = DATASET_INTERVALS[self.mode]
        if (self.time_unit, self.interval) not in possible:
            words = ", ".join(f"{interval} {unit}" for unit, interval in sorted(possible))
            message = f"datasets are written every {words} with `{self.mode}`, not every {self.interval} of a "
            yield Problem("schedule-clash", "/interval", f"{message}`{self.time_unit}`")

    @rule
    def _ends_after_it_starts(self) -> Iterator[Problem]:
        if self.start_time is not None and self.end_time is not None and self.end_time <= self.start_time:
            yield Problem("ends-too-early", "/endTime", "`endTime` is not after `startTime`; let it come after")

    @rule
    def _the_folder_can_be_made(self) -> Iterator[Problem]:
        if self.foldername_template is not None:
            yield from problems_of_template(self.foldername_template, "folder", "/foldernameTemplate")


def check_dataset(
    params: ScheduleParams | None, batch: DatasetBatchConfig | None, *, where: str = "/scheduleParams"
) -> Iterator[Problem]:
    """Say what is wrong with when datasets are written, given their destination, beyond its own rules."""
    said = params or ScheduleParams()
    needed = {"startTime": said.start_time, "interval": said.interval, "timeUnit": said.time_unit}
    for name, value in needed.items():
        if value is None:
            yield Problem("missing-field", f"{where}/{name}", f"`{name}` is missing; exports of datasets need it")
    if batch is None or any(value is None for value in needed.values()):
        return
    offered = ((said.mode, batch.allowed_export_modes, "exportMode"),)
    often = ((said.frequency, batch.allowed_schedule_frequency, "interval"),)
    for chosen, allowed, name in (*offered, *often):
        if allowed and chosen not in allowed:
            message = f"the destination does not offer `{chosen}`; take one of: {_and(allowed)}"
            yield Problem("not-offered", f"{where}/{name}", message)
    if said.foldername_template is not None:
        place = f"{where}/foldernameTemplate"
        yield from problems_of_folder_choice(said.foldername_template, batch.allowed_foldername_append_options, place)


def _and(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
