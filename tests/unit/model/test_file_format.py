"""What the format of files comes to for one operator."""

import pytest

from authored import changed, template, text
from documents import EVERY_FORMAT
from headrace.model.file_configurations import FileConfigurations
from headrace.model.file_format import CsvFormat, FileFormat, JsonFormat
from headrace.model.problem import ConfigurationError
from headrace.model.reading import read
from headrace.template import compile as compile_template


def formatted(document, **customer_data):
    block, _ = read(FileConfigurations, document)
    return FileFormat.of(block, lambda text: compile_template(text.value).render({"customerData": customer_data}))


DEFAULT = FileFormat(
    file_type="csv",
    compression="none",
    max_rows=5_000_000,
    has_manifest=False,
    csv=CsvFormat(
        separator=",",
        quote="\0",
        quote_all=False,
        escape="\\",
        escape_quotes=True,
        escape_of_escape="\\",
        header=True,
        strips_before=True,
        strips_after=True,
        null_value="",
        empty_value='""',
        date_format="yyyy-MM-dd",
        timestamp_format="yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]",
        encoding="UTF-8",
        line_end="\n",
    ),
    json=JsonFormat(ignores_nulls=True),
)


def test_what_is_said_nowhere_has_its_default():
    assert formatted({}) == DEFAULT
    assert formatted({"csvOptions": {}}) == DEFAULT


def test_what_the_operator_leaves_open_has_its_default():
    everything = {
        key: value for key, value in EVERY_FORMAT.items() if key in ("fileType", "compression", "includeFileManifest")
    }

    assert formatted(everything) == DEFAULT
    assert formatted({"csvOptions": {"sep": template("{{ customerData.sep }}"), "header": template("")}}) == DEFAULT


def test_everything_is_as_the_author_and_the_operator_say():
    chosen = {"fileType": "JSON", "compression": "GZIP", "manifest": "true", "csvOptions": {"delimiter": "|"}}

    assert formatted(EVERY_FORMAT, **chosen) == FileFormat(
        file_type="json",
        compression="gzip",
        max_rows=2_000_000,
        has_manifest=True,
        csv=CsvFormat(
            separator="|",
            quote='"',
            quote_all=True,
            escape="\\",
            escape_quotes=True,
            escape_of_escape="\\",
            header=False,
            strips_before=True,
            strips_after=False,
            null_value="null",
            empty_value="",
            date_format="MM/dd/yyyy",
            timestamp_format="yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]",
            encoding="UTF-16",
            line_end="\n",
            formula_guard=True,
        ),
        json=JsonFormat(ignores_nulls=False),
    )


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ({"delimiter": text(";")}, "separator", ";"),
        ({"delimiter": text(";"), "sep": text("|")}, "separator", "|"),
        ({"sep": text("\\t")}, "separator", "\t"),
        ({"sep": text("\t")}, "separator", "\t"),
        ({"sep": text("||")}, "separator", "||"),
        ({"sep": text("|\\t|")}, "separator", "|\t|"),
        ({"sep": text("\\\\")}, "separator", "\\"),
        ({"quote": text("")}, "quote", "\0"),
        ({"quote": text("\\u0000")}, "quote", "\0"),
        ({"quote": text("\\"), "escape": text("\\")}, "escape_of_escape", "\0"),
        ({"escape": text("'")}, "escape_of_escape", "'"),
        ({"charToEscapeQuoteEscaping": text("#")}, "escape_of_escape", "#"),
        ({"nullValue": template("")}, "null_value", ""),
        ({"emptyValue": template("")}, "empty_value", ""),
        ({"encoding": text("utf-16")}, "encoding", "UTF-16"),
    ],
)
def test_an_option_means_what_it_means_to_spark(options, field, value):
    assert getattr(formatted({"csvOptions": options}).csv, field) == value


@pytest.mark.parametrize(
    ("options", "ignores"),
    [({}, True), ({"ignoreNullFields": template("")}, True), ({"ignoreNullFields": text("false")}, False)],
)
def test_fields_without_a_value_are_left_out_unless_the_author_wants_them(options, ignores):
    assert formatted({"x-headrace": {"jsonOptions": options}}).json == JsonFormat(ignores_nulls=ignores)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"/fileType": template("xml")}, "'xml' is not allowed here; use csv, json or parquet"),
        ({"/csvOptions/quote": template("''")}, "`quote` is a single character, not \"''\""),
        ({"/csvOptions/quote": template("😀")}, "`quote` is a single character, not '😀'"),
        ({"/csvOptions/sep": template("a\\")}, "a backslash in `sep` begins a character"),
        ({"/csvOptions/dateFormat": template("yyyy-MMMMM")}, "`MMMMM` is nothing that `dateFormat` can hold"),
        ({"/includeFileManifest": template("yes")}, "'yes' is not allowed here"),
        ({"/x-headrace/jsonOptions/ignoreNullFields": template("no")}, "'no' is not allowed here"),
        (
            {"/fileType": template("PARQUET"), "/compression": template("bzip2")},
            "Parquet files have no compression `bzip2`; use none, gzip, lz4, snappy, zstd",
        ),
    ],
)
def test_what_an_operator_chose_is_held_to_the_same_rules(changes, says):
    with pytest.raises(ConfigurationError) as caught:
        formatted(changed(EVERY_FORMAT, changes))

    assert says in str(caught.value)
