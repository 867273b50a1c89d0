"""JSON to the byte, as Spark's writer lays rows out."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exports import file_of, look
from headrace.batch.formats import formats
from headrace.datasets.engine import Engine
from headrace.model.problem import ConfigurationError

NULLS = """
SELECT 1 AS id, NULL::VARCHAR AS name,
    {'street': NULL::VARCHAR, 'at': {'lat': NULL::DOUBLE, 'lon': 1.5::DOUBLE}} AS home,
    {'a': NULL::INT} AS nothing, NULL::STRUCT(a INT) AS missing, [1, NULL, 3] AS list, NULL::INT[] AS no_list,
    []::INT[] AS empty, [{'p': NULL::INT}, NULL, {'p': 2}] AS rows, map {'k': NULL::INT, 'l': 2} AS map,
    map {}::MAP(VARCHAR, INT) AS empty_map, map {'m': {'n': NULL::INT}} AS deep, [[NULL::INT], NULL] AS lists
"""
LEFT_OUT = (
    b'{"id":1,"home":{"at":{"lon":1.5}},"nothing":{},"list":[1,null,3],"empty":[],"rows":[{},null,{"p":2}],'
    b'"map":{"k":null,"l":2},"empty_map":{},"deep":{"m":{}},"lists":[[null],null]}\n'
)
WRITTEN = (
    b'{"id":1,"name":null,"home":{"street":null,"at":{"lat":null,"lon":1.5}},"nothing":{"a":null},"missing":null,'
    b'"list":[1,null,3],"no_list":null,"empty":[],"rows":[{"p":null},null,{"p":2}],"map":{"k":null,"l":2},'
    b'"empty_map":{},"deep":{"m":{"n":null}},"lists":[[null],null]}\n'
)


@pytest.mark.parametrize(("ignores_nulls", "line"), [(True, LEFT_OUT), (False, WRITTEN)])
def test_fields_without_a_value_are_left_out_at_every_level_or_written(tmp_path, ignores_nulls, line):
    assert file_of(tmp_path, NULLS, look("json", ignores_nulls=ignores_nulls)) == line


def test_a_row_without_any_value_is_an_empty_object(tmp_path):
    assert file_of(tmp_path, "SELECT NULL AS a, NULL::INT AS b", look("json")) == b"{}\n"


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("true", "true"),
        ("(-5)::TINYINT", "-5"),
        ("18446744073709551615::UBIGINT", "18446744073709551615"),
        ("1.50::DECIMAL(10, 2)", "1.50"),
        ("0.00000012::DECIMAL(20, 9)", "1.20E-7"),
        ("0::DECIMAL(20, 9)", "0E-9"),
        ("1e7::DOUBLE", "1.0E7"),
        ("0.1::DOUBLE", "0.1"),
        ("-1.5e20::DOUBLE", "-1.5E20"),
        ("'NaN'::DOUBLE", '"NaN"'),
        ("'-inf'::FLOAT", '"-Infinity"'),
        ("1e10::FLOAT", "1.0E10"),
        ("DATE '2031-03-02'", '"2031-03-02"'),
        ("TIMESTAMPTZ '2031-03-02 06:00:00.123999+02'", '"2031-03-02T04:00:00.123Z"'),
        ("TIMESTAMPTZ '1969-12-31 23:59:59.9995+00'", '"1969-12-31T23:59:59.999Z"'),
        ("TIMESTAMP '2031-03-02 06:00:00'", '"2031-03-02T06:00:00.000"'),
        ("TIMESTAMP_NS '2031-03-02 06:00:00.123456789'", '"2031-03-02T06:00:00.123"'),
        ("TIMESTAMP_NS '1969-12-31 23:59:59.999999999'", '"1969-12-31T23:59:59.999"'),
        ("DATE '12031-03-02'", '"+12031-03-02"'),
        ("'ab'::BLOB", '"YWI="'),
        ("'a'::ENUM('a', 'b')", '"a"'),
        ("""'{"a": 1}'::JSON""", r'"{\"a\": 1}"'),
        ("'/é\U0001f600\u2028\x7f'", '"/é\U0001f600\u2028\x7f"'),
        (r"""'"\' || chr(8) || chr(9) || chr(10) || chr(12) || chr(13)""", r'"\"\\\b\t\n\f\r"'),
        ("chr(0) || chr(11) || chr(31)", r'"\u0000\u000B\u001F"'),
        ("map {1: 'x'}", '{"1":"x"}'),
        ("map {1.5::DOUBLE: 'x'}", '{"1.5":"x"}'),
        ("map {'nan'::DOUBLE: 'x'}", '{"NaN":"x"}'),
        ("map {true: 'x'}", '{"true":"x"}'),
        ("""map {'a"b': NULL::INT}""", r'{"a\"b":null}'),
        ("map {DATE '2031-03-02': 'x'}", '{"2031-03-02":"x"}'),
        ("[3, 4]::INT[2]", "[3,4]"),
    ],
)
def test_a_value_is_written_as_spark_does(tmp_path, sql, written):
    assert file_of(tmp_path, f"SELECT {sql} AS v", look("json")).decode() == f'{{"v":{written}}}\n'


def test_fields_stand_in_the_order_of_the_columns_under_any_name(tmp_path):
    sql = """SELECT 1 AS b, 2 AS "a ""quoted"" 'name'", {'z': 1, 'it''s': 2} AS "{}" """

    line = file_of(tmp_path, sql, look("json")).decode()

    assert line == '{"b":1,"a \\"quoted\\" \'name\'":2,"{}":{"z":1,"it\'s":2}}\n'


def test_what_json_has_no_form_for_is_refused_by_its_path(tmp_path):
    with Engine(tmp_path / "scratch") as engine:
        schema = engine.schema("SELECT {'waits': [INTERVAL 1 MONTH]} AS order")

    with pytest.raises(ConfigurationError, match=r"`order.waits\[\]` is of the type month_day_nano_interval"):
        formats.get("json").select(schema, look("json"))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))), min_size=1))
def test_any_text_is_read_back_as_it_was(tmp_path_factory, texts):
    values = ", ".join("(NULL)" if text is None else f"('{text.encode().hex()}')" for text in texts)
    sql = f"SELECT unhex(v)::BLOB::VARCHAR AS v FROM (VALUES {values}) AS t(v)"
    sql = sql.replace("unhex(v)::BLOB::VARCHAR", "decode(unhex(v))")

    lines = file_of(tmp_path_factory.mktemp("text"), sql, look("json")).decode().split("\n")

    assert [json.loads(line).get("v") for line in lines[:-1]] == texts
    assert lines[-1] == ""
