"""Servers, files and schedules: what their blocks refuse, one case for each rule, and what is right beside it."""

import pytest

from authored import ABSENT, changed, template, text
from documents import ADDRESSES, a_server, every_server
from headrace.model.batch import BatchConfig
from headrace.model.destination_server import SPECIFICATION, DestinationServer
from headrace.model.reading import examine
from schedules import A_BATCH, DATASET_BATCH, EVERY_BATCH

COVERED = (
    "custom-text-fixed",
    "every-hour",
    "has-no-effect",
    "marks-alike",
    "macro-twice",
    "missing-use-case",
    "named-twice",
    "no-filename",
    "no-schedule",
    "not-a-url",
    "not-for-this-type",
    "not-offered",
    "not-rendered",
    "old-place",
    "too-seldom",
    "two-names",
    "two-times",
    "unfit-macro",
    "unknown-macro",
)


def found(block, document):
    return [(problem.code, problem.pointer, problem.severity) for problem in examine(block, document).problems]


def messages(block, document):
    return [problem.message for problem in examine(block, document).problems]


# -- servers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_server_of_each_type_can_be_small_and_can_say_everything(kind):
    assert found(DestinationServer, a_server(kind)) == []
    assert found(DestinationServer, every_server(kind)) == []


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("other", ADDRESSES)
def test_a_server_has_the_address_of_its_type_and_no_other(kind, other):
    document = {**a_server(kind), **ADDRESSES[other]}
    (block,) = ADDRESSES[other]

    expected = [] if kind == other else [("not-for-this-type", f"/{block}", "error")]
    assert found(DestinationServer, document) == expected


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_server_without_its_address_is_told_which(kind):
    (block,) = ADDRESSES[kind]

    assert found(DestinationServer, changed(a_server(kind), {f"/{block}": ABSENT})) == [
        ("missing-field", f"/{block}", "error")
    ]


NEEDED = [
    (kind, block, field) for kind, held in ADDRESSES.items() for block, fields in held.items() for field in fields
]


@pytest.mark.parametrize(("kind", "block", "field"), NEEDED)
def test_what_an_address_needs_is_missed(kind, block, field):
    code = "missing-use-case" if field == "useCase" else "missing-field"

    assert found(DestinationServer, changed(a_server(kind), {f"/{block}/{field}": ABSENT})) == [
        (code, f"/{block}/{field}", "error")
    ]


def test_every_type_has_an_address():
    assert set(SPECIFICATION) == set(ADDRESSES)


S3, SFTP, DLZ = "/fileBasedS3Destination", "/fileBasedSFTPDestination", "/fileBasedDlzDestination"
URL = "/urlBasedDestination/url"
FORMAT, CSV = "/fileConfigurations", "/fileConfigurations/csvOptions"

