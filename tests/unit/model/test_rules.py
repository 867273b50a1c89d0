"""The tables of rules in ``tests/rules``: each row said exactly, hidden by nothing, and no code without a row."""

import ast
from pathlib import Path

import pytest

from authored import changed
from headrace.model.block import Block, inner_block, rules_of
from headrace.model.codes import CODES
from headrace.model.destination import Destination
from headrace.model.reading import examine
from rules import card_and_schema, fields, form, messages, oauth2, others, signing_in

TESTS = Path(__file__).parents[2]
TABLES = (fields, signing_in, oauth2, form, card_and_schema, messages, others)
#: Blocks that a destination has too, and whose rules are tested elsewhere.
OF_OTHERS = ("headrace.model.destination_server", "headrace.model.batch")
ROWS = [(table.__name__.rpartition(".")[2], row) for table in TABLES for row in table.TABLE.cases]
CASES = [pytest.param(row, id=f"{table}: {row.id}") for table, row in ROWS]
FAULTS = [pytest.param(row, id=f"{table}: {row.id}") for table, row in ROWS if row.problems]
#: Wrong in ways that have to do with no rule, and items that cannot be read beside those that can.
BROKEN = {
    "/description": 5,
    "/duleLabels": [5],
    "/inputSchemaId": [],
    "/releaseNote": 1,
    "/x-headrace": "?",
    "/customerAuthenticationConfigurations/-": 5,
    "/customerDataFields/-": {"name": 5, "type": "object", "conditional": 7, "dynamicEnum": [], "namedEnum": [5]},
    "/schemaConfig/profileFields/-": {"name": 5},
    "/schemaConfig/requiredMappings/-": {"primaryKeyRequired": 5},
    "/identityNamespaces/broken": {"acceptsAttributes": "?"},
}


def said(row, document):
    problems = examine(row.base.block, document).problems
    return sorted(f"{problem.severity} {problem.code} {problem.pointer}" for problem in problems)


@pytest.mark.parametrize("row", CASES)
def test_a_rule_says_what_its_row_says_and_nothing_else(row):
    assert said(row, row.document) == sorted(row.problems)


@pytest.mark.parametrize("row", FAULTS)
def test_what_is_wrong_elsewhere_hides_nothing(row):
    for where, value in BROKEN.items() if row.base.block is Destination else [("/unknown", {"anything": []})]:
        if not _is_touched(row, where):
            document = changed(_with_the_way_to(row.document, where), {where: value})
            assert set(row.problems) <= set(said(row, document)), where


@pytest.mark.parametrize("row", FAULTS)
def test_a_message_is_in_our_words_and_short(row):
    for problem in examine(row.base.block, row.document).problems:
        assert "put should" not in problem.message
        assert "alue error" not in problem.message
        assert 15 < len(problem.message) < 500
        assert not problem.message.endswith(".")


def test_rows_have_names_of_their_own():
    names = [case.id for case in CASES]

    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_every_rule_has_a_row_that_makes_it_speak():
    spoken = {check for _, row in ROWS for check in _speaking(examine(row.base.block, row.document).block)}
    rules = {check for block in _blocks_of({row.base.block for _, row in ROWS}) for check in rules_of(block)}

    assert [f"{check.__module__}.{check.__qualname__}" for check in rules - spoken] == []


def test_every_code_is_produced_by_a_row_or_by_a_test_that_says_so():
    produced = {problem.split(" ")[1] for _, row in ROWS for problem in row.problems}

    assert CODES.keys() - produced - _covered_elsewhere().keys() == set()


def test_what_a_test_says_it_covers_is_in_it():
    covered = _covered_elsewhere()

    assert [(code, str(path)) for code, path in covered.items() if code not in CODES] == []
    assert [code for code, path in covered.items() if path.read_text().count(f'"{code}"') < 2] == []


def _speaking(value):
    """The rules of a block and of those below it that find something."""
    if isinstance(value, Block):
        yield from (check for check in rules_of(type(value)) if _speaks(check, value))
        value = value.__dict__
    if isinstance(value, dict | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _speaking(item)


def _speaks(check, block):
    try:
        return any(True for _ in check(block))
    except AttributeError:
        return False


def _blocks_of(waiting):
    """The blocks that make up some others, without those of servers, which have tables of their own."""
    found = set()
    while waiting:
        block = waiting.pop()
        found.add(block)
        below = {held[0] for name in block.model_fields if (held := inner_block(block, name))}
        waiting |= {inner for inner in below - found if inner.__module__ not in OF_OTHERS}
    return found


def _covered_elsewhere():
    """The codes in the ``COVERED`` of any test module: a module-level tuple of those that its tests produce."""
    found = {}
    for path in sorted(TESTS.rglob("*.py")):
        text = path.read_text()
        if "\nCOVERED" in text:
            found |= dict.fromkeys(_assigned(ast.parse(text), "COVERED"), path)
    return found


def _assigned(tree, name):
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
            yield from ast.literal_eval(node.value)


def _is_touched(row, where):
    """Whether a row is about a place, or about what stands around it or beside it in a list."""
    place = where.removesuffix("/-")
    about = [*row.changes, *(problem.split(" ")[2] for problem in row.problems)]
    return any(other == place or other.startswith(f"{where}/") or where.startswith(f"{other}/") for other in about)


def _with_the_way_to(document, where):
    """The document with empty objects and lists on the way to a place, where there is nothing yet."""
    first, *rest = where.split("/")[1:]
    if not rest or not isinstance(document, dict):
        return document
    empty = [] if rest[0] == "-" else {}
    inner = document.get(first, empty)
    return {**document, first: _with_the_way_to(inner, "/" + "/".join(rest)) if isinstance(inner, dict) else inner}
