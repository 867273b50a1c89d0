"""When files are written, what is in them, and what they are called."""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar, Literal, get_args

from pydantic import Field

from headrace.model.block import Block, Flag, rule
from headrace.model.problem import Problem

#: What is delivered where a destination does not say that it is people: one of these.
Source = Literal["ACCOUNTS", "UNIFIED_PROFILE_PROSPECTS", "DATASETS"]
ExportMode = Literal["DAILY_FULL_EXPORT", "FIRST_FULL_THEN_INCREMENTAL"]
Frequency = Literal[
    "ONCE",
    "EVERY_HOUR",
    "EVERY_3_HOURS",
    "EVERY_6_HOURS",
    "EVERY_8_HOURS",
    "EVERY_12_HOURS",
    "DAILY",
    "WEEKLY",
    "MONTHLY",
]
#: Parts of a file's name, in the order in which operators see them and in which they are appended.
FilenameMacro = Literal[
    "DESTINATION",
    "SEGMENT_ID",
    "SEGMENT_NAME",
    "DESTINATION_INSTANCE_ID",
    "DESTINATION_INSTANCE_NAME",
    "ORGANIZATION_NAME",
    "SANDBOX_NAME",
    "DATETIME",
    "TIMESTAMP",
    "CUSTOM_TEXT",
    "MERGE_POLICY_ID",
    "MERGE_POLICY_NAME",
]
FoldernameMacro = Literal[
    "DESTINATION",
    "DATASET_ID",
    "DATASET_NAME",
    "DESTINATION_INSTANCE_ID",
    "DESTINATION_INSTANCE_NAME",
    "ORGANIZATION_NAME",
    "SANDBOX_NAME",
    "DATETIME",
    "EXPORT_TIME",
    "CUSTOM_TEXT",
]
MODES: tuple[ExportMode, ...] = get_args(ExportMode)
FREQUENCIES: tuple[Frequency, ...] = get_args(Frequency)
FILENAME_MACROS: tuple[FilenameMacro, ...] = get_args(FilenameMacro)
FOLDERNAME_MACROS: tuple[FoldernameMacro, ...] = get_args(FoldernameMacro)
#: How often files of each mode can be written.
SCHEDULES: Mapping[ExportMode, frozenset[Frequency]] = MappingProxyType(
    {
        "DAILY_FULL_EXPORT": frozenset({"ONCE", "DAILY", "WEEKLY", "MONTHLY"}),
        "FIRST_FULL_THEN_INCREMENTAL": frozenset(
            {"DAILY", "EVERY_HOUR", "EVERY_3_HOURS", "EVERY_6_HOURS", "EVERY_8_HOURS", "EVERY_12_HOURS"}
        ),
    }
)
_MACRO = re.compile("%([^%]*)%")
_OF_ONE_AUDIENCE = frozenset({"SEGMENT_ID", "SEGMENT_NAME"})
_OF_A_MERGE_POLICY = frozenset({"MERGE_POLICY_ID", "MERGE_POLICY_NAME"})