#: The rule; the type; what is changed; what is found. A row without a finding is right.
SERVER_CASES = [
    ("a value has a strategy", "FILE_BASED_S3", {f"{S3}/bucket": {"value": "b"}},
     [("missing-field", f"{S3}/bucket/templatingStrategy", "error")]),
    ("a value has a value", "FILE_BASED_S3", {f"{S3}/bucket": {"templatingStrategy": "NONE"}},
     [("missing-field", f"{S3}/bucket/value", "error")]),
    ("there are two strategies", "FILE_BASED_S3", {f"{S3}/bucket/templatingStrategy": "pebble_v1"},
     [("not-allowed", f"{S3}/bucket/templatingStrategy", "error")]),
    ("a value is no bare text", "FILE_BASED_S3", {f"{S3}/bucket": "b"}, [("invalid", f"{S3}/bucket", "error")]),
    ("what is fixed is no template", "FILE_BASED_S3", {f"{S3}/path": text("in/{{ customerData.path }}")},
     [("not-rendered", f"{S3}/path/value", "warning")]),
    ("what is fixed has no tag", "FILE_BASED_S3", {f"{S3}/path": text("{% if a %}b{% endif %}")},
     [("not-rendered", f"{S3}/path/value", "warning")]),
    ("a fixed text may have braces", "FILE_BASED_S3", {f"{S3}/path": text("{in}/%SEGMENT_ID%")}, []),
    ("a URL is absolute", "URL_BASED", {URL: text("harbor.example/in")}, [("not-a-url", f"{URL}/value", "error")]),
    ("a URL is of http", "URL_BASED", {URL: text("ftp://harbor.example/")}, [("not-a-url", f"{URL}/value", "error")]),
    ("a URL may be a template", "URL_BASED", {URL: template("{{ customerData.url }}")}, []),
    ("a method is one of seven", "URL_BASED", {"/httpTemplate/httpMethod": "post"},
     [("not-allowed", "/httpTemplate/httpMethod", "error")]),
    ("a method may be OPTIONS", "URL_BASED", {"/httpTemplate/httpMethod": "OPTIONS"}, []),
    ("a type is one of seven", "URL_BASED", {"/destinationServerType": "FILE_BASED_FTP"},
     [("not-allowed", "/destinationServerType", "error")]),
    ("files are not sent by HTTP", "FILE_BASED_S3", {"/httpTemplate": {"httpMethod": "PUT"}},
     [("not-for-this-type", "/httpTemplate", "error")]),
    ("files are not answered", "FILE_BASED_S3", {"/responseFields": [{"name": "a", **template("{{ response.body }}")}]},
     [("not-for-this-type", "/responseFields", "error")]),
    ("messages are no files", "URL_BASED", {"/fileConfigurations": {}},
     [("not-for-this-type", "/fileConfigurations", "error")]),
    ("answers are read", "URL_BASED", {"/responseFields": [{"name": "list", **template("{{ response.body }}")}]}, []),
    ("what is read has a name", "URL_BASED", {"/responseFields": [template("{{ response.body }}")]},
     [("missing-field", "/responseFields/0/name", "error")]),
    ("names of what is read differ", "URL_BASED",
     {"/responseFields": [{"name": "a", **text("1")}, {"name": "b", **text("1")}, {"name": "a", **text("2")}]},
     [("named-twice", "/responseFields/2/name", "error")]),
    ("a bucket's old name", "FILE_BASED_S3", {f"{S3}/bucket": ABSENT, f"{S3}/bucketName": text("harbor")},
     [("old-name", f"{S3}/bucketName", "warning")]),
    ("a bucket has one name", "FILE_BASED_S3", {f"{S3}/bucketName": text("other")},
     [("old-name", f"{S3}/bucketName", "warning"), ("two-names", f"{S3}/bucketName", "error")]),
    ("a bucket's two names may agree", "FILE_BASED_S3", {f"{S3}/bucketName": text("harbor")},
     [("old-name", f"{S3}/bucketName", "warning")]),
    ("a host's old name", "FILE_BASED_SFTP", {f"{SFTP}/hostName": ABSENT, f"{SFTP}/hostname": text("a.example")},
     [("old-name", f"{SFTP}/hostname", "warning")]),
    ("the old spelling of SFTP", "FILE_BASED_SFTP",
     {SFTP: ABSENT, "/fileBasedSftpDestination": ADDRESSES["FILE_BASED_SFTP"]["fileBasedSFTPDestination"]},
     [("old-name", "/fileBasedSftpDestination", "warning")]),
    ("a port is at least 1", "FILE_BASED_SFTP", {f"{SFTP}/port": 0}, [("invalid", f"{SFTP}/port", "error")]),
    ("a port is at most 65535", "FILE_BASED_SFTP", {f"{SFTP}/port": 65536}, [("invalid", f"{SFTP}/port", "error")]),
    ("a port may be 65535", "FILE_BASED_SFTP", {f"{SFTP}/port": 65535}, []),
    ("a port is a number", "FILE_BASED_SFTP", {f"{SFTP}/port": "22"}, [("invalid", f"{SFTP}/port", "error")]),
    ("encryption is PGP or None", "FILE_BASED_SFTP", {f"{SFTP}/encryptionMode": "none"},
     [("not-allowed", f"{SFTP}/encryptionMode", "error")]),
    ("encryption may be None", "FILE_BASED_SFTP", {f"{SFTP}/encryptionMode": "None"}, []),
    ("the use case is one", "FILE_BASED_DLZ", {f"{DLZ}/useCase": "exports"},
     [("not-allowed", f"{DLZ}/useCase", "error")]),
    ("the format's older place", "FILE_BASED_DLZ", {f"{DLZ}/fileConfigurations": {"fileType": text("json")}},
     [("old-place", f"{DLZ}/fileConfigurations", "warning")]),
    ("the format has one place", "FILE_BASED_DLZ", {f"{DLZ}/fileConfigurations": {}, "/fileConfigurations": {}},
     [("two-names", f"{DLZ}/fileConfigurations", "error"), ("old-place", f"{DLZ}/fileConfigurations", "warning")]),
    ("a file type is one of three", "FILE_BASED_S3", {f"{FORMAT}/fileType": text("xml")},
     [("not-allowed", f"{FORMAT}/fileType/value", "error")]),
    ("a file type's case does not count", "FILE_BASED_S3", {f"{FORMAT}/fileType": text("Parquet")}, []),
    ("a file type may be asked for", "FILE_BASED_S3", {f"{FORMAT}/fileType": template("xml")}, []),
    ("a compression is one of seven", "FILE_BASED_S3", {f"{FORMAT}/compression": text("zip")},
     [("not-allowed", f"{FORMAT}/compression/value", "error")]),
    ("Parquet has no bzip2", "FILE_BASED_S3",
     {f"{FORMAT}/fileType": text("PARQUET"), f"{FORMAT}/compression": text("BZIP2")},
     [("not-allowed", f"{FORMAT}/compression/value", "error")]),
    ("lines have every compression", "FILE_BASED_S3",
     {f"{FORMAT}/fileType": text("json"), f"{FORMAT}/compression": text("bzip2")}, []),
    ("a switch of JSON is on or off", "FILE_BASED_S3",
     {f"{FORMAT}/x-headrace": {"jsonOptions": {"ignoreNullFields": text("0")}}},
     [("not-allowed", f"{FORMAT}/x-headrace/jsonOptions/ignoreNullFields/value", "error")]),
    ("a compression's case does not count", "FILE_BASED_S3", {f"{FORMAT}/compression": text("DEFLATE")}, []),
    ("rows are at least a million", "FILE_BASED_S3", {f"{FORMAT}/maxFileRowCount": 999_999},
     [("invalid", f"{FORMAT}/maxFileRowCount", "error")]),
    ("rows may be a million", "FILE_BASED_S3", {f"{FORMAT}/maxFileRowCount": 1_000_000}, []),
    ("rows are at most ten million", "FILE_BASED_S3", {f"{FORMAT}/maxFileRowCount": 10_000_001},
     [("invalid", f"{FORMAT}/maxFileRowCount", "error")]),
    ("rows may be ten million", "FILE_BASED_S3", {f"{FORMAT}/maxFileRowCount": 10_000_000}, []),
    ("a manifest is written or not", "FILE_BASED_S3", {f"{FORMAT}/includeFileManifest": text("yes")},
     [("not-allowed", f"{FORMAT}/includeFileManifest/value", "error")]),
    ("a manifest is told in text", "FILE_BASED_S3", {f"{FORMAT}/includeFileManifest": True},
     [("invalid", f"{FORMAT}/includeFileManifest", "error")]),
    ("options are known", "FILE_BASED_S3", {f"{CSV}/multiLine": text("true")},
     [("unknown-field", f"{CSV}/multiLine", "error")]),
    ("a quote is one character", "FILE_BASED_S3", {f"{CSV}/quote": text("''")},
     [("invalid", f"{CSV}/quote/value", "error")]),
    ("a quote may be none", "FILE_BASED_S3", {f"{CSV}/quote": text("")}, []),
    ("a quote may be written as U+0000", "FILE_BASED_S3", {f"{CSV}/quote": text("\\u0000")}, []),
    ("an escape is one character", "FILE_BASED_S3", {f"{CSV}/escape": text("ab")},
     [("invalid", f"{CSV}/escape/value", "error")]),
    ("so is what escapes it", "FILE_BASED_S3", {f"{CSV}/charToEscapeQuoteEscaping": text("ab")},
     [("invalid", f"{CSV}/charToEscapeQuoteEscaping/value", "error")]),
    ("a line ends with one character", "FILE_BASED_S3", {f"{CSV}/lineSep": text("\r\n")},
     [("invalid", f"{CSV}/lineSep/value", "error")]),
    ("a separator is not empty", "FILE_BASED_S3", {f"{CSV}/sep": text("")},
     [("invalid", f"{CSV}/sep/value", "error")]),
    ("a separator may be long", "FILE_BASED_S3", {f"{CSV}/delimiter": text("||")}, []),
    ("a separator has one name", "FILE_BASED_S3", {f"{CSV}/sep": text("|"), f"{CSV}/delimiter": text(";")},
     [("has-no-effect", f"{CSV}/delimiter", "warning")]),
    ("a separator's names may agree", "FILE_BASED_S3", {f"{CSV}/sep": text("|"), f"{CSV}/delimiter": text("|")}, []),
    ("a switch is on or off", "FILE_BASED_S3", {f"{CSV}/quoteAll": text("True")},
     [("not-allowed", f"{CSV}/quoteAll/value", "error")]),
    ("a switch is told in text", "FILE_BASED_S3", {f"{CSV}/header": False}, [("invalid", f"{CSV}/header", "error")]),
    ("an encoding is one of two", "FILE_BASED_S3", {f"{CSV}/encoding": text("latin-1")},
     [("not-allowed", f"{CSV}/encoding/value", "error")]),
    ("an encoding's case does not count", "FILE_BASED_S3", {f"{CSV}/encoding": text("utf-8")}, []),
    ("a pattern has known letters", "FILE_BASED_S3", {f"{CSV}/dateFormat": text("YYYY-MM-dd")},
     [("invalid", f"{CSV}/dateFormat/value", "error")]),
    ("a pattern has an end", "FILE_BASED_S3", {f"{CSV}/dateFormat": text("yyyy 'week")},
     [("invalid", f"{CSV}/dateFormat/value", "error")]),
    ("a bracket is opened before it is closed", "FILE_BASED_S3", {f"{CSV}/timestampFormat": text("yyyy]")},
     [("invalid", f"{CSV}/timestampFormat/value", "error")]),
    ("a letter stands as often as it has a meaning", "FILE_BASED_S3", {f"{CSV}/timestampFormat": text("HHH")},
     [("invalid", f"{CSV}/timestampFormat/value", "error")]),
    ("a backslash begins a character", "FILE_BASED_S3", {f"{CSV}/sep": text("\\")},
     [("invalid", f"{CSV}/sep/value", "error")]),
    ("an emoji is two characters", "FILE_BASED_S3", {f"{CSV}/quote": text("😀")},
     [("invalid", f"{CSV}/quote/value", "error")]),
    ("separator and quote are two", "FILE_BASED_S3", {f"{CSV}/sep": text('a"'), f"{CSV}/quote": text('"')},
     [("marks-alike", f"{CSV}/quote/value", "warning")]),
    ("a pattern may have any text", "FILE_BASED_S3", {f"{CSV}/timestampFormat": text("yyyy 'week'")}, []),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "changes", "expected"), [pytest.param(*c[1:], id=c[0]) for c in SERVER_CASES])
