"""Which rows go into a file, row by row of the table."""

import pytest

from headrace.batch.select import Manner, Sight, row_of

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
