import pytest

from headrace import template


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("max(1, 5, 3)", "5"),
        ("min(4, 2.5, nothing)", "2.5"),
        ("max()", ""),
        ("min(nothing)", ""),
        ("formUrlEncode('a b', 'c&d', 'e', nothing, 'n', 1)", "a+b=c%26d&e=&n=1"),
        ("formUrlEncode()", ""),
    ],
)
def test_functions(expression: str, expected: str) -> None:
    assert template.compile("{{ " + expression + " }}", escaping="none").render({}) == expected


@pytest.mark.parametrize("expression", ["max('a')", "min(true)", "max([1])", "formUrlEncode('a', 'b', 'c')"])
def test_functions_are_strict(expression: str) -> None:
    with pytest.raises(template.TemplateError):
        template.compile("{{ " + expression + " }}").render({})
