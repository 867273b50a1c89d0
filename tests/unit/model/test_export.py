"""What operators say of files: what contradicts itself, and what a destination does not offer."""

import pytest

from authored import changed
from headrace.model.activation import Activation
from headrace.model.batch import BatchConfig
from headrace.model.export import (
    FileSettings,
    RowSettings,
    ScheduleParams,
    check_dataset,
    check_export,
    check_rows,
    template_in_force,
)
from headrace.model.flow import Flow, SegmentSelectorValue, TransformParams
from headrace.model.reading import examine, read
from schedules import A_BATCH, DATASET_BATCH, EVERY_BATCH

COVERED = ("schedule-clash", "same-name-possible", "may-not-be-chosen", "several-identities")
#: Right for a destination that offers everything.
DAILY = {
    "id": "seg-1",
    "filenameTemplate": "%DESTINATION%_%SEGMENT_ID%_%DATETIME(YYYYMMdd_HHmmss)%",
    "exportMode": "DAILY_FULL_EXPORT",
    "schedule": {
        "frequency": "DAILY",
        "triggerType": "SCHEDULED",
        "startDate": "2031-03-01",
        "endDate": "2031-04-01",
        "startTime": "02:00",
    },
}
NEWS = {"exportMode": "FIRST_FULL_THEN_INCREMENTAL"}


def found(block, document):
    return [(problem.code, problem.pointer) for problem in examine(block, document).problems]


def with_schedule(**said):
    return {"id": "seg-1", "schedule": said}


# -- one selector ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(DAILY, id="everything"),
        pytest.param(with_schedule(startDate="2026-03-01", endDate="2026-04-01"), id="the days of messages"),
        pytest.param({"id": "seg-1"}, id="messages without days"),
        pytest.param({"id": "seg-1", "schedule": None, "exportMode": None, "filenameTemplate": None}, id="nulls"),
        pytest.param(with_schedule(frequency="ONCE", startDate="2026-03-01", startTime="23:59"), id="once"),
        pytest.param({**with_schedule(frequency="EVERY_6_HOURS"), **NEWS}, id="what is new, every six hours"),
        pytest.param({**with_schedule(frequency="DAILY"), **NEWS}, id="what is new, every day"),
        pytest.param(with_schedule(frequency="DAILY", triggerType="AFTER_SEGMENT_EVAL"), id="after evaluations"),
    ],
)
def test_what_is_right_has_no_problem(document):
    assert found(SegmentSelectorValue, document) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"/schedule/endDate": "2031-03-01"}, [("ends-too-early", "/schedule/endDate")]),
        ({"/schedule/endDate": "1 April"}, [("not-a-date", "/schedule/endDate")]),
        ({"/schedule/startDate": 20310301}, [("not-a-date", "/schedule/startDate")]),
        ({"/schedule/startTime": "24:00"}, [("invalid", "/schedule/startTime")]),
        ({"/schedule/startTime": "2:00"}, [("invalid", "/schedule/startTime")]),
        ({"/schedule/frequency": "YEARLY"}, [("not-allowed", "/schedule/frequency")]),
        ({"/schedule/triggerType": "NEVER"}, [("not-allowed", "/schedule/triggerType")]),
        ({"/schedule/zone": "CET"}, [("unknown-field", "/schedule/zone")]),
        ({"/exportMode": "SOMETIMES"}, [("not-allowed", "/exportMode")]),
        ({"/schedule/frequency": "ONCE"}, [("schedule-clash", "/schedule/endDate")]),
        ({"/schedule/frequency": "EVERY_3_HOURS"}, [("schedule-clash", "/schedule/frequency")]),
        (
            {"/exportMode": "FIRST_FULL_THEN_INCREMENTAL", "/schedule/frequency": "WEEKLY"},
            [("schedule-clash", "/schedule/frequency")],
        ),
        ({"/schedule/triggerType": "AFTER_SEGMENT_EVAL"}, [("schedule-clash", "/schedule/startTime")]),
        (
            {"/schedule/triggerType": "AFTER_SEGMENT_EVAL", "/schedule/startTime": None, "/exportMode": "?"},
            [("not-allowed", "/exportMode")],
        ),
        (
            {
                "/schedule/triggerType": "AFTER_SEGMENT_EVAL",
                "/schedule/startTime": None,
                "/schedule/frequency": "MONTHLY",
            },
            [("schedule-clash", "/schedule/triggerType")],
        ),
        (
            {
                "/schedule/triggerType": "AFTER_SEGMENT_EVAL",
                "/schedule/startTime": None,
                "/exportMode": "FIRST_FULL_THEN_INCREMENTAL",
            },
            [("schedule-clash", "/schedule/triggerType")],
        ),
        ({"/filenameTemplate": "%DATETIME%_%TIMESTAMP%"}, [("two-times", "/filenameTemplate")]),
        ({"/filenameTemplate": "%SEGMENT%"}, [("unknown-macro", "/filenameTemplate")]),
    ],
)
def test_what_contradicts_itself_is_said(changes, expected):
    assert found(SegmentSelectorValue, changed(DAILY, changes)) == expected


