"""Audience templates are written in the template language, with two forms of their own."""

import pytest

from headrace import template
from headrace.errors import TemplateSyntaxError
from headrace.template.advice import unknown_variables
from headrace.template.macros import as_template, compile_macros

DATA = {"segment": {"name": "A & B", "list": ["x"]}, "headers": {"X-Request-Id": "r-1", "etag": "e"}, "a": 5}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{{ segment.name }}", "A &amp; B"),
        ("{{{ segment.name }}}", "A & B"),
        ("{{{segment.name}}}{{{segment.name}}}", "A & BA & B"),
        ("{{ headers.X-Request-Id }}", "r-1"),
        ("{{ headers.X-Request-Id | upper }} {{ headers.etag }}", "R-1 e"),
        ("{{ a - 1 }}", "4"),
        ("{{ {'b': a} | toJson | raw }}", '{"b":5}'),
        ('{% set x = {"list": segment.list} %}{{ x | toJson | raw }}', '{"list":["x"]}'),
    ],
)
def test_macros_print_what_they_name(text, rendered):
    assert compile_macros(text).render(DATA) == rendered


@pytest.mark.parametrize("text", ["{{ a }}", "{{ {'a': {'b': 1}} }}", "no macro", "{{{ a + 1 }}}"])
def test_what_is_no_form_of_macros_stays(text):
    assert as_template(text) == text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{{ a | uper }}", (1, 8)),
        ("{{{ a }}} {{ a | uper }}", (1, 18)),
        ("{{{ a }}}\n{{ headers.X-Id }}{{{a}}} {{ a | uper }}", (2, 34)),
        ("{{ a | uper }} {{{ a }}}", (1, 8)),
    ],
)
def test_a_mistake_is_shown_where_the_author_made_it(text, place):
    with pytest.raises(TemplateSyntaxError) as caught:
        compile_macros(text)

    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == place
    assert problem.source_line == text.split("\n")[place[0] - 1]
    assert problem.source_line[problem.column - 1 :].startswith("uper")


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("{% if customerData contains 'region' %}{% endif %}", {("customerData", "region")}),
        ("{% if customerData.csv contains 'sep' %}{% endif %}", {("customerData", "csv", "sep")}),
        ("{% set c = {} %}{% if c contains 'x' %}{% endif %}", set()),
        ("{% if customerData[a] contains 'x' %}{% endif %}", set()),
        ("{% if customerData contains a %}{% endif %}", set()),
    ],
)
def test_a_template_says_what_it_asks_for(text, asks):
    assert template.compile(text).asks == asks


def test_unknown_variables_are_found_with_their_places():
    found = unknown_variables("{% set a = 1 %}{{ a }}{{ segment.x }}\n{{ segmnt.x }}{{ b }}", ["segment"])

    assert [(problem.line, problem.column) for problem in found] == [(2, 4), (2, 18)]
    assert "did you mean `segment`?" in found[0].message
