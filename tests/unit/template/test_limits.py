import json
import os
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headrace
from headrace import template
from headrace.template import Limits

ROOT = Path(__file__).parents[3]
DATA = {"xs": list(range(60)), "ys": list(range(100)), "longText": "x" * 20_000}
ADDRESS_SPACE = 1 << 30
FAR_TOO_LONG = 20.0
"""Seconds of CPU time: a machine may be slow, and ``benchmarks/bombs.py`` is strict."""


def _small_world() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


@pytest.fixture(scope="module")
def exploded() -> list[dict[str, Any]]:
    """What became of all bombs, each in a process of its own that has little memory."""
    script = ROOT / "benchmarks" / "bombs.py"
    environment = {**os.environ, "PYTHONPATH": str(Path(headrace.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, str(script), "--json"],
        env=environment,
        capture_output=True,
        check=True,
        preexec_fn=_small_world,
    )
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_every_bomb_ends_in_an_error(exploded: list[dict[str, Any]]) -> None:
    known = {"steps", "output", "strings", "items", "depth", "pattern", "time", "memory", "error", "syntax"}
    assert [row["name"] for row in exploded if row["outcome"] not in known] == []
    assert len(exploded) >= 100


def test_no_bomb_takes_long(exploded: list[dict[str, Any]]) -> None:
    assert [row["name"] for row in exploded if row["seconds"] > FAR_TOO_LONG] == []


def test_no_message_about_a_bomb_holds_the_data(exploded: list[dict[str, Any]]) -> None:
    assert [row["name"] for row in exploded if "x" * 100 in row["message"]] == []


def test_a_loop_is_charged_for_its_steps() -> None:
    text = "{% for a in ys %}{% for b in ys %}{% endfor %}{% endfor %}"
    compiled = template.compile(text, limits=Limits(steps=10_200))
    assert compiled.render({"ys": list(range(100))}) == ""
    with pytest.raises(template.TemplateError, match="more than 10,200 steps"):
        compiled.render({"ys": list(range(101))})


@pytest.mark.parametrize(
    "body",
    [
        "{% set a = x * 2 %}", "{{ nothing }}", "{% if x == 1 or x is even %}{% endif %}", "{{ x | upper }}",
        "{% for q in none %}{% else %}{% endfor %}", "{% filter upper %}{% endfilter %}", "{% set l = [x] %}",
    ],
)  # fmt: skip
def test_a_turn_is_charged_for_what_is_in_it(body: str) -> None:
    text = "{% for x in ys %}" + body * 100 + "{% endfor %}"
    with pytest.raises(template.TemplateError, match="steps"):
        template.compile(text, limits=Limits(steps=2_000)).render(DATA)


def test_a_message_of_ten_thousand_profiles_is_within_the_limits() -> None:
    text = (
        "[{% for p in input.profiles %}{% for e in p.identityMap %}{% for i in e.value %}{{ i.id }}"
        "{% if not loop.last %},{% endif %}{% endfor %}{% endfor %}{% for a in p.attributes %}{{ a.key }}"
        "{% if a.value is empty %}null{% else %}{{ a.value.value }}{% endif %}{% endfor %}"
        "{{ p.lastSeen | date('yyyy-MM-dd', existingFormat='dd.MM.yyyy HH:mm') }}{% endfor %}]"
    )
    profile = {
        "identityMap": {name: [{"id": name}] for name in ("a", "b", "c")},
        "attributes": {name: {"value": name} for name in ("a", "b", "c", "d")},
        "lastSeen": "01.03.2024 10:00",
    }
    template.compile(text).render({"input": {"profiles": [profile] * 10_000}})


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