def test_the_other_spelling_of_the_name_is_read():
    selector = examine(SegmentSelectorValue, {"id": "seg-1", "fileNameTemplate": "%SEGMENT_ID%"})

    assert selector.block.filename_template == "%SEGMENT_ID%"
    assert [problem.code for problem in selector.problems] == ["old-name"]


def test_a_selector_that_was_kept_before_is_written_as_far_as_it_is_read():
    """Who is told to have left is told by the selector as it was: see `at_partner`."""
    kept = examine(SegmentSelectorValue, {"id": "a", "schedule": {"frequency": "?", "startDate": "2031-03-01"}}).block

    written = kept.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert written == {"id": "a", "namespace": "ups", "schedule": {"startDate": "2031-03-01"}}


def test_an_activation_says_the_same_of_its_audiences():
    audience = {name: value for name, value in DAILY.items() if name != "id"}
    activation = {"name": "a", "destination": "d", "audiences": [{"id": "seg-1", **audience}]}

    (wanted,) = read(Activation, activation)[0].audiences
    assert wanted.settings == audience
    wrong = changed(activation, {"/audiences/0/schedule/endDate": "2031-03-01"})
    assert found(Activation, wrong) == [("ends-too-early", "/audiences/0/schedule/endDate")]


# -- a destination ----------------------------------------------------------------------------------------------------


def batch(document=EVERY_BATCH, **changes):
    return read(BatchConfig, changed(document, {f"/{name}": value for name, value in changes.items()}))[0]


def checked(changes, destination=None, *, files=True, **more):
    settings = read(SegmentSelectorValue, changed(DAILY, changes))[0]
    problems = check_export(settings, destination or batch(), files, **more)
    return [(problem.code, problem.pointer, problem.is_error) for problem in problems]


def test_a_selector_that_takes_what_is_offered_has_no_problem():
    assert checked({}) == []
    assert checked({"/filenameTemplate": None}) == []


@pytest.mark.parametrize(
    "name", ["exportMode", "schedule/frequency", "schedule/startDate", "schedule/startTime"], ids=str
)
def test_files_need_mode_frequency_and_start(name):
    assert ("missing-field", f"/{name}", True) in checked({f"/{name}": None})


def test_after_an_evaluation_no_time_is_needed():
    assert checked({"/schedule/triggerType": "AFTER_SEGMENT_EVAL", "/schedule/startTime": None}) == []


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"/exportMode": "FIRST_FULL_THEN_INCREMENTAL"}, "/exportMode"),
        ({"/schedule/frequency": "WEEKLY"}, "/schedule/frequency"),
        ({"/filenameTemplate": "%DESTINATION%_%SEGMENT_ID%_%SANDBOX_NAME%"}, "/filenameTemplate"),
    ],
)
def test_what_the_destination_does_not_offer_is_said(changes, place):
    few = batch(allowedExportModes=["DAILY_FULL_EXPORT"], allowedScheduleFrequency=["DAILY", "ONCE"])

    assert checked(changes, few) == [("not-offered", place, True)]


def test_a_name_begins_as_its_author_fixed_it():
    assert checked({"/filenameTemplate": "%SEGMENT_ID%"}) == [("beginning-missing", "/filenameTemplate", True)]


