import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.template.printing import double_text, json_text, text
from headrace.template.values import Character, Entry, RenderError, Safe, TemplateList, TemplateMap

FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | FINITE | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
PLENTY = 10**6


@given(JSON)
def test_what_prints_as_json_reads_back_as_the_same(value: Any) -> None:
    assert json.loads(json_text(value, PLENTY)) == value


@given(JSON)
def test_json_is_the_same_for_data_and_for_what_a_template_made(value: Any) -> None:
    def made(part: Any) -> Any:
        if isinstance(part, dict):
            return TemplateMap({key: made(item) for key, item in part.items()})
        return TemplateList(map(made, part)) if isinstance(part, list) else part

    assert json_text(made(value), PLENTY) == json_text(value, PLENTY)


@given(FINITE)
def test_a_double_prints_digits_that_identify_it(value: float) -> None:
    shown = double_text(value)
    assert float(shown) == value
    assert "." in shown
    assert ("E" in shown) is not (value == 0 or 1e-7 <= abs(value) < 1e21)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"),
        (True, "true"),
        (None, ""),
        (42, "42"),
        (2.0, "2.0"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e16, "10000000000000000.0"),
        (1e-5, "0.00001"),
        (1e21, "1.0E21"),
        (-2.5e-9, "-2.5E-9"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        ({"a": 1, "b": ["é", None, 1e20]}, '{"a":1,"b":["é",null,100000000000000000000.0]}'),
        (TemplateMap(a=TemplateList([1, None, True]), b="x y"), "{a=[1, null, true], b=x y}"),
        (TemplateList([{"a": "x"}, Safe("s"), Character("c")]), '[{"a":"x"}, s, c]'),
        (Entry("k", [1]), "k=[1]"),
        (TemplateList(), "[]"),
        ({1: 2**70}, '{"1":1180591620717411303424}'),
    ],
)
def test_values_print(value: object, expected: str) -> None:
    assert text(value, PLENTY) == expected


def test_entries_are_objects_in_json() -> None:
    found = TemplateList([Entry("a", 1), Entry("b", 2, "ups")])
    assert json_text(found, PLENTY) == '[{"key":"a","value":1},{"key":"b","value":2,"namespace":"ups"}]'


def test_a_printed_list_has_a_longest_form() -> None:
    with pytest.raises(RenderError, match="limit is 50"):
        text(TemplateList(["x" * 20] * 3), 50)
    with pytest.raises(RenderError, match="limit is 50"):
        text(TemplateList([1] * 20), 50)


def test_half_of_a_surrogate_pair_is_refused_by_json() -> None:
    with pytest.raises(RenderError, match="surrogate"):
        json_text({"a": "\ud800"}, PLENTY)
