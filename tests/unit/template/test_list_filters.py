import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import template


def value(expression: str, **context: object) -> str:
    return template.compile("{{ " + expression + " }}", escaping="none").render(context)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'abc' | first", "a"),
        ("'abc' | last", "c"),
        ("[1, 2] | last", "2"),
        ("([] | first) is null", "true"),
        ("[1, nothing, 'a', true] | join('-')", "1-null-a-true"),
        ("['a', 'b'] | join", "ab"),
        ("[[1], {'a': 1}] | join(';')", "[1];{a=1}"),
        ("'abc' | length", "3"),
        ("{'a': 1} | length", "1"),
        ("5 | length", "0"),
        ("[1] | merge([2])", "[1, 2]"),
        ("{'a': 1, 'b': 2} | merge({'b': 3})", "{a=1, b=3}"),
        ("[1] | merge({'a': 2})", "[1, a=2]"),
        ("{'a': 1} | merge(['x'])", "{a=1, x=x}"),
        ("nothing | merge([1])", "[1]"),
        ("[1] | merge(nothing)", "[1]"),
        ("[1, 2, 3] | reverse", "[3, 2, 1]"),
        ("['b', 'A', 'a'] | sort", "[A, a, b]"),
        ("[3, 1.5, 2] | rsort", "[3, 2, 1.5]"),
        ("[true, false] | sort", "[false, true]"),
        ("'abcdef' | slice(1, 3)", "bc"),
        ("'abcdef' | slice(4)", "ef"),
        ("[1, 2, 3] | slice(toIndex=2)", "[1, 2]"),
        ("'a,b,,c,,' | split(',')", "[a, b, , c]"),
        ("'a,b,c' | split(',', 2)", "[a, b,c]"),
        ("'a,b,,' | split(',', -1) | length", "4"),
        ("'' | split(',') | length", "1"),
        ("('a1b22c' | split('[0-9]+'))[2]", "c"),
        ("('x' | split(',')) is empty", "false"),
        ("'b,a' | split(',') | reverse | sort | merge(['c'])", "[a, b, c]"),
    ],
)
def test_filters_of_lists(expression: str, expected: str) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "{'a': 1} | last",
        "5 | first",
        "'abc' | join",
        "[1] | merge(2)",
        "'a' | merge([1])",
        "{} | merge([[1]])",
        "'abc' | reverse",
        "[nothing, 1] | sort",
        "[[1], [2]] | sort",
        "5 | slice(1)",
        "[1] | slice('a')",
        "5 | split(',')",
        "'a' | split",
        "'a' | split(',', 'x')",
        "{[1]: 2}",
    ],
)
def test_filters_of_lists_are_strict(expression: str) -> None:
    with pytest.raises(template.TemplateError):
        value(expression)


@given(st.lists(st.integers() | st.floats(allow_nan=False)))
def test_rsort_is_sort_reversed_for_distinct_numbers(items: list[float]) -> None:
    distinct = list(dict.fromkeys(items))
    assert value("xs | rsort | join(',')", xs=distinct) == value("xs | sort | reverse | join(',')", xs=distinct)


@given(st.lists(st.text(max_size=5)))
def test_strings_sort_by_code_unit(items: list[str]) -> None:
    expected = sorted(items, key=lambda item: item.encode("utf-16-be", "surrogatepass"))
    assert value("xs | sort | join('|')", xs=items) == "|".join(expected)


@given(st.lists(st.text(alphabet="ab", max_size=3), min_size=1))
def test_join_undoes_split(items: list[str]) -> None:
    joined = ",".join(items)
    assert value("v | split(',', -1) | join(',')", v=joined) == joined


def test_a_filter_does_not_change_its_list() -> None:
    text = "{% set a = [2, 1] %}{% set b = a | sort %}{% set c = a | reverse %}{% set d = a | merge([3]) %}{{ a }}"
    assert template.compile(text).render({}) == "[2, 1]"