def test_it_is_said_before_the_run_where_two_audiences_may_come_to_one_name():
    loose = batch(A_BATCH, **{"filenameConfig/allowedFilenameAppendOptions": ["SEGMENT_NAME", "DATETIME"]})
    named = {"/filenameTemplate": "%SEGMENT_NAME%"}

    assert checked(named, loose) == [("same-name-possible", "/filenameTemplate", False)]
    assert checked(named, loose, has_folder_of_its_own=True) == []


def test_the_name_of_a_file_fits_what_is_in_it():
    grouped = batch(
        A_BATCH,
        segmentGroupingEnabled=True,
        filenameConfig={"allowedFilenameAppendOptions": ["MERGE_POLICY_ID"], "defaultFilenameAppendOptions": []},
    )

    assert ("unfit-macro", "/filenameTemplate", False) in checked({}, grouped)
    assert checked({"/filenameTemplate": "%MERGE_POLICY_ID%"}, grouped) == []
    assert template_in_force(FileSettings(), grouped).startswith("%DESTINATION%_%MERGE_POLICY_ID%")


def test_prospects_are_written_whole_and_accounts_daily():
    hourly = {"/exportMode": "FIRST_FULL_THEN_INCREMENTAL", "/schedule/frequency": "EVERY_3_HOURS"}

    assert checked(hourly, sources=["UNIFIED_PROFILE_PROSPECTS"]) == [("schedule-clash", "/exportMode", True)]
    assert checked(hourly, sources=["ACCOUNTS"]) == [("schedule-clash", "/schedule/frequency", True)]
    weekly = {"/schedule/frequency": "WEEKLY"}
    assert checked(weekly, sources=["ACCOUNTS"]) == [("schedule-clash", "/schedule/frequency", True)]
    assert checked(weekly, sources=["UNIFIED_PROFILE_PROSPECTS"]) == []


def test_with_messages_what_files_alone_have_is_warned_of():
    said = checked({}, files=False, where="/x")

    assert {code for code, _, is_error in said if not is_error} == {"files-only"}
    assert ("files-only", "/x/schedule/startTime", False) in said
    assert len(said) == 5
    days = read(SegmentSelectorValue, with_schedule(startDate="2026-03-01", endDate="2026-04-01"))[0]
    assert [*check_export(days, None, is_file_based=False)] == []


# -- rows -------------------------------------------------------------------------------------------------------------

ATTRIBUTE = {"fieldType": "ATTRIBUTE", "attributePath": "personalEmail.address"}
IDENTITY = {"fieldType": "IDENTITY", "identityNamespace": "Email"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], []),
        ([ATTRIBUTE], []),
        ([ATTRIBUTE, {**ATTRIBUTE, "attributePath": "person.name.lastName"}], []),
        ([IDENTITY], []),
        ([ATTRIBUTE] * 3, [("wrong-key", "/primaryFields/2")]),
        ([IDENTITY, IDENTITY], [("wrong-key", "/primaryFields/1")]),
        ([ATTRIBUTE, IDENTITY], [("wrong-key", "/primaryFields/1")]),
        ([{"fieldType": "ATTRIBUTE"}], [("one-of-two", "/primaryFields/0/attributePath")]),
        ([{**IDENTITY, "attributePath": "a"}], [("one-of-two", "/primaryFields/0/identityNamespace")]),
        ([{"attributePath": "a"}], [("missing-field", "/primaryFields/0/fieldType")]),
    ],
)
def test_a_key_is_one_identity_or_one_or_two_attributes(fields, expected):
    assert found(RowSettings, {"primaryFields": fields}) == expected


def test_rows_are_chosen_in_either_place_and_not_in_both():
    older = {"profileSelectors": {"selectors": [], "mandatoryFields": ["a.b"], "primaryFields": [IDENTITY]}}

    rows = read(TransformParams, older)[0].rows
    assert rows.mandatory_fields == ("a.b",)
    assert [part.identity_namespace for part in rows.primary_fields] == ["Email"]
    assert found(TransformParams, {**older, "mandatoryFields": ["a.b"], "primaryFields": []}) == []
    assert found(TransformParams, {**older, "mandatoryFields": ["c"]}) == [
        ("two-homes", "/profileSelectors/mandatoryFields")
    ]


