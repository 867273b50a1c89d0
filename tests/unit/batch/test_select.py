"""Which rows go into a file, row by row of the table."""

import duckdb
import pytest

from headrace.batch.select import Manner, Sight, row_of, status_sql

FULL, NEWS = Manner("full"), Manner("incremental")
STATUS = Manner("incremental", tells_status=True)
MEMBER, ENTERED, LEFT = Sight("realized", "realized"), Sight("realized", None), Sight("exited", "realized")


def test_the_first_file_has_every_member():
    assert row_of(ENTERED, Manner("full", is_first=True)) == "realized"
    assert row_of(ENTERED, Manner("incremental", is_first=True)) == "realized"
    assert row_of(Sight("exited", None), Manner("incremental", is_first=True, tells_status=True)) is None
    assert row_of(Sight(None, None), Manner("full", is_first=True)) is None


def test_a_member_of_whom_nothing_has_changed_is_in_full_files_only():
    assert row_of(MEMBER, FULL) == "realized"
    assert row_of(MEMBER, NEWS) is None


@pytest.mark.parametrize("then", [None, "exited"])
def test_who_has_entered_is_in_files_of_either_mode(then):
    assert row_of(Sight("realized", then), FULL) == "realized"
    assert row_of(Sight("realized", then), NEWS) == "realized"


@pytest.mark.parametrize("now", ["exited", None])
def test_who_has_left_is_in_no_full_file(now):
    assert row_of(Sight(now, "realized"), FULL) is None
    assert row_of(Sight(now, "realized"), Manner("full", tells_status=True)) is None


@pytest.mark.parametrize("now", ["exited", None])
def test_who_has_left_is_in_an_incremental_file_if_the_status_is_mapped(now):
    assert row_of(Sight(now, "realized"), STATUS) == "exited"
    assert row_of(Sight(now, "realized"), NEWS) is None


def test_a_new_identity_brings_a_member_into_an_incremental_file():
    person = Sight("realized", "realized", has_new_identity=True)

    assert row_of(person, FULL) == row_of(person, NEWS) == "realized"
    assert row_of(person, Manner("incremental", follows_identities=False)) is None
    assert row_of(Sight("exited", "exited", has_new_identity=True), STATUS) is None


def test_a_changed_attribute_brings_nobody_into_an_incremental_file():
    person = Sight("realized", "realized", has_new_attributes=True)

    assert row_of(person, FULL) == "realized"
    assert row_of(person, NEWS) is None


def test_who_came_and_went_between_two_files_is_in_neither():
    assert row_of(Sight("exited", None), STATUS) is None
    assert row_of(Sight("exited", "exited"), STATUS) is None


def test_who_left_is_told_of_once():
    assert row_of(LEFT, STATUS) == "exited"
    assert row_of(Sight("exited", "exited"), STATUS) is None


@pytest.mark.parametrize("then", ["realized", "exited", None])
def test_of_whom_nobody_knows_what_the_partner_has_is_told_again(then):
    assert row_of(Sight("realized", then, is_unsure=True), NEWS) == "realized"
    assert row_of(Sight("exited", then, is_unsure=True), STATUS) == "exited"
    assert row_of(Sight(None, then, is_unsure=True), NEWS) is None


MANNERS = [
    Manner(mode, is_first, tells_status, follows_identities)
    for mode in ("full", "incremental")
    for is_first in (True, False)
    for tells_status in (True, False)
    for follows_identities in (True, False)
]


@pytest.mark.parametrize("manner", MANNERS, ids=str)
def test_the_database_says_of_everybody_what_the_table_says(manner):
    people = [
        Sight(now, then, is_unsure, has_new_identity)
        for now in ("realized", "exited", None)
        for then in ("realized", "exited", None)
        for is_unsure in (True, False)
        for has_new_identity in (True, False)
    ]
    rows = [(place, sight.now, *_known(sight), sight.has_new_identity) for place, sight in enumerate(people)]
    with duckdb.connect(":memory:") as database:
        database.execute(
            "CREATE TABLE people (place INT, now VARCHAR, was_member BOOL, was_perhaps_member BOOL, has_new BOOL)"
        )
        database.execute("ALTER TABLE people RENAME has_new TO has_new_identity")
        database.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", rows)
        found = database.execute(f"SELECT {status_sql(manner)} FROM people ORDER BY place").fetchall()

    assert [status for (status,) in found] == [row_of(sight, manner) for sight in people]


def _known(sight):
    """Whether the files before surely have somebody as a member, and whether they perhaps do."""
    was_member = sight.then == "realized"
    return (was_member and not sight.is_unsure, was_member or sight.is_unsure)