class FilenameConfig(Block):
    """What a file's name is made of: a fixed beginning, and what the operator appends."""

    allowed_filename_append_options: tuple[FilenameMacro, ...] = Field(
        description="What operators may append, whatever the order here."
    )
    default_filename_append_options: tuple[FilenameMacro, ...] = Field(
        description="What is appended unless the operator takes it away."
    )
    default_filename: str = Field("", description="The fixed beginning: text with parts such as `%SEGMENT_ID%`.")

    @property
    def fixed_macros(self) -> list[str]:
        """The parts of the fixed beginning, known ones and others."""
        return _MACRO.findall(self.default_filename)

    @property
    def macros(self) -> list[str]:
        """Every part that a name may have."""
        return [*self.fixed_macros, *self.allowed_filename_append_options, *self.default_filename_append_options]

    @rule
    def _what_is_preset_is_allowed(self) -> Iterator[Problem]:
        where, allowed = "FilenameAppendOptions", self.allowed_filename_append_options
        yield from not_offered(self.default_filename_append_options, allowed, f"default{where}", f"allowed{where}")

    @rule
    def _parts_of_the_beginning_are_known(self) -> Iterator[Problem]:
        for macro in self.fixed_macros:
            if macro == "CUSTOM_TEXT":
                message = "`%CUSTOM_TEXT%` is the operator's and cannot be fixed; allow it as an append option"
                yield Problem("custom-text-fixed", "/defaultFilename", message)
            elif macro not in FILENAME_MACROS:
                message = f"`%{macro}%` is no part of a name; these are: {', '.join(FILENAME_MACROS)}"
                yield Problem("unknown-macro", "/defaultFilename", message)

    @rule
    def _one_way_to_write_the_time(self) -> Iterator[Problem]:
        if {"DATETIME", "TIMESTAMP"} <= set(self.macros):
            message = "`DATETIME` and `TIMESTAMP` exclude each other, in all three fields; keep one of them"
            yield Problem("two-times", "", message)

    @rule
    def _no_part_is_there_twice(self) -> Iterator[Problem]:
        for place, macro in enumerate(self.allowed_filename_append_options):
            if macro in (*self.fixed_macros, *self.allowed_filename_append_options[:place]):
                message = f"`{macro}` is there already and would be in the name twice; leave it out"
                yield Problem("macro-twice", f"/allowedFilenameAppendOptions/{place}", message)


class DatasetBatchConfig(Block):
    """When and where datasets are written, for destinations that take them."""

    allowed_foldername_append_options: tuple[FoldernameMacro, ...] = Field(
        (), description="What operators may put into the name of the folder."
    )
    default_foldername_append_options: tuple[FoldernameMacro, ...] = Field(
        (), description="What the name of the folder is made of unless the operator changes it."
    )
    allowed_export_modes: tuple[ExportMode, ...] = Field((), description="The modes to choose from; empty means all.")
    allowed_schedule_frequency: tuple[Frequency, ...] = Field(
        (), description="The frequencies to choose from; empty means all."
    )

    @rule
    def _what_is_preset_is_allowed(self) -> Iterator[Problem]:
        where, allowed = "FoldernameAppendOptions", self.allowed_foldername_append_options
        yield from not_offered(self.default_foldername_append_options, allowed, f"default{where}", f"allowed{where}")

    @rule
    def _some_schedule_is_possible(self) -> Iterator[Problem]:
        yield from no_schedule(self.allowed_export_modes, self.allowed_schedule_frequency)

    @rule
    def _hourly_is_not_promised(self) -> Iterator[Problem]:
        yield from hourly(self.allowed_schedule_frequency)

    @rule
    def _datasets_are_written_daily_or_more_often(self) -> Iterator[Problem]:
        for place, frequency in enumerate(self.allowed_schedule_frequency):
            if frequency in ("WEEKLY", "MONTHLY"):
                message = f"`{frequency}` is for people and prospects; datasets are written `DAILY` or more often"
                yield Problem("too-seldom", f"/allowedScheduleFrequency/{place}", message)


