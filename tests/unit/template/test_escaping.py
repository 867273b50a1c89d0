import html
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.template.escaping import (
    STRATEGIES,
    WIDEST,
    escape_css,
    escape_html,
    escape_js,
    escape_json,
    escape_url_param,
    printer,
)
from headrace.template.values import RenderError, Safe

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_html_reads_back(value: str) -> None:
    escaped = escape_html(value)
    assert not set(escaped) & set("<>\"'")
    assert html.unescape(escape_html(value.replace("\r", " "))) == html.unescape(html.escape(value.replace("\r", " ")))


@given(TEXT)
def test_json_reads_back_and_is_ascii(value: str) -> None:
    escaped = escape_json(value)
    assert json.loads(f'"{escaped}"') == value
    assert escaped.isascii()
    assert "&" not in escaped


@given(TEXT)
def test_no_strategy_makes_a_text_longer_than_is_charged(value: str) -> None:
    for escape in STRATEGIES.values():
        assert len(escape(value)) <= WIDEST * len(value)


@given(TEXT)
def test_what_is_url_escaped_is_ascii_without_blanks(value: str) -> None:
    assert not set(escape_url_param(value)) & set(' "<>&=#+%') - {"%"}


@pytest.mark.parametrize(
    ("strategy", "value", "expected"),
    [
        ("html", "&<>\"'", "&amp;&lt;&gt;&quot;&#39;"),
        ("json", 'a"b\\c\b\f\n\r\t', 'a\\"b\\\\c\\b\\f\\n\\r\\t'),
        ("json", "</a/&\x01\x7fé😀", "<\\/a/\\u0026\\u0001\\u007F\\u00E9\\uD83D\\uDE00"),
        ("js", 'it\'s "x" </\n', 'it\\\'s \\"x\\" <\\/\\n'),
        ("js", "&\x01\x7féΩ😀\0", "\\x26\\x01\\x7F\\xE9\\u03A9\\uD83D\\uDE00\\0"),
        ("css", "a b", "a\\ b"),
        ("css", "1st-_x", "\\31st-_x"),
        ("css", "1a", "\\31 a"),
        ("css", "-1", "\\-1"),
        ("css", "--x", "\\--x"),
        ("css", "-x", "-x"),
        ("css", "_x:é", "\\_x\\3A\\E9"),
        ("css", "éa", "\\E9 a"),
        ("url_param", "x y&z/ü?:@!$()*,;~'", "x%20y%26z/%C3%BC?:@!$()*,;~'"),
        ("url_param", "a=b+c#d%", "a%3Db%2Bc%23d%25"),
    ],
)
def test_strategies(strategy: str, value: str, expected: str) -> None:
    assert STRATEGIES[strategy](value) == expected


@pytest.mark.parametrize("strategy", [*STRATEGIES, "none"])
def test_a_printer_takes_any_value_and_leaves_safe_ones(strategy: str) -> None:
    show = printer(strategy, 1000)
    assert show(Safe("<'\">")) == "<'\">"
    assert show(None) == ""
    assert show("plain") == "plain"
    assert show(True) == "true"


def test_a_printer_refuses_what_is_longer_than_the_output_may_be() -> None:
    with pytest.raises(RenderError, match="longer than 10"):
        printer("html", 10)("<" * 11)


def test_css_and_js_leave_words_alone() -> None:
    assert escape_css("color-x") == escape_js("color-x") == "color-x"
