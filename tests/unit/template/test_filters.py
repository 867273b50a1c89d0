import hashlib
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import template
from headrace.template import registry

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
NULL_STAYS = [
    *(
        "abbreviate(3)",
        "base64decode",
        "base64encode",
        "capitalize",
        "date",
        "escape",
        "first",
        "format",
        "join",
        "last",
    ),
    *(
        "lower",
        "nl2br",
        "numberformat",
        "raw",
        "replace({})",
        "reverse",
        "rsort",
        "sha256",
        "slice",
        "sort",
        "split(',')",
    ),
    *("title", "trim", "upper", "urlencode"),
]


def value(expression: str, **context: object) -> str:
    return template.compile("{{ " + expression + " }}", escaping="none").render(context)


@pytest.mark.parametrize("name", NULL_STAYS)
def test_null_stays_null(name: str) -> None:
    assert value(f"(nothing | {name}) is null") == "true"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'this is long.' | abbreviate(7)", "this..."),
        ("'abcdefg' | abbreviate(7)", "abcd..."),
        ("'abcdef' | abbreviate(7)", "abcdef"),
        ("'abcdef' | abbreviate(2)", "ab"),
        ("'abc' | abbreviate(1)", "abc"),
        ("12345 | abbreviate(4)", "1..."),
        ("-3 | abs", "3"),
        ("-2.5 | abs", "2.5"),
        ("'aMOpbGxv' | base64decode", "héllo"),
        ("'aGk' | base64decode", "hi"),
        ("'héllo' | base64encode", "aMOpbGxv"),
        ("12 | base64encode", "MTI="),
        ("'  hELLO wORLD' | capitalize", "  HELLO wORLD"),
        ("'ßa ǆx' | title", "ßa ǅx"),
        ("'  ' | capitalize", "  "),
        ("'hELLO  wORLD\tx' | title", "HELLO  WORLD\tX"),
        ("'x' | default('d')", "x"),
        ("' ' | default('d')", "d"),
        ("[] | default('d')", "d"),
        ("0 | default('d')", "0"),
        ("false | default('d')", "false"),
        ("nothing | default(nothing) is null", None),
        ("'Straße' | upper", "STRASSE"),
        ("true | upper", "TRUE"),
        ("'ÄB' | lower", "äb"),
        ("'\t x\u00a0 ' | trim", "x\u00a0"),
        ("'a\nb\r\nc\rd' | nl2br", "a<br />b<br />c\rd"),
        ("'aXbX' | replace({'X': '-', '-': '+'})", "a+b+"),
        ("'a.b' | replace({'.': nothing})", "anullb"),
        ("1 | replace({1: 2})", "2"),
        ("'a b&c*~ü' | urlencode", "a+b%26c*%7E%C3%BC"),
        ("'ab' | sha256", hashlib.sha256(b"ab").hexdigest()),
        ("('a' | raw) | upper", "A"),
        ("{'a': ['b']} | toJson", '{"a":["b"]}'),
        ("nothing | toJson", "null"),
        ("'<' | escape | escape", "&lt;"),
        ("'<' | escape('js')", "<"),
        ("1.5 | escape", "1.5"),
    ],
)
def test_filters(expression: str, expected: str | None) -> None:
    if expected is not None:
        assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("v", "&lt;"),
        ("v | raw", "<"),
        ("v | raw | upper", "&lt;"),
        ("v | escape('json')", "<"),
        ("v ~ ''", "&lt;"),
        ("'<'", "<"),
        ("'<' ~ '<'", "<<"),
        ("'<' ~ '<' ~ '<'", "&lt;&lt;&lt;"),
        ("'<' + '<'", "&lt;&lt;"),
        ('"<#{v}"', "&lt;&lt;"),
        ("true ? '<' : v", "<"),
        ("false ? '<' : v", "&lt;"),
        ("true ? (v | raw) : v", "<"),
        ("true ? (true ? '<' : v) : v", "&lt;"),
        ("[v] | toJson", '["<"]'),
        ("{'a': v}", "{a=&lt;}"),
        ("d", "{&quot;a&quot;:&quot;&lt;&quot;}"),
        ("d | raw", '{"a":"<"}'),
        ("v | default('<') | raw", "<"),
        ("nothing | default('<')", "&lt;"),
        ("0 | date(\"yyyy'<'\")", "1970<"),
        ("v | escape(strategy=s)", "&lt;"),
    ],
)
def test_a_value_is_escaped_unless_its_last_filter_made_it_safe(expression: str, expected: str) -> None:
    assert template.compile("{{ " + expression + " }}").render({"v": "<", "d": {"a": "<"}, "s": "html"}) == expected


def test_a_safe_value_stays_safe_in_a_variable() -> None:
    assert template.compile("{% set v = v | raw %}{{ v }}{{ v ~ v }}").render({"v": "<"}) == "<&lt;&lt;"


def test_the_body_of_a_filter_block_is_escaped_once_and_as_a_whole() -> None:
    text = "{% filter upper %}<{{ v }}>{% endfilter %}|{% filter upper | raw %}<{{ v }}>{% endfilter %}"
    assert template.compile(text).render({"v": "&"}) == "&lt;&amp;&gt;|<&>"


@given(TEXT)
def test_base64_reads_back(text: str) -> None:
    assert value("v | base64encode | base64decode", v=text) == text


@given(TEXT, TEXT)
def test_a_form_reads_back(name: str, text: str) -> None:
    shown = value("formUrlEncode(n, v)", n=name, v=text)
    assert parse_qsl(shown, keep_blank_values=True) == [(name, text)]


@given(TEXT)
def test_urlencode_keeps_few_characters(text: str) -> None:
    assert not set(value("v | urlencode", v=text)) & set(" ~&=?/")


def test_every_filter_is_listed_once() -> None:
    names = {entry.split("(")[0] for entry in NULL_STAYS} | {
        "abs",
        "added",
        "default",
        "length",
        "merge",
        "removed",
        "toJson",
    }
    assert set(registry.filters.entries) == names


@pytest.mark.parametrize(
    "expression",
    ["'ab' | abbreviate(-1)", "'abcd' | abbreviate('x')", "1 | base64decode", "'a' | replace", "'\ud800' | sha256"],
)
def test_filters_are_strict(expression: str) -> None:
    with pytest.raises(template.TemplateError):
        value(expression)
