from contextlib import suppress

import pytest

from headrace.errors import TemplateSyntaxError
from headrace.template import nodes
from headrace.template.limits import Limits
from headrace.template.parser import parse
from headrace.template.source import Source


def tree(text: str, limits: Limits = Limits()) -> nodes.Body:  # noqa: B008
    return parse(Source(text, "t"), limits)


def problems(text: str, limits: Limits = Limits()) -> list[str]:  # noqa: B008
    with pytest.raises(TemplateSyntaxError) as caught:
        tree(text, limits)
    return [f"{problem.line}:{problem.column} {problem.message}" for problem in caught.value.problems]


def test_all_mistakes_are_reported_in_their_order() -> None:
    found = problems("{{ a | uper }}\n{% for x y %}{% endfor %}\n{{ [1,] }} {% include 'x' %} {{ b is  not empty }}")
    assert [entry.split(" ")[0] for entry in found] == ["1:8", "2:10", "3:7", "3:15", "3:39"]


def test_a_message_names_the_place_and_the_number_of_the_others() -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        tree("{{ a | lowercase }}{{ 1 2 }}")
    assert str(caught.value) == "t:1:8: `lowercase` is not a filter; did you mean `lower`? (and 1 more problem)"
    assert caught.value.problems[0].excerpt == "{{ a | lowercase }}{{ 1 2 }}\n       ^"
    assert (caught.value.name, caught.value.line, caught.value.column) == ("t", 1, 8)


def test_of_a_long_line_the_excerpt_shows_what_is_near() -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        tree("x" * 5000 + "{{ ? }}" + "y" * 5000)
    shown, caret = caught.value.problems[0].excerpt.split("\n")
    assert len(shown) == 120
    assert shown[caret.index("^")] == "?"


def test_a_missing_end_inside_of_another_tag_is_named() -> None:
    assert problems("{% for x in y %}{% if x %}a{% endfor %}b") == ["1:31 expected `endif` before `endfor`"]


def test_the_body_of_verbatim_is_not_read() -> None:
    assert len(problems("{% verbatim %}{{ 1 2 }}{% nosuch %}{% endverbatim %}{{ a }}")) == 1


def test_a_mistake_in_a_condition_does_not_lose_its_end() -> None:
    assert problems("{% if 1 2 %}a{% else %}b{% endif %}{% set 1 = 2 %}") == [
        "1:9 expected the end of the tag, not `2`",
        "1:43 expected the name of a variable, not `1`",
    ]


def test_no_more_than_fifty_problems_are_reported() -> None:
    assert len(problems("{{ 1 2 }}" * 200)) == 50


@pytest.mark.parametrize(
    "text",
    [
        "{% if a %}" * 65 + "{% endif %}" * 65,
        "{% for x in xs %}" * 17 + "{% endfor %}" * 17,
        "{{ " + "(" * 100 + "1" + ")" * 100 + " }}",
        "{{ " + "-" * 100 + "1 }}",
        "{{ " + "not " * 10000 + "a }}",
        "{{ a" + ".b" * 100 + " }}",
        "{{ a" + " | upper" * 100 + " }}",
        "{{ a" + " * 2" * 100 + " }}",
        "{{ a" + " ? b : a" * 100 + " }}",
        "{{ " + "[" * 10000 + " }}",
        '{{ "' + '#{"' * 100 + '"}' * 100 + '" }}',
    ],
    ids=["if", "for", "brackets", "minus", "not", "members", "filters", "product", "choices", "lists", "strings"],
)
def test_what_nests_too_deep_is_refused(text: str) -> None:
    found = problems(text)
    assert any("deeper" in entry or "not closed" in entry for entry in found)


def test_a_long_chain_is_not_deep() -> None:
    assert len(tree("{{ " + " ~ ".join(["a"] * 500) + " }}{{ " + " + ".join(["a"] * 500) + " }}")) == 2


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + '"' * 200_001 + " }}",
        "{{ 1 2 }}" * 5_000,
        '{{ "' + "#{a}" * 15_000 + '" }}',
        "{{" * 30_000,
        '{{ "#{' * 9_000,
    ],
    ids=["quotes", "mistakes", "interpolation", "openings", "open strings"],
)
def test_reading_takes_time_in_proportion_to_the_text(text: str) -> None:
    with suppress(TemplateSyntaxError):
        tree(text)


def test_a_template_has_a_longest_text_and_a_largest_number_of_pieces() -> None:
    assert "longer than 10 characters" in problems("x" * 11, Limits(source=10))[0]
    assert "more than 20 pieces" in problems("{{ a }}" * 21, Limits(nodes=20))[0]
