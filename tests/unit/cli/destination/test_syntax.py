"""Reading YAML and JSON with the places of values, and writing them for people."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cli.destination.syntax import Place, read_json, read_yaml, write_json, write_yaml

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    ["no", "Yes", "on", "null", "~", "", "0123", "1e3", "1_000", "0x1f", "12:30", "2026-01-01", "true", "1.", "-0"]
)
DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS)
def test_what_is_written_as_yaml_is_read_as_it_was(document):
    read = read_yaml(write_yaml(document))

    assert not read.mistakes
    assert read.value == document
    assert json.dumps(read.value) == json.dumps(document), "and texts stay texts, numbers numbers"


@given(DOCUMENTS)
def test_what_is_written_as_json_is_read_as_it_was(document):
    assert read_json(write_json(document)).value == document


@pytest.mark.parametrize(
    ("bare", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("~", None),
        ("42", 42),
        ("-1.5", -1.5),
        ("1.5e+3", 1500.0),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1.2.3", "1.2.3"),
        ("normal", "normal"),
        ("sha256(lower($))", "sha256(lower($))"),
        ("%SEGMENT_ID%_x", None),
        ("eu-1", "eu-1"),
    ],
)
def test_a_bare_word_is_a_text_unless_json_writes_it_otherwise(bare, value):
    if bare.startswith("%"):
        assert read_yaml(f"a: {bare}\n").mistakes[0].code == "not-yaml"
    else:
        assert read_yaml(f"a: {bare}\n").value == {"a": value}


DISPUTED = ["no", "YES", "Off", "on", "y", "N", "True", "NULL"]
DISPUTED += ["0123", "0o17", "0x1F", "1_000", "1e3", "+1", ".5", "1.", ".inf", "-.INF", ".nan"]


@pytest.mark.parametrize("bare", DISPUTED)
def test_what_readers_of_yaml_disagree_about_is_refused_with_both_ways_to_say_it(bare):
    read = read_yaml(f"a:\n  b: {bare}\n")

    (mistake,) = read.mistakes
    assert (mistake.code, mistake.place) == ("disputed-value", Place(2, 6))
    assert f"write `'{bare}'` if the text is meant" in mistake.message
    assert read_yaml(f"a: '{bare}'\n").value == {"a": bare}


def test_names_are_texts_whatever_they_look_like():
    assert read_yaml("on: 1\n404: 2\nno: 3\n").value == {"on": 1, "404": 2, "no": 3}


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        pytest.param("a: [1\nb: 2\n", Place(2, 2), "this is not YAML", id="not closed"),
        pytest.param("a: 1\na: 2\n", Place(2, 1), "`a` stands here twice", id="a name twice"),
        pytest.param("a: !!python/name:os.system x\n", Place(1, 4), "the tag", id="a tag"),
        pytest.param("a: &x [*x]\n", Place(1, 4), "may not unfold without end", id="itself inside"),
        pytest.param("? [a]\n: 1\n", Place(1, 3), "a name is a text", id="a list as a name"),
        pytest.param("a: 1\n---\nb: 2\n", Place(2, 1), "this is not YAML", id="two documents"),
        pytest.param("a: \0\n", Place(1, 1), "this is not YAML", id="a character that is none"),
    ],
)
def test_what_is_no_configuration_is_refused_where_it_stands(text, place, says):
    (mistake,) = read_yaml(text).mistakes

    assert says in mistake.message
    assert mistake.place == place


def test_aliases_that_unfold_to_millions_are_refused_in_no_time():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    read = read_yaml("\n".join(lines))

    assert [mistake.code for mistake in read.mistakes] == ["not-yaml"]


@pytest.mark.parametrize("text", ['{"a": {"b": [1, {"c": 2}]}}', '{\n\t"a": {\n\t\t"b": [1, {"c": 2}]}}'])
def test_json_knows_its_places_too(text):
    read = read_json(text)

    assert read.value == {"a": {"b": [1, {"c": 2}]}}
    place = read.place("/a/b/1/c")
    assert text.splitlines()[place.line - 1][place.column - 1 :].startswith('"c"')


def test_json_that_is_none_says_where():
    (mistake,) = read_json('{"a": 1,\n "b" 2}').mistakes

    assert (mistake.code, mistake.place.line) == ("not-json", 2)


def test_a_name_twice_in_json_is_told():
    assert [mistake.code for mistake in read_json('{"a": 1, "a": 2}').mistakes] == ["given-twice"]


def test_what_is_not_there_has_the_place_of_what_would_hold_it():
    read = read_yaml("a:\n  b:\n    - c: 1\n")

    assert read.place("/a/b/0/d/e") == read.place("/a/b/0") == Place(3, 7)
    assert read.place("/z") == read.place("")


def test_a_block_of_text_knows_where_it_begins():
    read = read_yaml("a:\n  b: |\n    one\n      two\n  c: x\n")

    assert read.value["a"]["b"] == "one\n  two\n"
    assert read.blocks == {"/a/b": Place(3, 5)}


def test_texts_of_several_lines_are_written_as_blocks():
    assert write_yaml({"a": "one\n  two\n"}) == "a: |\n  one\n    two\n"
