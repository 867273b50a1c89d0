"""The page about templates: every example does what it shows, and every name of the language is there."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from headrace import template
from headrace.template import Limits, registry
from headrace.template.advice import CODES
from headrace.template.escaping import STRATEGIES
from headrace.template.expressions import LEVELS
from headrace.template.parser import CLOSING, NOT_AVAILABLE, TAGS
from headrace.template.runtime import _LIST_METHODS, _MAP_METHODS, _STRING_METHODS
from headrace.template.shape import MESSAGE_CONTEXT, PROFILE

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "templates.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(
    r"(?:<!-- escaping: (\w+) -->\n\n)?```pebble\n(.*?)\n```\n\n(?:```json\n(.*?)\n```\n\n)?```text\n(.*?)\n```",
    re.DOTALL,
)
EXAMPLES = EXAMPLE.findall(PAGE)


def section(title):
    """The text below a heading, down to the next of the same depth or above."""
    match = re.search(rf"^(##+) {title}\n(.*?)(?=^##? |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert match, f"there is no section {title}"
    return match.group(2)


def rows(title):
    """The rows of the first table of a section, a list of cells each."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return cells[2:]


def code(cell):
    return re.findall(r"`([^`]+)`", cell.replace("\\|", "|"))


def test_there_are_examples_and_none_is_left_out():
    assert len(EXAMPLES) >= 20
    assert PAGE.count("```pebble") == len(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example[1].split("\n")[0][:40])
def test_an_example_does_what_it_shows(example):
    escaping, text, data, shown = example
    try:
        rendered = template.compile(text, escaping=escaping or "html").render(json.loads(data or "{}"))
    except (template.TemplateSyntaxError, template.TemplateError) as error:
        rendered = "\n".join(f"{problem}\n{problem.excerpt}" for problem in error.problems)
    assert rendered == shown


@pytest.mark.parametrize(
    ("title", "table"), [("Filters", registry.filters), ("Functions", registry.functions), ("Tests", registry.tests)]
)
def test_every_name_is_there_with_its_arguments_in_alphabetical_order(title, table):
    listed = {code(row[0])[0]: row for row in rows(title) if code(row[0])}
    assert set(listed) >= set(table.entries)
    for name, entry in table.entries.items():
        arguments = listed[name][1] if title != "Tests" else ""
        assert "…" in arguments if entry.variadic else tuple(code(arguments)) == entry.parameters
    if title != "Tests":
        named = [name for name in listed if name in table.entries]
        assert named == sorted(named, key=str.lower)


def test_every_operator_is_there_from_the_loosest_to_the_tightest():
    listed = [code(row[0]) for row in rows("Operators")]
    levels = [max(LEVELS[operator] for operator in row if operator in LEVELS) for row in listed[1:-1]]
    assert levels == sorted(levels)
    assert {operator for row in listed for operator in row} >= {*LEVELS, "not"}


def test_every_tag_is_there_and_every_one_that_is_not():
    tags = section("Tags")
    assert all(f"{{% {tag} " in tags for tag in TAGS)
    assert all(f"{{% {end} %}}" in tags for end in CLOSING.values())
    assert set(code(section("What differs from Pebble"))) >= NOT_AVAILABLE


def test_every_method_is_there():
    methods = [_STRING_METHODS, _LIST_METHODS, _MAP_METHODS]
    listed = [[call.split("(")[0] for call in code(row[1])] for row in rows("Members")]
    assert listed == [list(table) for table in methods]


def test_every_limit_is_there_with_its_value():
    listed = {code(row[0])[0]: int(row[1].replace(",", "")) for row in rows("Limits")}
    assert listed == dataclasses.asdict(Limits())


def test_every_strategy_and_every_code_is_there():
    assert [code(row[0])[0] for row in rows("Escaping")] == list(STRATEGIES)
    assert [code(row[0])[0] for row in rows("Checking a template")] == list(CODES)


def test_every_variable_is_there():
    given = section("What a template is given")
    for root, shape in MESSAGE_CONTEXT.members.items():
        assert f"`{root}" in given
        for member in shape.members:
            assert f"`{member}`" in given or f"`{root}.{member}`" in given or member == "enrichmentAttributes"
    assert all(f"`{member}`" in given for member in PROFILE.members)