def chosen(rows, identities=0, destination=None, *, files=True):
    problems = check_rows(read(RowSettings, rows)[0], identities, destination or batch(), files)
    return [(problem.code, problem.pointer, problem.is_error) for problem in problems]


def test_rows_are_chosen_where_the_destination_leaves_that_to_operators():
    both = {"mandatoryFields": ["a"], "primaryFields": [ATTRIBUTE]}
    strict = batch(allowMandatoryFieldSelection=False, allowDedupeKeyFieldSelection=False)

    assert chosen(both) == []
    assert chosen({"mandatoryFields": [], "primaryFields": None}, destination=strict) == []
    assert chosen(both, destination=strict) == [
        ("may-not-be-chosen", "/mandatoryFields", True),
        ("may-not-be-chosen", "/primaryFields", True),
    ]
    assert {code for code, _, _ in chosen(both, files=False)} == {"files-only"}


def test_one_identity_is_mapped_and_is_the_key():
    assert chosen({}, identities=1) == []
    assert chosen({}, identities=2) == [("several-identities", "/profileSelectors/selectors", True)]
    assert chosen({"primaryFields": [IDENTITY]}, identities=1) == []
    assert chosen({"primaryFields": [ATTRIBUTE]}, identities=1) == [("wrong-key", "/primaryFields", True)]


# -- datasets ---------------------------------------------------------------------------------------------------------

HOURLY = {"startTime": 1930197852, "interval": 6, "timeUnit": "hour", "exportMode": "FIRST_FULL_THEN_INCREMENTAL"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"/interval": "12"}, []),
        ({"/interval": 9}, []),
        ({"/exportMode": None}, []),
        ({"/interval": 0, "/timeUnit": "day", "/exportMode": "DAILY_FULL_EXPORT"}, []),
        ({"/interval": 0, "/timeUnit": "day", "/exportMode": None}, []),
        ({"/interval": 1, "/timeUnit": "day"}, []),
        ({"/interval": 1, "/timeUnit": "day", "/exportMode": "DAILY_FULL_EXPORT"}, [("schedule-clash", "/interval")]),
        ({"/interval": 24}, [("schedule-clash", "/interval")]),
        ({"/interval": 0, "/timeUnit": "day"}, [("schedule-clash", "/interval")]),
        ({"/timeUnit": "week"}, [("not-allowed", "/timeUnit")]),
        ({"/endTime": 1930197852}, [("ends-too-early", "/endTime")]),
        ({"/foldernameTemplate": "%DATETIME%/%EXPORT_TIME%"}, [("two-times", "/foldernameTemplate")]),
        ({"/folderNameTemplate": "%DATASET_ID%"}, [("old-name", "/folderNameTemplate")]),
    ],
)
def test_datasets_are_written_at_intervals_that_go_with_the_mode(changes, expected):
    assert found(ScheduleParams, changed(HOURLY, changes)) == expected


def of_dataset(document, **changes):
    config = batch(DATASET_BATCH, **changes).dataset_batch_config
    params = read(ScheduleParams, document)[0] if document is not None else None
    return [(problem.code, problem.pointer) for problem in check_dataset(params, config)]


def test_datasets_are_written_as_the_destination_offers():
    assert of_dataset(HOURLY) == []
    assert of_dataset({**HOURLY, "interval": 12}) == [("not-offered", "/scheduleParams/interval")]
    folder = {**HOURLY, "foldernameTemplate": "%SANDBOX_NAME%"}
    assert of_dataset(folder) == [("not-offered", "/scheduleParams/foldernameTemplate")]
    modes = {"datasetBatchConfig/allowedExportModes": ["DAILY_FULL_EXPORT"]}
    modes["datasetBatchConfig/allowedScheduleFrequency"] = []
    assert of_dataset(HOURLY, **modes) == [("not-offered", "/scheduleParams/exportMode")]


def test_exports_of_datasets_need_a_start_and_an_interval():
    missing = [("missing-field", f"/scheduleParams/{name}") for name in ("startTime", "interval", "timeUnit")]

    assert of_dataset({}) == missing
    assert of_dataset(None) == missing


def test_a_dataflow_without_a_schedule_is_as_it_was():
    document = {"name": "f", "sourceConnectionIds": ["s"], "targetConnectionIds": ["t"], "scheduleParams": {}}

    assert found(Flow, document) == []
