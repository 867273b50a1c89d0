"""What is next for a row: every line of the table, with templates that can do all, and that lack what it takes."""

from dataclasses import replace

import pytest

from headrace.model.audience_template import AudienceTemplate
from headrace.model.reading import read
from headrace.services.at_partner.deciding import Abilities, next_step
from headrace.store.partner_audiences import PartnerAudience
from unit.services.at_partner.branch import CREATE, template

ALL = Abilities(create=True, update=True, delete=True, find=True)
BLIND = replace(ALL, find=False)
REPEATS = replace(BLIND, repeats=True)
NOTHING = Abilities()
NEW, OLD = {"name": "new"}, {"name": "old"}


def row(told=None, calling=None):
    return PartnerAudience(1, "target", 1, "x" if told else None, "ready", None, told, calling, 0, 0, None)


CASES = {
    "nothing is known, it is wanted": (row(), NEW, ALL, "create"),
    "nothing is known, it is wanted, and cannot be made": (row(), NEW, NOTHING, "forget"),
    "nothing is known, nobody wants it": (row(), None, ALL, "forget"),
    "it is told what is wanted": (row(NEW), NEW, ALL, "nothing"),
    "it is told something else": (row(OLD), NEW, ALL, "update"),
    "it is told something else, and cannot be renamed": (row(OLD), NEW, replace(ALL, update=False), "nothing"),
    "it is there, nobody knows under which name": (row({}), NEW, ALL, "update"),
    "it is there, nobody wants it": (row(OLD), None, ALL, "delete"),
    "it is there, nobody wants it, and it cannot be deleted": (row(OLD), None, replace(ALL, delete=False), "forget"),
    "a create of unknown outcome": (row(None, "create"), NEW, ALL, "find"),
    "a create of unknown outcome that nobody wants any more": (row(None, "create"), None, ALL, "find"),
    "a create of unknown outcome, to be repeated": (row(None, "create"), NEW, REPEATS, "create"),
    "a create that nobody wants, repeated to be deleted": (row(None, "create"), None, REPEATS, "create"),
    "a create of unknown outcome, and no way to look": (row(None, "create"), NEW, BLIND, "ask"),
    "a create that nobody wants, and no way to look": (row(None, "create"), None, BLIND, "ask"),
    "a create that nobody wants or could delete": (row(None, "create"), None, replace(BLIND, delete=False), "forget"),
    "an update of unknown outcome": (row(OLD, "update"), NEW, ALL, "update"),
    "an update of unknown outcome, back to what was told": (row(OLD, "update"), OLD, ALL, "update"),
    "an update of unknown outcome that nobody wants": (row(OLD, "update"), None, ALL, "delete"),
    "a delete of unknown outcome": (row(OLD, "delete"), None, ALL, "delete"),
    "a delete of unknown outcome, wanted again": (row(OLD, "delete"), OLD, ALL, "delete"),
    "a delete of unknown outcome that cannot be repeated": (
        row(OLD, "delete"),
        None,
        replace(ALL, delete=False),
        "forget",
    ),
    "the same, wanted again": (row(OLD, "delete"), NEW, replace(ALL, delete=False), "create"),
}


@pytest.mark.parametrize(("known", "wanted", "can", "expected"), CASES.values(), ids=CASES)
def test_what_is_next(known, wanted, can, expected):
    assert next_step(known, wanted, can) == expected


def test_a_template_can_do_what_it_has_requests_for():
    metadata = read(AudienceTemplate, template())[0].metadata_template
    assert Abilities.for_audiences(metadata) == ALL
    assert Abilities.for_dataflows(metadata) == NOTHING
    assert Abilities.for_audiences(None) == Abilities.for_dataflows(None) == NOTHING


def test_a_template_says_that_a_request_may_be_repeated():
    create = {**CREATE, "x-headrace": {"createIsIdempotent": True}}
    metadata = read(AudienceTemplate, template(create=create, createDestination=create))[0].metadata_template
    assert Abilities.for_audiences(metadata).repeats
    assert Abilities.for_dataflows(metadata) == Abilities(create=True, repeats=True)
