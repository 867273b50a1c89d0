"""How the hot statements find their rows: by the index that was made for them, however small the tables still are."""

import re

import pytest

from headrace.store import ledger, outbox, profiles
from headrace.store.statistics import _PROPORTIONS

#: Statements that every change takes, with the indexes they must find their rows by.
HOT = {
    "accept: the changes that wait": (outbox._OPEN_CHANGES, {"changes"}),
    "accept: what is under way": (outbox._CLAIMED_UP_TO, {"lanes"}),
    "accept: superseded": (outbox._DELETE_CHANGE, {"changes"}),
    "accept: known lanes": (outbox._KNOWN_LANES, {"lanes"}),
    "claim: the next bucket": (outbox._NEXT_BUCKET, {"lanes_due"}),
    "claim: lanes": (outbox._CLAIM_LANES, {"lanes_due", "lanes"}),
    "claim: due groups": (outbox._DUE_GROUPS, {"groups_of_dataflow"}),
    "claim: moved": (outbox._RELEASE_MOVED, {"lanes_claimed"}),
    "claim: again": (outbox._RECLAIM_LANES, {"lanes_claimed"}),
    "claim: the group": (outbox._RECLAIM_GROUP, {"groups"}),
    "claim: entries": (outbox._ENTRIES, {"lanes_claimed", "profiles"}),
    "claim: what changed": (outbox._CHANGED, {"lanes_claimed", "changes"}),
    "claim: when next": (outbox._NEXT_DUE, {"groups_of_dataflow"}),
    "settle: is it ours": (outbox._GROUP_IS_OURS, {"groups"}),
    "settle: acknowledge": (outbox._ACKNOWLEDGE, {"lanes", "lanes_claimed"}),
    "settle: what is done": (outbox._TAKE_SETTLED_CHANGES, {"lanes_claimed", "changes", "lanes"}),
    "settle: forget": (outbox._FORGET_LANES, {"lanes_claimed"}),
    "settle: free": (outbox._FREE_LANES, {"lanes_claimed"}),
    "park: changes": (outbox._TAKE_PARKED_CHANGES, {"changes"}),
    "park: free": (outbox._FREE_PARKED_LANE, {"lanes", "lanes_claimed"}),
    "park: forget": (outbox._FORGET_PARKED_LANE, {"lanes"}),
    "park: the last number": (
        "SELECT coalesce(max(parked), 0) FROM parked WHERE tenant = :tenant AND dataflow = :dataflow",
        {"parked"},
    ),
    "ingest: who is it": (profiles._FIND, {"profiles"}),
    "ingest: the last number": (profiles._LAST, {"profiles"}),
    "ingest: the new state": (profiles._UPDATE, {"profiles"}),
    "backfill: people": (profiles._SCAN, {"profiles"}),
    "ledger: waiting": (ledger._WAITING, {"changes"}),
}
#: Steps over what a statement made itself, row by row or up to its limit.
_IS_SMALL = re.compile(r"CONSTANT|\(?subquery-|SEARCH moments")
LARGE = ("lanes", "changes", "profiles", "groups", "parked")


def plan(store, sql):
    given = dict.fromkeys(re.findall(r":(\w+)", sql), 1)
    return [row[3] for row in store.read_now(lambda tx: tx.run(f"EXPLAIN QUERY PLAN {sql}", given).fetchall())]


@pytest.mark.parametrize("name", HOT)
def test_a_hot_statement_finds_its_rows_by_an_index(store, name):
    sql, expected = HOT[name]

    steps = plan(store, sql)

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


def test_the_last_number_of_a_person_is_read_from_the_end_of_an_index(store):
    (step,) = plan(store, profiles._LAST)

    assert "COVERING INDEX sqlite_autoindex_profiles_1 (tenant=?)" in step


def test_the_planner_is_told_once_how_large_tables_will_be(store):
    rows = store.read_now(lambda tx: tx.run("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall())

    assert sorted(rows) == sorted(_PROPORTIONS)


def test_what_the_planner_is_told_is_about_indexes_that_are_there(store):
    there = {
        (table, name)
        for table in LARGE
        for (name,) in store.read_now(
            lambda tx, t=table: tx.run(f"SELECT name FROM pragma_index_list('{t}')").fetchall()
        )
    }
    named = {(table, table if index.startswith("sqlite_autoindex") else index) for table, index, _ in _PROPORTIONS}

    assert {(table, index) for table, index in named if table != index} <= there
    assert {index for _, index, _ in _PROPORTIONS if index.startswith("sqlite_")} <= {name for _, name in there}
