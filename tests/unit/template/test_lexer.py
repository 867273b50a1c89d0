from hypothesis import given
from hypothesis import strategies as st

from headrace.template.lexer import Kind, Lexer

PIECES = [
    "{{", "}}", "{%", "%}", "{#", "#}", "-}}", "{{- ", "#{", "}", "{", '"', "'", "\\", " ", "\r\n", "if", "not",
    "is not", "1", "1.5", "10L", "1e5", "(", ")", "[", "]", ",", "|", "..", "a.b", "é", "\u00a0", "??", "-",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=40)


def kinds(text: str) -> list[Kind]:
    return [token.kind for token in Lexer(text).tokens()]


def values(text: str) -> list[str]:
    return [token.value for token in Lexer(text).tokens() if token.kind is not Kind.END]


@given(TEXTS)
def test_tokens_and_the_blanks_between_them_are_the_whole_text(text: str) -> None:
    position = 0
    for token in Lexer(text).tokens():
        if token.kind is Kind.INVALID or any(t.kind is Kind.INVALID for t in Lexer(text).tokens()):
            return
        assert text[position : token.start].strip(" \t\n\r\x0b\x0c-") == ""
        position = token.end
    assert position == len(text)


@given(TEXTS)
def test_the_lexer_reads_any_text_and_ends(text: str) -> None:
    assert kinds(text)[-1] is Kind.END
    assert kinds(text).count(Kind.END) == 1


@given(st.text(alphabet=st.characters(exclude_characters="{"), max_size=50))
def test_text_without_an_opening_brace_is_one_token(text: str) -> None:
    assert values(text) == ([text] if text else [])


def test_the_leftmost_opening_wins() -> None:
    assert kinds("{{% x }}")[:2] == [Kind.PRINT_OPEN, Kind.OPERATOR]


def test_lone_closing_delimiters_are_text() -> None:
    assert values("a }} b %} c } d") == ["a }} b %} c } d"]


def test_braces_of_a_map_do_not_close_a_print_tag() -> None:
    assert kinds('{{ {"a":{"b":1}}}}').count(Kind.PRINT_CLOSE) == 1


def test_a_trim_mark_needs_white_space_behind_it() -> None:
    assert values("a {{- b }} c") == ["a", "{{", "b", "}}", " c"]
    assert values("a {{-b }} c") == ["a ", "{{", "-", "b", "}}", " c"]


def test_only_the_text_next_to_a_trim_mark_is_trimmed() -> None:
    assert values("{{ a -}} \n b ") == ["{{", "a", "}}", "b "]
    assert values("x {#- c -#} y") == ["x", "", "y"]
    assert values("x {# c-#} y") == ["x ", "", " y"]


def test_a_no_break_space_is_not_trimmed() -> None:
    assert values("a\u00a0{{- b }}")[0] == "a\u00a0"


def test_a_backslash_escapes_the_surrounding_quote_only() -> None:
    assert values(r'{{ "a\"b\n" }}')[1] == r'a"b\n'
    assert values(r"{{ 'it\'s' }}")[1] == "it's"
    assert values("{{ 'a\\\"b' }}")[1] == 'a\\"b'


def test_a_string_with_interpolation_keeps_its_parts() -> None:
    token = Lexer('{{ "Hi #{who}, #{1 + 1}!" }}').tokens()[1]
    assert token.kind is Kind.INTERPOLATED
    assert [part if isinstance(part, str) else [t.value for t in part] for part in token.parts] == [
        "Hi ", ["who", "}"], ", ", ["1", "+", "1", "}"], "!",
    ]  # fmt: skip


def test_operator_words_are_whole_words() -> None:
    assert [token.kind for token in Lexer("{{ order island not_x is }}").tokens()[1:5]] == [
        Kind.NAME, Kind.NAME, Kind.NAME, Kind.OPERATOR,
    ]  # fmt: skip


def test_reading_goes_on_behind_a_mistake() -> None:
    tokens = Lexer("{{ a ! }} text {{ b }}").tokens()
    assert [token.value for token in tokens if token.kind in (Kind.TEXT, Kind.NAME)] == ["a", " text ", "b"]