class BatchConfig(Block):
    """When files are written and what they are called, as operators meet it in the schedule step."""

    old_names: ClassVar[Mapping[str, str]] = {
        "allowedExportMode": "allowedExportModes",
        "allowDedupKeyFieldSelection": "allowDedupeKeyFieldSelection",
        "allowJoinKeyFieldSelection": "allowDedupeKeyFieldSelection",
    }

    allow_mandatory_field_selection: Flag = Field(False, description="Operators can mark attributes as mandatory.")
    allow_dedupe_key_field_selection: Flag = Field(False, description="Operators can choose deduplication keys.")
    default_export_mode: ExportMode = Field("DAILY_FULL_EXPORT", description="The mode that is chosen already.")
    allowed_export_modes: tuple[ExportMode, ...] = Field((), description="The modes to choose from; empty means all.")
    allowed_schedule_frequency: tuple[Frequency, ...] = Field(
        (), description="The frequencies to choose from; empty means all."
    )
    default_frequency: Frequency = Field("DAILY", description="The frequency that is chosen already.")
    default_start_time: str = Field(
        "00:00",
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
        description="`HH:MM` in UTC, the start that is set already.",
    )
    filename_config: FilenameConfig = Field(description="What files are called.")
    segment_grouping_enabled: Flag = Field(
        False, description="`true`: one file for each merge policy. `false`: one for each audience."
    )
    dataset_batch_config: DatasetBatchConfig | None = Field(
        None, description="The same for datasets, where `sources` is `DATASETS`."
    )
    auto_select_join_key_on_partner_schema_selection: Flag = Field(False, description="Kept and returned.")
    join_key_title: str | None = Field(None, description="The title of the column of deduplication keys.")
    backfill_historical_profile_data: Literal[True] = Field(
        True, description="An older place of the destination's field of this name; always true."
    )

    @rule
    def _what_is_preset_is_offered(self) -> Iterator[Problem]:
        for name, allowed, wire, list_ in (
            ("default_export_mode", self.allowed_export_modes, "defaultExportMode", "allowedExportModes"),
            ("default_frequency", self.allowed_schedule_frequency, "defaultFrequency", "allowedScheduleFrequency"),
        ):
            preset = getattr(self, name)
            if name in self.model_fields_set and allowed and preset not in allowed:
                yield Problem("not-offered", f"/{wire}", f"`{preset}` is not among `{list_}`; add it there")

    @rule
    def _some_schedule_is_possible(self) -> Iterator[Problem]:
        yield from no_schedule(self.allowed_export_modes, self.allowed_schedule_frequency)

    @rule
    def _hourly_is_not_promised(self) -> Iterator[Problem]:
        yield from hourly(self.allowed_schedule_frequency)
        if self.default_frequency == "EVERY_HOUR" and not self.allowed_schedule_frequency:
            yield _hourly("/defaultFrequency")

    @rule
    def _a_file_has_a_name(self) -> Iterator[Problem]:
        names = self.filename_config
        if self.dataset_batch_config is None and not (names.default_filename or names.allowed_filename_append_options):
            message = "files would have no name: give a `defaultFilename`, or allow at least one append option"
            yield Problem("no-filename", "/filenameConfig/allowedFilenameAppendOptions", message)

    @rule
    def _the_name_fits_what_is_grouped(self) -> Iterator[Problem]:
        unfit = _OF_ONE_AUDIENCE if self.segment_grouping_enabled else _OF_A_MERGE_POLICY
        used = [macro for macro in FILENAME_MACROS if macro in unfit and macro in self.filename_config.macros]
        for macro in used:
            yield Problem("unfit-macro", "/filenameConfig", _UNFIT[self.segment_grouping_enabled].format(macro))


_UNFIT = {
    True: "with `segmentGroupingEnabled` a file holds several audiences, and `{}` has no single value; leave it out",
    False: "`{}` is for files of a whole merge policy; leave it out, or set `segmentGroupingEnabled`",
}


def not_offered(preset: tuple[str, ...], allowed: tuple[str, ...], name: str, list_: str) -> Iterator[Problem]:
    """Say what is preset and not among what is allowed."""
    for place, macro in enumerate(preset):
        if macro not in allowed:
            yield Problem("not-offered", f"/{name}/{place}", f"`{macro}` is not among `{list_}`; add it there")


def no_schedule(modes: tuple[ExportMode, ...], frequencies: tuple[Frequency, ...]) -> Iterator[Problem]:
    """Say that no frequency goes with any mode."""
    possible: set[Frequency] = set().union(*(SCHEDULES[mode] for mode in modes or MODES))
    if frequencies and possible.isdisjoint(frequencies):
        message = f"no frequency goes with {_and(modes)}; allow one of: {_and(f for f in FREQUENCIES if f in possible)}"
        yield Problem("no-schedule", "/allowedScheduleFrequency", message)


def hourly(frequencies: tuple[Frequency, ...]) -> Iterator[Problem]:
    """Warn of a frequency that the original's own table does not have."""
    if "EVERY_HOUR" in frequencies:
        yield _hourly(f"/allowedScheduleFrequency/{frequencies.index('EVERY_HOUR')}")


def _hourly(where: str) -> Problem:
    message = "`EVERY_HOUR` is taken here, but is in no table of the original; `EVERY_3_HOURS` is everywhere"
    return Problem("every-hour", where, message)


def _and(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
