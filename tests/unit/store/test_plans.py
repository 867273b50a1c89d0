"""How hot statements find their rows on SQLite: by the index made for them, however small the tables still are."""

import re

import pytest

from headrace.store import profiles
from headrace.store.statistics import _PROPORTIONS
from unit.store.hot import HOT, LARGE

#: Steps over what a statement made itself, row by row or up to its limit.
_IS_SMALL = re.compile(r"CONSTANT|\(?subquery-|SEARCH moments|SCAN (retried|expired|oldest|w)$")


def plan(store, sql):
    given = dict.fromkeys(re.findall(r":(\w+)", sql), 1)
    return [row[3] for row in store.read_now(lambda tx: tx.run(f"EXPLAIN QUERY PLAN {sql}", given).fetchall())]


@pytest.mark.parametrize("name", HOT)
def test_a_hot_statement_finds_its_rows_by_an_index(sqlite_store, name):
    sql, expected = HOT[name]

    steps = plan(sqlite_store, sql)

    searches = [step for step in steps if re.match(r"(SEARCH|SCAN) ", step)]
    assert not [step for step in searches if step.startswith("SCAN") and not _IS_SMALL.search(step)], steps
    searches = [step for step in searches if not _IS_SMALL.search(step)]
    assert not [step for step in searches if step.endswith("(tenant=?)") and "MAX" not in sql.upper()], steps
    for step in searches:
        assert any(_is_by(step, index) for index in expected), steps


def _is_by(step, index):
    """Say whether a step of a plan uses an index, or the primary key of a table of that name."""
    if index not in LARGE:
        return f"INDEX {index} " in step
    return f"sqlite_autoindex_{index}_" in step or "USING PRIMARY KEY (tenant=? AND" in step


def test_the_last_number_of_a_person_is_read_from_the_end_of_an_index(sqlite_store):
    (step,) = plan(sqlite_store, profiles._LAST)

    assert "COVERING INDEX sqlite_autoindex_profiles_1 (tenant=?)" in step


def test_the_planner_is_told_once_how_large_tables_will_be(sqlite_store):
    rows = sqlite_store.read_now(lambda tx: tx.run("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall())

    assert sorted(rows) == sorted(_PROPORTIONS)


def test_what_the_planner_is_told_is_about_indexes_that_are_there(sqlite_store):
    there = {
        (table, name)
        for table in LARGE
        for (name,) in sqlite_store.read_now(
            lambda tx, t=table: tx.run(f"SELECT name FROM pragma_index_list('{t}')").fetchall()
        )
    }
    named = {(table, table if index.startswith("sqlite_autoindex") else index) for table, index, _ in _PROPORTIONS}

    assert {(table, index) for table, index in named if table != index} <= there
    assert {index for _, index, _ in _PROPORTIONS if index.startswith("sqlite_")} <= {name for _, name in there}
