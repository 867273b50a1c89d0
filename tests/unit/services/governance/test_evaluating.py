"""Policies against dataflows: pure functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.deny import DEEPEST, Compound, labels_in, met_by, read_deny
from headrace.services.governance.evaluating import Named, PolicyViolation, Rule, Subject, Used, evaluate

LABELS = ("C1", "C2", "I1", "S1")
MAIL, CALLS = ("core", "emailTargeting"), ("custom", "calls")

EXPRESSIONS = st.recursive(
    st.sampled_from(LABELS),
    lambda inner: st.builds(
        Compound, st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=8,
)
SOME = st.frozensets(st.sampled_from(LABELS))


def is_true(expression, labels):
    if isinstance(expression, str):
        return expression in labels
    return (all if expression.operator == "AND" else any)(is_true(item, labels) for item in expression.operands)


def written(expression):
    if isinstance(expression, str):
        return {"label": expression}
    return {"operator": expression.operator, "operands": [written(item) for item in expression.operands]}


def used(label, field="person.name", source="person.name -> name"):
    return Used(label, Named("field", field, field), field, Named("mapping", source.split()[-1], source))


def subject(*items, actions=(MAIL,), of_destination=()):
    return Subject(
        Named("dataflow", "d-1", "Mail"),
        Named("destination", "x-1", "Harbour"),
        frozenset(actions) | frozenset(of_destination),
        frozenset(of_destination),
        items,
    )


def rule(deny, *actions):
    return Rule("p-1", "No mail", "custom", frozenset(actions or (MAIL,)), deny)


@given(EXPRESSIONS, SOME)
def test_an_expression_is_met_where_it_is_true_and_by_labels_that_make_it_so(expression, labels):
    met = met_by(expression, labels)

    assert bool(met) == is_true(expression, labels)
    assert met <= labels & {*labels_in(expression)}
    assert not met or is_true(expression, met), "what is told is enough by itself"


@given(EXPRESSIONS)
def test_an_expression_is_read_as_it_was_written(expression):
    assert read_deny(written(expression), "/deny") == (expression, [])


@given(EXPRESSIONS, SOME, st.sets(st.sampled_from([MAIL, CALLS])))
def test_a_policy_is_violated_by_an_action_it_denies_for_data_that_it_is_about(expression, labels, actions):
    found = evaluate([rule(expression)], subject(*map(used, sorted(labels)), actions=actions))

    assert bool(found) == (MAIL in actions and is_true(expression, labels))
    assert all(item.actions == (MAIL,) and set(item.labels) <= labels for item in found)


@given(EXPRESSIONS, SOME, SOME)
def test_more_labels_never_mend_a_violation(expression, labels, more):
    before = evaluate([rule(expression)], subject(*map(used, sorted(labels))))
    after = evaluate([rule(expression)], subject(*map(used, sorted(labels | more))))

    assert {part for item in before for part in item.parts()} <= {part for item in after for part in item.parts()}


def test_labels_count_together_wherever_they_come_from():
    both = Compound("AND", ("I1", "S1"))
    city = used("S1", "homeAddress.city", "homeAddress.city -> city")

    (found,) = evaluate([rule(both)], subject(used("I1"), city, used("C1")))

    assert found.labels == ("I1", "S1")
    assert [way["label"] for way in found.as_json()["lineage"]] == ["I1", "S1"]
    assert evaluate([rule(both)], subject(used("I1"))) == []


def test_each_way_out_is_told_once():
    item = evaluate([rule("C1")], subject(used("C1"), used("C1", source="upper(person.name) -> name2")))[0].as_json()

    assert [fix["message"] for fix in item["fixes"]] == [
        "take the mapping 'person.name -> name' out of the dataflow 'Mail'",
        "take the mapping 'upper(person.name) -> name2' out of the dataflow 'Mail'",
        "take the label C1 off the field 'person.name'",
        "take the marketing action 'emailTargeting' off the dataflow 'Mail'",
        "disable the policy 'No mail'",
    ]


def test_what_the_destination_is_for_is_not_the_operators_to_mend():
    (found,) = evaluate([rule("C1")], subject(used("C1"), actions=(), of_destination=(MAIL,)))

    assert "marketing action" not in {fix["noun"] for fix in found.as_json()["fixes"]}


def test_an_audience_stands_before_the_field_that_it_reads():
    audience = Named("audience", "sailors", "Sailors")
    dataset = Named("dataset", "s-1", "people")
    steps = [*Used("C1", dataset, "person.age", audience).steps()]

    assert [step.noun for step in steps] == ["dataset", "audience", "field"]


def test_a_refusal_says_how_many_there_are_and_a_way_out():
    found = evaluate([rule("C1"), rule("C1")], subject(used("C1")))

    told = PolicyViolation(found)

    assert "(and 1 more); a way out: take the mapping" in told.message
    assert len(told.violations) == 2


def deep(levels):
    return {"label": "C1"} if levels == 1 else {"operator": "OR", "operands": [deep(levels - 1)]}


WRONG = {
    "nothing": ({}, "/deny"),
    "no object": ("C1", "/deny"),
    "two things": ({"label": "C1", "operator": "AND", "operands": []}, "/deny"),
    "no label": ({"label": 1}, "/deny/label"),
    "an empty label": ({"label": ""}, "/deny/label"),
    "another operator": ({"operator": "XOR", "operands": [{"label": "C1"}]}, "/deny/operator"),
    "no operands": ({"operator": "AND", "operands": []}, "/deny/operands"),
    "operands that are none": ({"operator": "AND", "operands": {"label": "C1"}}, "/deny/operands"),
    "one inside": ({"operator": "AND", "operands": [{"label": "C1"}, {}]}, "/deny/operands/1"),
    "too deep": (deep(DEEPEST + 1), "/deny" + "/operands/0" * DEEPEST),
    "too many": ({"operator": "OR", "operands": [{"label": "C1"}] * 201}, "/deny"),
}


@pytest.mark.parametrize(("document", "where"), WRONG.values(), ids=WRONG)
def test_what_is_no_expression_is_told_with_its_place(document, where):
    _, problems = read_deny(document, "/deny")

    assert [problem.pointer for problem in problems] == [where]


def test_as_deep_as_allowed_is_read():
    assert read_deny(deep(DEEPEST), "/deny")[1] == []
