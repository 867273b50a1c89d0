"""What holds of every CSV file, whatever is in it: four readers find what was written, and a row is a row."""

import csv
import io
import math
import struct

import duckdb
import polars
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headrace.batch.formats.numbers import java_decimal, java_double
from unit.batch.formats.csv_reference import file_of, java_float
from unit.batch.formats.csv_reference import java_decimal as plain_decimal
from unit.batch.formats.csv_table import look, written

WHOLE = {"ignoreLeadingWhiteSpace": "false", "ignoreTrailingWhiteSpace": "false"}
DOUBLED = {"quote": '"', "escape": '"'}
SPECIAL = ",;|\"'\\~#\n\r\t \0\x1fab=+-é😀\u202e\u00a0\ufeff"
TEXT = st.text(st.one_of(st.sampled_from(SPECIAL), st.characters(exclude_categories=["Cs"])), max_size=12)
CELLS = st.one_of(st.none(), TEXT)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=25)
quick = settings(max_examples=25, deadline=None)


def table_of(rows):
    columns = list(zip(*rows, strict=True))
    return pa.table({f"c{place}": pa.array(column, pa.string()) for place, column in enumerate(columns)})


def by_python(file, separator):
    rows = list(csv.reader(io.StringIO(file.decode(), newline=""), delimiter=separator, strict=True))
    return [tuple(row) for row in rows[1:]]


def by_duckdb(file, separator, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "people.csv"
    path.write_bytes(file)
    with duckdb.connect(config={"threads": 1}) as engine:
        return engine.read_csv(
            str(path),
            header=True,
            sep=separator,
            quotechar='"',
            escapechar='"',
            all_varchar=True,
            na_values="",
            auto_detect=False,
            columns={"c0": "VARCHAR", "c1": "VARCHAR", "c2": "VARCHAR"},
            allow_quoted_nulls=False,
            strict_mode=True,
        ).fetchall()


def by_arrow(file, separator):
    table = pyarrow.csv.read_csv(
        io.BytesIO(file),
        parse_options=pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={f"c{place}": pa.string() for place in range(3)},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return [tuple(row.values()) for row in table.to_pylist()]


def by_polars(file, separator):
    return polars.read_csv(io.BytesIO(file), separator=separator, infer_schema=False).rows()


@given(ROWS, st.sampled_from([",", ";", "|", "\t"]))
@quick
def test_python_reads_what_was_written(rows, separator):
    file = written(table_of(rows), look(sep=separator, **DOUBLED, **WHOLE, emptyValue=""))

    assert by_python(file, separator) == [tuple(value or "" for value in row) for row in rows]


@given(ROWS, st.sampled_from([",", ";", "|", "\t"]))
@quick
def test_arrow_reads_what_was_written_and_tells_null_from_empty(rows, separator):
    file = written(table_of(rows), look(sep=separator, **DOUBLED, **WHOLE))

    assert by_arrow(file, separator) == rows


@given(ROWS, st.sampled_from([",", ";", "|", "\t"]))
@quick
def test_polars_reads_what_was_written_and_tells_null_from_empty(rows, separator):
    file = written(table_of(rows), look(sep=separator, **DOUBLED, **WHOLE))

    assert by_polars(file, separator) == rows


@given(ROWS, st.sampled_from([",", ";", "|", "\t"]))
@quick
def test_duckdb_reads_what_was_written_and_tells_null_from_empty(tmp_path_factory, rows, separator):
    file = written(table_of(rows), look(sep=separator, **DOUBLED, **WHOLE))

    assert by_duckdb(file, separator, tmp_path_factory) == rows


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "sep": st.sampled_from([",", "|", "||", "\\t", "\\\\", "ab", "~"]),
        "quote": st.sampled_from(['"', "'", "", "|", "a", " ", "é"]),
        "escape": st.sampled_from(["\\", '"', "'", "a", "~"]),
        "charToEscapeQuoteEscaping": st.sampled_from(["\\", '"', "'", "a", "~"]),
        "quoteAll": st.sampled_from(["true", "false"]),
        "escapeQuotes": st.sampled_from(["true", "false"]),
        "ignoreLeadingWhiteSpace": st.sampled_from(["true", "false"]),
        "ignoreTrailingWhiteSpace": st.sampled_from(["true", "false"]),
        "nullValue": st.sampled_from(["", "null", '""', "#", " "]),
        "emptyValue": st.sampled_from(["", "empty", '""', "#", " "]),
        "lineSep": st.sampled_from(["\n", "\\r", "~"]),
        "encoding": st.sampled_from(["UTF-8", "UTF-16"]),
    },
)