def test_a_server_keeps_its_rules(kind, changes, expected):
    assert found(DestinationServer, a_server(kind, changes)) == expected


def test_the_message_about_a_wrong_value_lists_the_right_ones():
    document = a_server("FILE_BASED_S3", {f"{FORMAT}/compression": text("zip")})

    assert messages(DestinationServer, document) == [
        "'zip' is not allowed here; use none, gzip, bzip2, lz4, snappy, zstd or deflate"
    ]


# -- schedules and names ------------------------------------------------------------------------------------------

NAMES = "/filenameConfig"
ALLOWED, PRESET, FIXED = (
    f"{NAMES}/{name}" for name in ("allowedFilenameAppendOptions", "defaultFilenameAppendOptions", "defaultFilename")
)
MODE, FREQUENCY = "/allowedExportModes", "/allowedScheduleFrequency"
FOLDERS = "/datasetBatchConfig/defaultFoldernameAppendOptions"

BATCH_CASES = [
    ("names are configured", {NAMES: ABSENT}, [("missing-field", NAMES, "error")]),
    ("what may be appended is said", {ALLOWED: ABSENT}, [("missing-field", ALLOWED, "error")]),
    ("what is appended is said", {PRESET: ABSENT}, [("missing-field", PRESET, "error")]),
    ("modes are known", {MODE: ["FULL"]}, [("not-allowed", f"{MODE}/0", "error")]),
    ("the preset mode is known", {"/defaultExportMode": "daily_full_export"},
     [("not-allowed", "/defaultExportMode", "error")]),
    ("the preset mode is offered",
     {"/defaultExportMode": "FIRST_FULL_THEN_INCREMENTAL", MODE: ["DAILY_FULL_EXPORT"]},
     [("not-offered", "/defaultExportMode", "error")]),
    ("the preset mode may be left open", {MODE: ["FIRST_FULL_THEN_INCREMENTAL"]}, []),
    ("no list offers all", {"/defaultExportMode": "FIRST_FULL_THEN_INCREMENTAL", MODE: []}, []),
    ("modes under their old name", {"/allowedExportMode": ["DAILY_FULL_EXPORT"]},
     [("old-name", "/allowedExportMode", "warning")]),
    ("modes under two names", {"/allowedExportMode": ["DAILY_FULL_EXPORT"], MODE: ["FIRST_FULL_THEN_INCREMENTAL"]},
     [("old-name", "/allowedExportMode", "warning"), ("two-names", "/allowedExportMode", "error")]),
    ("keys under an old name", {"/allowDedupKeyFieldSelection": True},
     [("old-name", "/allowDedupKeyFieldSelection", "warning")]),
    ("keys under an older name", {"/allowJoinKeyFieldSelection": True},
     [("old-name", "/allowJoinKeyFieldSelection", "warning")]),
    ("frequencies are known", {FREQUENCY: ["DAILY", "YEARLY"]}, [("not-allowed", f"{FREQUENCY}/1", "error")]),
    ("the preset frequency is offered", {"/defaultFrequency": "ONCE", FREQUENCY: ["DAILY"]},
     [("not-offered", "/defaultFrequency", "error")]),
    ("the preset frequency may be any", {"/defaultFrequency": "ONCE"}, []),
    ("weekly is a frequency", {FREQUENCY: ["WEEKLY", "MONTHLY"], "/defaultFrequency": "WEEKLY"}, []),
    ("hourly is in no table", {FREQUENCY: ["DAILY", "EVERY_HOUR"]}, [("every-hour", f"{FREQUENCY}/1", "warning")]),
    ("hourly may be preset", {"/defaultFrequency": "EVERY_HOUR"}, [("every-hour", "/defaultFrequency", "warning")]),
    ("full exports are not hourly", {MODE: ["DAILY_FULL_EXPORT"], FREQUENCY: ["EVERY_3_HOURS"]},
     [("no-schedule", FREQUENCY, "error")]),
    ("incremental exports are not weekly", {MODE: ["FIRST_FULL_THEN_INCREMENTAL"], FREQUENCY: ["WEEKLY", "ONCE"]},
     [("no-schedule", FREQUENCY, "error")]),
    ("one frequency that goes is enough", {MODE: ["FIRST_FULL_THEN_INCREMENTAL"], FREQUENCY: ["WEEKLY", "DAILY"]}, []),
    ("a day starts at 00:00", {"/defaultStartTime": "00:00"}, []),
    ("a day ends at 23:59", {"/defaultStartTime": "23:59"}, []),
    ("a day has 24 hours", {"/defaultStartTime": "24:00"}, [("invalid", "/defaultStartTime", "error")]),
    ("an hour has two digits", {"/defaultStartTime": "4:30"}, [("invalid", "/defaultStartTime", "error")]),
    ("a start has no seconds", {"/defaultStartTime": "04:30:00"}, [("invalid", "/defaultStartTime", "error")]),
    ("a start has no line break", {"/defaultStartTime": "04:30\n"}, [("invalid", "/defaultStartTime", "error")]),
    ("what is appended is allowed", {PRESET: ["SEGMENT_ID", "SEGMENT_NAME"]},
     [("not-offered", f"{PRESET}/1", "error")]),
    ("a file has a name", {ALLOWED: []}, [("no-filename", ALLOWED, "error")]),
    ("a name may be fixed", {ALLOWED: [], FIXED: "%SEGMENT_ID%"}, []),
    ("the beginning has known parts", {FIXED: "%segment_id%"}, [("unknown-macro", FIXED, "error")]),
    ("the beginning may have text", {FIXED: "at 100% of "}, []),
    ("the operator's text is not fixed", {FIXED: "%CUSTOM_TEXT%"}, [("custom-text-fixed", FIXED, "error")]),
    ("the operator's text is appended", {ALLOWED: ["CUSTOM_TEXT"]}, []),
    ("appended parts are known", {ALLOWED: ["SEGMENT"]}, [("not-allowed", f"{ALLOWED}/0", "error")]),
    ("time is written once, in one list", {ALLOWED: ["DATETIME", "TIMESTAMP"]}, [("two-times", NAMES, "error")]),
    ("time is written once, in two fields", {FIXED: "%TIMESTAMP%"}, [("two-times", NAMES, "error")]),
    ("time may be in seconds", {ALLOWED: ["TIMESTAMP"]}, []),
    ("a part is there once", {FIXED: "%DESTINATION%_%SEGMENT_ID%"}, [("macro-twice", f"{ALLOWED}/0", "warning")]),
    ("a part is appended once", {ALLOWED: ["SEGMENT_ID", "SEGMENT_ID"]}, [("macro-twice", f"{ALLOWED}/1", "warning")]),
    ("a merge policy is named where it is grouped by", {FIXED: "%MERGE_POLICY_ID%"},
     [("unfit-macro", NAMES, "warning")]),
    ("a merge policy names a group's file",
     {ALLOWED: ["MERGE_POLICY_NAME"], "/segmentGroupingEnabled": True}, []),
    ("a group's file has no single audience", {"/segmentGroupingEnabled": True},
     [("unfit-macro", NAMES, "warning")]),
    ("everybody is sent at first", {"/backfillHistoricalProfileData": False},
     [("not-allowed", "/backfillHistoricalProfileData", "error")]),
    ("that everybody is sent may be said here", {"/backfillHistoricalProfileData": True}, []),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), [pytest.param(*c[1:], id=c[0]) for c in BATCH_CASES])
