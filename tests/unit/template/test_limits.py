import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace import template
from headrace.template import Limits

BOMBS: dict[str, str] = json.loads((Path(__file__).parent / "bombs.json").read_text())
DATA = {"xs": list(range(60)), "ys": list(range(100)), "longText": "x" * 20_000}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_ends_in_an_error_that_names_the_limit(text: str) -> None:
    compiled = template.compile(text)

    with pytest.raises(template.TemplateError) as caught:
        compiled.render(DATA)

    assert caught.value.limit in ("steps", "output", "strings", "items", "depth", "pattern", "time", None)
    assert "x" * 100 not in caught.value.message


def test_a_loop_is_charged_for_its_steps() -> None:
    compiled = template.compile(
        "{% for a in ys %}{% for b in ys %}{% endfor %}{% endfor %}", limits=Limits(steps=10_100)
    )
    assert compiled.render({"ys": list(range(100))}) == ""
    with pytest.raises(template.TemplateError, match="more than 10,100 steps"):
        compiled.render({"ys": list(range(101))})


@given(st.text(alphabet="a&é😀", min_size=1, max_size=30), st.integers(1, 40))
def test_the_output_limit_counts_bytes(value: str, limit: int) -> None:
    compiled = template.compile("{{ v | raw }}{% for x in [1] %}{{ v | raw }}{% endfor %}", limits=Limits(output=limit))
    fits = len(value.encode()) * 2 <= limit
    if fits:
        assert compiled.render({"v": value}) == value * 2
    else:
        with pytest.raises(template.TemplateError, match="output is longer"):
            compiled.render({"v": value})


def test_strings_that_are_let_go_do_not_count() -> None:
    text = "{% for x in ys %}{% for y in ys %}{% set s = longText ~ x ~ y %}{% endfor %}{% endfor %}{{ ys | length }}"
    assert template.compile(text).render(DATA) == "100"


def test_strings_that_are_held_count() -> None:
    text = "{% set l = [] %}{% for x in ys %}{% set l = l | merge([longText ~ x]) %}{% endfor %}"
    limits = Limits(strings=1_500_000)
    with pytest.raises(template.TemplateError) as caught:
        template.compile(text, limits=limits).render(DATA)
    assert caught.value.limit == "strings"


def test_values_of_the_data_are_free_to_be_long() -> None:
    assert len(template.compile("{{ v }}").render({"v": "x" * 4_000_000})) == 4_000_000
    with pytest.raises(template.TemplateError):
        template.compile("{{ v }}").render({"v": "x" * 4_200_000})


FRAGMENTS = st.sampled_from([
    "{% set s = s ~ s %}", "{% set s = s | replace({'a': 'aaa'}) %}", "{% set l = l | merge(l) %}", "{{ s }}",
    "{% set l = [l, l] %}", "{{ l }}", "{% set s = [s, s, s] | join(s) %}", "{% set s = ('%500s' | format(s)) %}",
    "{% set s = s | escape('js') %}", "{% filter upper %}{{ s }}{{ s }}{% endfilter %}", "{% set s = l | toJson %}",
    "{% set m = {'k': l, 'l': s} %}", "{% set l = m.values() %}", "{% set s = s.replace('a', s) %}", "{{ l == m }}",
    "{% set l = s | split('a') %}", "{% set l = l | sort %}", "{% set s = formUrlEncode(s, s) %}",
])  # fmt: skip


@settings(max_examples=40)
@given(st.lists(FRAGMENTS, min_size=1, max_size=4))
def test_whatever_grows_is_stopped(fragments: list[str]) -> None:
    limits = Limits(steps=20_000, output=50_000, strings=100_000, items=2_000)
    text = (
        "{% set s = 'a&é' %}{% set l = ['a'] %}{% set m = {} %}{% for x in xs %}" + "".join(fragments) + "{% endfor %}"
    )
    with suppress(template.TemplateError):
        assert len(template.compile(text, limits=limits).render(DATA).encode()) <= limits.output