@given(ROWS, OPTIONS, st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_file_is_what_the_rules_say_whatever_the_options(rows, options, guard):
    said = {**options, "formulaGuard": True} if guard else options
    if options.get("escape") == (options.get("quote") or "\0"):
        said = {**said, "charToEscapeQuoteEscaping": said.get("charToEscapeQuoteEscaping", "")}

    assert written(table_of(rows), look(formula_guard=guard, **options)) == file_of(table_of(rows), said)


@given(ROWS, st.sampled_from(['"', "'"]), st.booleans(), st.booleans(), st.booleans())
@quick
def test_a_row_is_never_two_and_never_none(rows, quote, strips, quotes_all, guard):
    stripping = {name: str(strips).lower() for name in WHOLE}
    form = look(
        formula_guard=guard, quote=quote, escape=quote, quoteAll=str(quotes_all).lower(), emptyValue="", **stripping
    )
    file = written(table_of(rows), form).decode()

    found = list(csv.reader(io.StringIO(file, newline=""), quotechar=quote, strict=True))
    assert [len(row) for row in found] == [3] * (len(rows) + 1)


@given(st.lists(st.one_of(TEXT, st.sampled_from("=+-@\t\r\0").flatmap(lambda one: TEXT.map(one.__add__))), min_size=1))
@quick
def test_no_cell_that_is_guarded_begins_like_a_formula(texts):
    file = written(pa.table({"c0": texts, "c1": texts}), look(formula_guard=True, **DOUBLED))

    cells = [cell for row in by_python(file, ",") for cell in row]
    assert [cell for cell in cells if cell[:1] in tuple("=+-@\t\r\0")] == []


def test_numbers_are_not_guarded():
    table = pa.table({"text": ["-5"], "number": [-5], "share": [-0.5]})

    assert written(table, look(formula_guard=True)) == b"text,number,share\n'-5,-5,-0.5\n"


FINITE = st.floats(allow_nan=False, allow_infinity=False)


def sql_of(numbers, kind, expression):
    with duckdb.connect(config={"threads": 1}) as engine:
        engine.register("numbers", pa.table({"x": pa.array(numbers, kind)}))
        return [text for (text,) in engine.sql(f"SELECT {expression} FROM numbers").fetchall()]


@given(st.lists(FINITE, min_size=1, max_size=200))
@example([5e-324, 1e-323, 1.5e-323, 2e-323, 1e-322, 2.2250738585072014e-308, 1e23, 2e23, 9.5e-4, 9999999.999999998])
@quick
def test_a_double_is_read_back_as_itself_and_is_as_java_writes_it(numbers):
    texts = sql_of(numbers, pa.float64(), java_double("x"))

    assert [float(text) for text in texts] == numbers
    assert texts == [java_float(number, "d") for number in numbers]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=200))
@quick
def test_a_float_is_read_back_as_itself_and_is_as_java_writes_it(numbers):
    texts = sql_of(numbers, pa.float32(), java_double("x"))

    assert [struct.unpack("f", struct.pack("f", float(text)))[0] for text in texts] == numbers
    assert texts == [java_float(number, "f") for number in numbers]


@given(st.lists(st.decimals(-(10**10), 10**10, places=12), min_size=1, max_size=200))
@quick
def test_a_decimal_is_as_java_writes_it(numbers):
    texts = sql_of(numbers, pa.decimal128(38, 12), java_decimal("x", 38, 12))

    assert texts == [plain_decimal(number, 12) for number in numbers]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e10, "1.0E10"),
        (1e-5, "1.0E-5"),
        (-0.0, "-0.0"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (1e7, "1.0E7"),
        (9999999.0, "9999999.0"),
        (0.001, "0.001"),
        (9.99e-4, "9.99E-4"),
        (5e-324, "4.9E-324"),
        (2e23, "2.0E23"),
        (100.0, "100.0"),
    ],
)
def test_a_double_is_written_as_it_is_in_java(number, text):
    assert sql_of([number], pa.float64(), java_double("x")) == [text]
