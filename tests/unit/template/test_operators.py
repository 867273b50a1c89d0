import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import template

INTEGERS = st.integers(-(2**63), 2**63 - 1)


def value(expression: str, **context: object) -> str:
    return template.compile("{{ " + expression + " }}", escaping="none").render(context)


def wrapped(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63


@given(INTEGERS, INTEGERS)
def test_integers_wrap_at_64_bits(a: int, b: int) -> None:
    assert value("a + b", a=a, b=b) == str(wrapped(a + b))
    assert value("a - b", a=a, b=b) == str(wrapped(a - b))
    assert value("a * b", a=a, b=b) == str(wrapped(a * b))


@given(INTEGERS, INTEGERS.filter(bool))
def test_division_truncates_toward_zero_and_the_rest_fits(a: int, b: int) -> None:
    quotient, rest = int(value("a / b", a=a, b=b)), int(value("a % b", a=a, b=b))
    assert wrapped(quotient * b + rest) == a
    assert abs(rest) < abs(b)
    assert rest == 0 or (rest < 0) == (a < 0)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("10 / 4", "2"),
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("7 % -3", "1"),
        ("10.0 / 4", "2.5"),
        ("1.0 / 0", "Infinity"),
        ("-1 / 0.0", "-Infinity"),
        ("0.0 / 0", "NaN"),
        ("5 % 0.0", "NaN"),
        ("5.5 % 2", "1.5"),
        ('"6" * "7"', "42"),
        ('"1.5" * 2', "3.0"),
        ('"5" - 1', "4"),
        ('"1" + 1', "11"),
        ("1 + 2.5", "3.5"),
        ('nothing + "x"', "nullx"),
        ('"x" + nothing', "xnull"),
        ("[1] + 2", "[1, 2]"),
        ("[1] + [2, 3]", "[1, 2, 3]"),
        ("[1, 2, 1] - 1", "[2]"),
        ("[1, 2, 3] - [1, 3]", "[2]"),
        ("1 + 2 + 3 + 4", "10"),
        ("- 5 - - 5", "0"),
        ("+5", "5"),
        ("-x", "3"),
        ('"a" ~ 1 ~ true ~ nothing ~ 2.0', "a1true2.0"),
    ],
)
def test_arithmetic(expression: str, expected: str) -> None:
    assert value(expression, x=-3) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 == 1.0", True),
        ('"1" == 1', False),
        ("1 == true", False),
        ("x == true", True),
        ("nothing == null", True),
        ("nothing == false", False),
        ("[1, [2]] == [1, [2]]", True),
        ("[1] == [1.0]", False),
        ('{"a": 1} == {"a": 1}', True),
        ('{"a": 1} == {"a": 2}', False),
        ("data == [1, 2]", True),
        ('"a" != "b"', True),
        ("1 != 1.0", False),
        ('"a" equals "a"', True),
        ('("a" | raw) == "a"', False),
        ('("abc" | first) == "a"', False),
        ('("abc" | first) == ("a" | first)', True),
        ('["a"] contains ("a" | first)', False),
        ("2 < 3", True),
        ("3 <= 3.0", True),
        ("nothing < 1", False),
        ("1 >= nothing", False),
        ("nothing > nothing", False),
        ("[1, 2, 3] contains 2", True),
        ("[1, 2, 3] contains [3, 1]", True),
        ("[1, 2, 3] contains [3, 4]", False),
        ("[1] contains 1.0", False),
        ('{"a": null} contains "a"', True),
        ('{"a": 1} contains [1]', False),
        ('"abc" contains "bc"', True),
        ("nothing contains 1", False),
        ("not nothing", True),
        ("not 0.0", True),
        ('not " "', False),
        ("0 or nothing", False),
        ('"a" and 1', True),
        ("true or [1]", True),
        ("false and [1]", False),
    ],
)
def test_comparisons_and_conditions(expression: str, expected: bool) -> None:
    assert value(expression, x=True, data=[1, 2]) == str(expected).lower()


@given(st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3)))
def test_everything_equals_itself(thing: Any) -> None:
    assert value("a == b", a=thing, b=thing) == "true"


@pytest.mark.parametrize("thing", [[], {}, [1], {"a": 1}])
@pytest.mark.parametrize("place", ["not v", "v ? 1 : 2", "v and true", "true and v", "v or true"])
def test_lists_and_maps_are_no_conditions(thing: object, place: str) -> None:
    with pytest.raises(template.TemplateError, match="is not empty"):
        value(place, v=thing)


@pytest.mark.parametrize(
    "expression",
    ['"a" < 1', "true > false", "[1] >= 1", "true + 1", "{} + 1", '"a" * 2', "nothing - 1", "[1] * 2", "+'a'", "-true"],
)
def test_operands_that_do_not_fit_are_errors(expression: str) -> None:
    with pytest.raises(template.TemplateError):
        value(expression)


def test_not_a_number_is_false() -> None:
    assert value("v ? 1 : 2", v=math.nan) == "2"
