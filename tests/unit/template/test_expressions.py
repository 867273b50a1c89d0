import pytest

from headrace import template


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("not a == b", "(not a) == b"),
        ("not a is empty", "(not a) is empty"),
        ('"a" ~ b | upper', '("a" ~ b) | upper'),
        ('"a" + b | upper', '"a" + (b | upper)'),
        ("-5 | abs", "(-5) | abs"),
        ('1 + 2 ~ "x"', '1 + (2 ~ "x")'),
        ("b | length > 2 ? 1 : 0", "((b | length) > 2) ? 1 : 0"),
        ("1 < 2 == true", "(1 < 2) == true"),
        ('b contains "o" and not a', '(b contains "o") and (not a)'),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("2 * 3 % 4 / 1", "((2 * 3) % 4) / 1"),
        ("a ? 1 : b ? 2 : 3", "a ? 1 : (b ? 2 : 3)"),
        ("true or false and false", "true or (false and false)"),
        ("- -5", "-(-5)"),
        ('1 equals 1 and "a" is not empty', '(1 equals 1) and ("a" is not empty)'),
    ],
)
def test_precedence(written: str, meant: str) -> None:
    context = {"a": 0, "b": "foo"}
    shown = [template.compile("{{ " + text + " }}").render(context) for text in (written, meant)]
    assert shown[0] == shown[1]


def render(expression: str, **context: object) -> str:
    return template.compile("{{ " + expression + " }}", escaping="none").render(context)


def test_arguments_may_be_positional_then_named() -> None:
    expected = "2024/03/01"
    assert render('t | date("yyyy/MM/dd", existingFormat="yyyy-MM-dd")', t="2024-03-01") == expected
    assert render('t | date(existingFormat="yyyy-MM-dd", format="yyyy/MM/dd")', t="2024-03-01") == expected


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("1 | slice(1, fromIndex=1)", "`fromIndex` is given twice"),
        ("1 | slice(toIndex=1, 2)", "positional arguments come before named ones"),
        ("1 | upper(1)", "takes no arguments, not 1"),
        ("1 | join(sep=1)", "`sep` is not an argument of filter `join`; did you mean `separator`?"),
        ("1 is even(2)", "test `even` takes no arguments"),
        ("a.b.is", 'write ["is"]'),
        ("3 in x", "list contains item"),
    ],
)
def test_wrong_arguments_and_words_are_named(expression: str, problem: str) -> None:
    with pytest.raises(template.TemplateSyntaxError, match=problem.replace("[", r"\[").replace("?", r"\?")):
        render(expression)


def test_constants_are_words_in_lower_or_upper_case_only() -> None:
    assert render("[TRUE, FALSE, NULL, NONE, True] | join(',')", **{"True": "x"}) == "true,false,null,null,x"


def test_upper_case_constants_can_be_assigned_but_not_read() -> None:
    assert template.compile("{% set FALSE = 1 %}{{ FALSE }}").render({}) == "false"


def test_a_long_integer_may_end_in_l() -> None:
    assert render("10L + 9223372036854775797") == "9223372036854775807"


def test_names_may_have_letters_of_any_language() -> None:
    assert render("größe.é", größe={"é": 1}) == "1"


def test_interpolation_nests_and_escapes_nothing() -> None:
    assert render(r'"a\"#{b ~ "(#{c})"}\""', b="B", c="C") == r"a\"B(C)\""


def test_postfix_applies_to_strings_calls_and_brackets() -> None:
    assert render('"abc".length()') == "3"
    assert render("(xs | first).id", xs=[{"id": 7}]) == "7"
    assert render("addedSegments(m).s.status", m={"s": {"status": "realized"}}) == "realized"
