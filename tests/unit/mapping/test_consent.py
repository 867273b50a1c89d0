"""The decision of consent policies: a document, what is asked of it, and whether the partner may be told."""

import pytest

from headrace.errors import AccountError
from headrace.mapping.consent import Consents, NamedPolicy
from headrace.model.consent import ConsentPolicy
from headrace.model.problem import ConfigurationError
from headrace.model.reading import read

EMAIL = {"path": "consents.marketing.email.val", "values": ["y", "vi"]}
TOLD, WITHHELD = None, "policy"


def policy(*conditions, id_="1", name="policy", **more):
    document = {"name": name, "conditions": list(conditions), **more}
    return NamedPolicy(id_, read(ConsentPolicy, document)[0])


def said(value):
    return {"consents": {"marketing": {"email": {"val": value}}}}


CASES = {
    "agreed": ([EMAIL], {}, said("y"), TOLD),
    "agreed in another way": ([EMAIL], {}, said("vi"), TOLD),
    "refused": ([EMAIL], {}, said("n"), WITHHELD),
    "never asked": ([EMAIL], {}, {}, WITHHELD),
    "nothing there": ([EMAIL], {}, said(None), WITHHELD),
    "an object there": ([EMAIL], {}, said({"y": "y"}), WITHHELD),
    "an empty list there": ([EMAIL], {}, said([]), WITHHELD),
    "something else on the way": ([EMAIL], {}, {"consents": "y"}, WITHHELD),
    "never asked, and told all the same": ([{**EMAIL, "absent": "told"}], {}, {}, TOLD),
    "one of a list": ([EMAIL], {}, said(["n", "y"]), TOLD),
    "none of a list": ([EMAIL], {}, said(["n", "x"]), WITHHELD),
    "not one of some": ([{**EMAIL, "operator": "notIn"}], {}, said("n"), TOLD),
    "one of those it must not be": ([{**EMAIL, "operator": "notIn"}], {}, said("y"), WITHHELD),
    "an object where it must not be one": ([{**EMAIL, "operator": "notIn"}], {}, said({"a": 1}), WITHHELD),
    "true is not 1": ([{"path": "ok", "values": [True]}], {}, {"ok": 1}, WITHHELD),
    "1 is not true": ([{"path": "ok", "values": [1]}], {}, {"ok": True}, WITHHELD),
    "true is true": ([{"path": "ok", "values": [True]}], {}, {"ok": True}, TOLD),
    "1 is 1.0": ([{"path": "ok", "values": [1]}], {}, {"ok": 1.0}, TOLD),
    "something is there": ([{"path": "since", "operator": "exists"}], {}, {"since": "2026"}, TOLD),
    "something ought to be there": ([{"path": "since", "operator": "exists"}], {}, {}, WITHHELD),
    "nothing ought to be there": ([{"path": "no", "operator": "notExists"}], {}, {"no": 1}, WITHHELD),
    "nothing is there": ([{"path": "no", "operator": "notExists"}], {}, {}, TOLD),
    "all, of which one is not met": (
        [EMAIL, {"path": "no", "operator": "notExists"}],
        {},
        {**said("y"), "no": 1},
        WITHHELD,
    ),
    "any, of which one is met": (
        [EMAIL, {"path": "no", "operator": "notExists"}],
        {"match": "any"},
        {**said("y"), "no": 1},
        TOLD,
    ),
    "any, of which none is met": ([EMAIL, {"path": "x", "values": [1]}], {"match": "any"}, {}, WITHHELD),
}


@pytest.mark.parametrize(("conditions", "more", "person", "outcome"), CASES.values(), ids=CASES)
def test_a_person_is_told_of_or_withheld(conditions, more, person, outcome):
    assert Consents([policy(*conditions, **more)]).withholding(person) == outcome


def test_every_policy_counts_and_the_one_that_withholds_is_named():
    consents = Consents([policy(EMAIL), policy({"path": "age", "values": [18]}, id_="2", name="of age")])

    assert consents.withholding({**said("y"), "age": 18}) is None
    assert consents.withholding({**said("y"), "age": 12}) == "of age"
    assert consents.withholding({"age": 18}) == "policy"


def test_who_is_withheld_is_seen_as_out_of_every_audience_and_stays_as_they_are():
    member = {"status": "realized", "lastQualificationTime": "2026-01-01T00:00:00Z"}
    person = {"segmentMembership": {"ups": {"a": member}}, "city": "Bern"}

    seen = Consents([policy(EMAIL)]).seen(person)

    assert seen == {"segmentMembership": {"ups": {"a": {**member, "status": "exited"}}}, "city": "Bern"}
    assert member["status"] == "realized"


def test_who_may_be_told_of_is_seen_as_they_are():
    person = said("y")

    assert Consents([policy(EMAIL)]).seen(person) is person
    assert Consents().seen(said("n")) == said("n")
    assert Consents([policy(EMAIL)]).seen(None) is None


def test_no_policies_are_false_and_have_no_version():
    assert not Consents()
    assert Consents().version == ""
    assert Consents([policy(EMAIL)])


def test_the_version_is_another_for_other_policies_in_whatever_order():
    one, two = policy(EMAIL), policy(EMAIL, id_="2")

    assert Consents([one, two]).version == Consents([two, one]).version
    assert Consents([one]).version != Consents([two]).version
    assert Consents([one]).version != Consents([policy({**EMAIL, "values": ["y"]})]).version


@pytest.mark.parametrize(
    ("more", "actions", "binds"),
    [
        ({}, frozenset({"sms"}), True),
        ({"marketingActions": ["email"]}, frozenset({"sms"}), False),
        ({"marketingActions": ["email"]}, frozenset({"sms", "email"}), True),
        ({"marketingActions": ["email"]}, None, True),
        ({"enabled": False}, None, False),
    ],
)
def test_a_policy_binds_dataflows_by_their_marketing_actions(more, actions, binds):
    assert policy(EMAIL, **more).applies_to(actions) == binds


@pytest.mark.parametrize(
    "condition",
    [
        {"path": "a"},
        {"path": "a", "values": []},
        {"path": "a", "operator": "exists", "values": ["y"]},
        {"path": "a", "values": ["y"], "operator": "like"},
        {"path": "", "values": ["y"]},
        {"path": "a", "values": [None]},
    ],
)
def test_a_condition_that_cannot_be_meant_is_refused(condition):
    with pytest.raises(ConfigurationError):
        policy(condition)


def test_a_policy_of_a_path_that_is_none_is_not_compiled():
    with pytest.raises(AccountError):
        Consents([policy({"path": "a..b", "values": ["y"]})])
