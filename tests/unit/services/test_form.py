"""The form: which fields are shown, what they must be, and what is made of what an operator gave."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.connect.secrets import MASK
from headrace.model.customer_data import CustomerDataField
from headrace.model.reading import read
from headrace.services import form


def fields(*documents):
    return tuple(read(CustomerDataField, document)[0] for document in documents)


def a(name="a", **says):
    return {"name": name, "type": "string", **says}


def group(*inner, name="g", **says):
    return {"name": name, "type": "object", "properties": list(inner), **says}


def when(field, value="x"):
    return {"field": field, "operator": "EQUALS", "value": value}


def named(*values):
    return [{"name": value.upper(), "value": value} for value in values]


CSV = (
    a("fileType", enum=["CSV", "JSON"], default="CSV"),
    group(a("sep", default=","), a("quote", isRequired=True), name="csv", conditional=when("fileType", "CSV")),
)
CHAIN = (a("one"), a("two", conditional=when("one")), a("three", conditional=when("two"), isRequired=True))
FETCHED = {
    "destinationServerId": "s",
    "authenticationRule": "NONE",
    "value": "$.list",
    "responseFormat": "NAME_VALUE",
    "queryParams": ["region"],
}

COMPLETED = {
    "a default": ((a(default="x"),), {}, {"a": "x"}),
    "a value in the place of a default": ((a(default="x"),), {"a": "y"}, {"a": "y"}),
    "nothing for a default": ((a(default="x"),), {"a": ""}, {"a": ""}),
    "null is not given": ((a(default="x"),), {"a": None}, {"a": "x"}),
    "a default in a group": ((group(a(default="x")),), {}, {"g": {"a": "x"}}),
    "a default in a group in a group": ((group(group(a(default="x"), name="h")),), {}, {"g": {"h": {"a": "x"}}}),
    "a group of nothing": ((group(a()),), {"g": {}}, {}),
    "a number": (({"name": "n", "type": "integer", "default": 10},), {}, {"n": 10}),
    "an empty number": (({"name": "n", "type": "integer", "default": 10},), {"n": ""}, {"n": 10}),
    "the author's order": ((a(), a("b")), {"b": "2", "a": "1"}, {"a": "1", "b": "2"}),
    "an empty choice": ((a(enum=["", "x"], isRequired=True),), {"a": ""}, {"a": ""}),
    "strange choices": ((a(namedEnum=named(",", "\t", "\0")),), {"a": "\0"}, {"a": "\0"}),
    "a pattern that is searched": ((a(pattern="b"),), {"a": "abc"}, {"a": "abc"}),
    "a hidden default": ((a(hidden=True, default="x"),), {}, {"a": "x"}),
    "a hidden default, sent along": ((a(hidden=True, default="x"),), {"a": "x"}, {"a": "x"}),
    "a hidden group": ((group(a(default="x"), hidden=True),), {}, {"g": {"a": "x"}}),
    "what is shown by a default": (
        CSV, {"csv": {"quote": "q"}}, {"fileType": "CSV", "csv": {"sep": ",", "quote": "q"}},
    ),
    "what is not shown is dropped": (CSV, {"fileType": "JSON", "csv": {"quote": 5, "what": 1}}, {"fileType": "JSON"}),
    "nobody asks for what is not shown": (CSV, {"fileType": "JSON"}, {"fileType": "JSON"}),
    "what hangs on what is not shown": (CHAIN, {"one": "y", "two": "x", "three": "z"}, {"one": "y"}),
    "a chain": (CHAIN, {"one": "x", "two": "x", "three": "z"}, {"one": "x", "two": "x", "three": "z"}),
    "case counts": ((a(), a("b", conditional=when("a", "X"))), {"a": "x", "b": "1"}, {"a": "x"}),
    "a number decides": (
        ({"name": "n", "type": "integer"}, a(conditional=when("n", "5"))), {"n": 5, "a": "x"}, {"n": 5, "a": "x"},
    ),
    "a field around the group decides": (
        (a(), group(a("b", default="1", conditional=when("a")))), {"a": "x"}, {"a": "x", "g": {"b": "1"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("documents", "sent", "values"), COMPLETED.values(), ids=COMPLETED)
def test_a_form_is_completed(documents, sent, values):
    filled = form.fill(fields(*documents), sent)

    assert filled.problems == ()
    assert filled.values == values
    assert list(filled.values) == list(values)


WRONG = {
    "nothing": ((a(isRequired=True),), {}, {"/params/a": "missing-field"}),
    "an empty text": ((a(isRequired=True, default="x"),), {"a": ""}, {"/params/a": "missing-field"}),
    "nothing in a group": ((group(a(isRequired=True)),), {}, {"/params/g/a": "missing-field"}),
    "an empty group": ((group(a(), isRequired=True),), {}, {"/params/g": "missing-field"}),
    "a text for a group": ((group(a()),), {"g": "x"}, {"/params/g": "invalid"}),
    "a text for a number": (({"name": "n", "type": "integer"},), {"n": "5"}, {"/params/n": "invalid"}),
    "a truth for a number": (({"name": "n", "type": "integer"},), {"n": True}, {"/params/n": "invalid"}),
    "a list for a text": ((a(),), {"a": ["x"]}, {"/params/a": "invalid"}),
    "no choice": ((a(enum=["x"]),), {"a": "X"}, {"/params/a": "not-allowed"}),
    "a label": ((a(namedEnum=named("x")),), {"a": "X"}, {"/params/a": "not-allowed"}),
    "against the pattern": ((a(pattern="^x$"),), {"a": "xx"}, {"/params/a": "invalid"}),
    "another value of a hidden field": ((a(hidden=True, default="x"),), {"a": "y"}, {"/params/a": "not-allowed"}),
    "another value of a fixed field": ((a(readOnly=True, default="x"),), {"a": "y"}, {"/params/a": "not-allowed"}),
    "a value in a hidden group": ((group(a(), hidden=True),), {"g": {"a": "y"}}, {"/params/g/a": "not-allowed"}),
    "a field that is none": ((a(),), {"b": "x"}, {"/params/b": "unknown-field"}),
    "a field of another group": ((group(a()), a("b")), {"g": {"b": "x"}}, {"/params/g/b": "unknown-field"}),
    "dots for a secret": ((a(format="password"),), {"a": MASK}, {"/params/a": "masked-secret"}),
    "what is shown by a default": (CSV, {}, {"/params/csv/quote": "missing-field"}),
    "several at once": (
        (*CSV, a("b", pattern="x")),
        {"csv": {"sep": 5}, "b": "y", "c": 1},
        {"/params/csv/sep": "invalid", "/params/csv/quote": "missing-field", "/params/b": "invalid",
         "/params/c": "unknown-field"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("documents", "sent", "found"), WRONG.values(), ids=WRONG)
def test_everything_that_is_wrong_is_told_by_place(documents, sent, found):
    problems = form.fill(fields(*documents), sent).problems

    assert {problem.pointer: problem.code for problem in problems} == found


def test_fetched_choices_count_as_those_that_the_author_lists():
    declared = fields(a("region"), a("list", dynamicEnum=FETCHED))
    sent = {"region": "eu", "list": "7"}

    (asked,) = form.fill(declared, sent).asked
    assert (asked.pointer, asked.value, asked.query, asked.unanswered) == ("/params/list", "7", {"region": "eu"}, [])
    assert form.fill(declared, sent, {"/params/list": ["7"]}).problems == ()
    (problem,) = form.fill(declared, sent, {"/params/list": ["8", "9"]}).problems
    assert (problem.code, problem.pointer) == ("not-allowed", "/params/list")
    assert "8, 9" in problem.message


def test_what_must_be_filled_in_before_choices_are_fetched_is_known():
    (asked,) = form.fill(fields(a("region"), a("list", dynamicEnum=FETCHED)), {}).asked

    assert asked.unanswered == ["region"]


def test_secret_and_unique_values_are_pointed_at():
    filled = form.fill(fields(group(a("key", format="password"), a("id", unique=True))), {"g": {"key": "k", "id": "1"}})

    assert filled.secret == ("/params/g/key",)
    assert filled.unique == {"/params/g/id": "1"}


def test_no_message_tells_a_secret():
    secret = a("key", format="password", pattern="^x$", enum=["y"])

    (problem,) = form.fill(fields(secret), {"key": "the-secret"}).problems

    assert "the-secret" not in problem.message


def test_what_was_stored_for_a_default_that_has_changed_was_not_sent_by_anybody():
    before = {"fixed": "old", "gone": "x", "g": {"fixed": "old", "b": "1"}}
    declared = fields(a("fixed", hidden=True, default="new"), group(a("fixed", readOnly=True, default="new"), a("b")))

    kept = form.as_sent(declared, {**before, "g": {**before["g"], "b": "2"}}, before)

    assert kept == {"g": {"b": "2"}}
    assert form.fill(declared, kept).values == {"fixed": "new", "g": {"fixed": "new", "b": "2"}}
    assert form.as_sent(declared, {"fixed": "other"}, before) == {"fixed": "other"}


# -- laws ----------------------------------------------------------------------------------------------------------

NAMES = ("a", "b", "c", "d")
TEXTS = st.sampled_from(["", "x", "y", "z", MASK])
VALUES = st.one_of(st.none(), TEXTS, st.integers(0, 3), st.booleans())


@st.composite
def declared_fields(draw, depth=2):
    made = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1)):
        says = {"name": name, "isRequired": draw(st.booleans()), "hidden": draw(st.booleans()) and depth < 2}
        if draw(st.booleans()):
            says["conditional"] = when(draw(st.sampled_from(NAMES)), draw(TEXTS))
        kind = draw(st.sampled_from(["string", "integer", "object"] if depth else ["string", "integer"]))
        if kind == "object":
            says["properties"] = draw(declared_fields(depth=depth - 1))
        elif draw(st.booleans()):
            says["default"] = draw(TEXTS if kind == "string" else st.integers(0, 3))
        if kind == "string" and draw(st.booleans()):
            says["enum"] = draw(st.lists(TEXTS, min_size=1, unique=True))
            says.pop("default", None)
        made.append({**says, "type": kind})
    return made


def sent(depth=2):
    inner = VALUES if depth == 0 else st.one_of(VALUES, sent(depth - 1))
    return st.dictionaries(st.sampled_from([*NAMES, "unknown"]), inner, max_size=5)


def as_blocks(documents):
    """Fields whether or not their author would have been told of something."""
    return tuple(
        CustomerDataField.model_construct(
            **{
                **{name: info.default for name, info in CustomerDataField.model_fields.items()},
                "name": document["name"],
                "type": document["type"],
                "is_required": document["isRequired"],
                "hidden": document["hidden"],
                "default": document.get("default"),
                "enum": tuple(document["enum"]) if "enum" in document else None,
                "conditional": _condition(document),
                "properties": as_blocks(document["properties"]) if "properties" in document else None,
            }
        )
        for document in documents
    )


def _condition(document):
    made = fields(a(conditional=document["conditional"])) if "conditional" in document else None
    return made[0].conditional if made else None


@settings(max_examples=150)
@given(declared_fields(), sent())
def test_completed_values_pass_again_and_change_no_more(documents, values):
    declared = as_blocks(documents)
    once = form.fill(declared, values)

    again = form.fill(declared, once.values)

    if not once.problems:
        assert again.problems == ()
        assert again.values == once.values
        assert (again.secret, again.unique) == (once.secret, once.unique)


@settings(max_examples=150)
@given(declared_fields(), sent(), st.randoms(use_true_random=False))
def test_the_order_of_fields_and_of_values_does_not_matter(documents, values, chance):
    there = form.fill(as_blocks(documents), values)

    back = form.fill(as_blocks(_shuffled(documents, chance)), _turned(values))

    assert back.values == there.values
    assert sorted(map(str, back.problems)) == sorted(map(str, there.problems))


def _shuffled(documents, chance: random.Random):
    mixed = [
        {**item, "properties": _shuffled(item["properties"], chance)} if "properties" in item else item
        for item in documents
    ]
    chance.shuffle(mixed)
    return mixed


def _turned(values):
    return {name: _turned(value) if isinstance(value, dict) else value for name, value in reversed([*values.items()])}