def test_a_schedule_keeps_its_rules(changes, expected):
    assert found(BatchConfig, changed(A_BATCH, changes)) == expected


DATASETS, DATASET_FREQUENCY = "/datasetBatchConfig", "/datasetBatchConfig/allowedScheduleFrequency"
DATASET_CASES = [
    ("folders are of allowed parts", {FOLDERS: ["DATETIME"]}, [("not-offered", f"{FOLDERS}/0", "error")]),
    ("folders are of known parts", {FOLDERS: ["SEGMENT_ID"]}, [("not-allowed", f"{FOLDERS}/0", "error")]),
    ("datasets are not written weekly", {DATASET_FREQUENCY: ["WEEKLY", "DAILY"]},
     [("too-seldom", f"{DATASET_FREQUENCY}/0", "warning")]),
    ("datasets need a schedule too",
     {DATASET_FREQUENCY: ["ONCE"], f"{DATASETS}/allowedExportModes": ["FIRST_FULL_THEN_INCREMENTAL"]},
     [("no-schedule", DATASET_FREQUENCY, "error")]),
    ("datasets may be hourly", {DATASET_FREQUENCY: ["EVERY_HOUR"]},
     [("every-hour", f"{DATASET_FREQUENCY}/0", "warning")]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), [pytest.param(*c[1:], id=c[0]) for c in DATASET_CASES])
def test_a_schedule_of_datasets_keeps_its_rules(changes, expected):
    assert found(BatchConfig, changed(DATASET_BATCH, changes)) == expected


@pytest.mark.parametrize("document", [A_BATCH, EVERY_BATCH, DATASET_BATCH], ids=["least", "everything", "datasets"])
def test_schedules_that_are_right(document):
    assert found(BatchConfig, document) == []
