"""Laws of reading: whatever is sent is read as far as it goes, nothing hides anything, every pointer points."""

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authored import WITH_EVERYTHING, changed, messages
from headrace.model.audience_template import AudienceTemplate
from headrace.model.block import Block, inner_block, pointer, read_of, repeated, steps, wire_names
from headrace.model.credentials import Credentials
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.flow import BaseConnection, Flow, TargetConnection
from headrace.model.identities import IdentityNamespace
from headrace.model.problem import ConfigurationError
from headrace.model.reading import DEEPEST, examine, read
from headrace.model.secrets import secret_pointers

ROOTS = (AudienceTemplate, BaseConnection, Credentials, Destination, DestinationServer, Flow, TargetConnection)
DOCUMENTS = [(block, item) for block in ROOTS for item in WITH_EVERYTHING.get(block.__name__, ())]


def every_block():
    found, waiting = [], list(ROOTS)
    while waiting:
        block = waiting.pop()
        if block not in found:
            found.append(block)
            waiting += [held[0] for name in block.model_fields if (held := inner_block(block, name))]
    return found


BLOCKS = every_block()
OLD_NAMES = [(block, old, new) for block in BLOCKS for old, new in block.old_names.items()]
WORDS = sorted({wire for block in BLOCKS for wire in wire_names(block)} | {"", "a/b", "~", "scopes", "qos"})
NUMBERS = st.integers() | st.floats(allow_nan=False) | st.sampled_from([0, 1, -1, 301, 10**30, 1e308])
TEXTS = st.sampled_from(["", "NONE", "BEARER", "OAUTH2", "OAUTH1", "object", "(", "{{ x }}", "12", "true"]) | st.text()
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=6),
    max_leaves=12,
)


def places(document, path=()):
    """Every place in a document."""
    yield path
    if isinstance(document, dict | list):
        for step, item in document.items() if isinstance(document, dict) else enumerate(document):
            yield from places(item, (*path, step))


@st.composite
def damaged(draw):
    """A document that is right, with a few places changed, taken away or added to."""
    block, document = draw(st.sampled_from(DOCUMENTS))
    made = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from([path for path in places(made) if path] or [("name",)]))
        parent = made
        for step in way:
            parent = parent[step]
        how = draw(st.sampled_from(["change", "take away", "add"]))
        if how == "take away":
            del parent[last]
        elif how == "change" or not isinstance(parent, dict):
            parent[last] = draw(JSON)
        else:
            parent[draw(st.sampled_from(WORDS))] = draw(JSON)
    return block, made


def points(where, document):
    """Whether a pointer leads to something, or to where a key of an object is not."""
    *way, last = steps(where) if where else [""]
    value = document
    for step in way if where else ():
        value = value[int(step)] if isinstance(value, list) else value[step]
    return not where or isinstance(value, dict) or int(last) < len(value)


@given(st.sampled_from(BLOCKS), JSON)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_sent_is_examined_and_every_pointer_points(block, document):
    examined = examine(block, document)

    assert all(points(problem.pointer, document) for problem in examined.problems)
    assert all(points(where, document) for where in secret_pointers(block, document))


@given(damaged())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_nearly_right_is_examined_and_every_pointer_points(pair):
    block, document = pair
    before = copy.deepcopy(document)
    strict, lenient = examine(block, document), examine(block, document, strict=False)

    assert all(points(problem.pointer, document) for problem in strict.problems)
    assert document == before
    assert [(item.code, item.pointer) for item in strict.problems] == [
        (item.code, item.pointer) for item in lenient.problems
    ]
    assert {item.code for item in strict.errors} - {item.code for item in lenient.errors} <= {
        "unknown-field",
        "sign-in-unused",
    }


@given(damaged())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_problem_is_told_once(pair):
    said = [(problem.code, problem.pointer, problem.message) for problem in examine(*pair).problems]

    assert sorted(said) == sorted(set(said))


@given(damaged())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_read_is_what_was_sent(pair):
    block, document = pair
    try:
        found, _ = read(block, document)
    except ConfigurationError:
        return
    said = found.model_dump(by_alias=True, exclude_unset=True)

    assert said.keys() == {block.old_names.get(key, key) for key in document.keys() - block.ignored}


@pytest.mark.parametrize(("block", "document"), DOCUMENTS)
def test_each_field_that_is_taken_away_or_wrong_leaves_all_others_read(block, document):
    whole = examine(block, document).block
    for wire, name in wire_names(block).items():
        if wire in document:
            broken = examine(block, {**document, wire: object()})
            others = [other for other in block.model_fields if other != name]
            assert all(getattr(broken.block, other) == getattr(whole, other) for other in others)
            assert any(problem.pointer.startswith(f"/{wire}") for problem in broken.errors) or wire == "releaseNotes"


# -- old names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("block", "old", "new"), OLD_NAMES, ids=lambda value: str(getattr(value, "__name__", value)))
def test_an_old_name_is_read_with_a_warning_and_never_beside_another_value(block, old, new):
    name = wire_names(block)[new]
    value = "CUSTOMER" if new == "source" else ["a"]
    codes = {problem.code for problem in examine(block, {old: value}).problems if problem.pointer == f"/{old}"}
    both = examine(block, {old: value, new: value})
    torn = examine(block, {old: value, new: ["b"]})

    assert codes == {"old-name"}
    assert read_of(examine(block, {old: value}).block, name) == read_of(examine(block, {new: value}).block, name)
    assert {problem.code for problem in both.problems if problem.pointer == f"/{old}"} == {"old-name"}
    assert {problem.code for problem in torn.problems if problem.pointer == f"/{old}"} == {"old-name", "two-names"}


def test_a_problem_under_an_old_name_points_to_that():
    document = {"segmentNamespaceDenied": 5, "segmentRequired": True}

    problems = examine(Destination, changed(messages(), {"/schemaConfig": document})).errors

    assert [problem.pointer for problem in problems] == ["/schemaConfig/segmentNamespaceDenied"]


# -- forms ---------------------------------------------------------------------------------------------------------


def test_every_flag_is_strict():
    loose = [
        f"{block.__name__}.{name}"
        for block in BLOCKS
        for name, field in block.model_fields.items()
        if field.annotation is bool and not field.metadata
    ]

    assert loose == []


@pytest.mark.parametrize("wrong", ["true", 1, 0, "yes", None])
def test_no_flag_takes_what_only_looks_like_one(wrong):
    document = {"acceptsAttributes": wrong, "acceptsCustomNamespaces": True}

    assert [item.pointer for item in examine(IdentityNamespace, document).errors] == ["/acceptsAttributes"]


def test_the_items_of_a_list_that_is_too_long_are_judged_all_the_same():
    deliveries = [{"authenticationRule": "NONE", "destinationServerId": "1", "authenticationId": "c"}] * 2
    found = examine(
        Destination, changed(messages(), {"/destinationDelivery": deliveries, "/sources": ["ACCOUNTS"] * 2})
    )

    assert {"/destinationDelivery/0/authenticationId", "/destinationDelivery/1/authenticationId", "/sources"} <= {
        problem.pointer for problem in found.problems
    }


def test_an_object_where_a_list_is_wanted_is_one_problem():
    found = examine(Destination, changed(messages(), {"/customerDataFields": {"name": "port"}}))

    assert [(problem.pointer, problem.message) for problem in found.errors] == [
        ("/customerDataFields", "`customerDataFields` must be a list")
    ]


@pytest.mark.parametrize("levels", [10, 500, 5000])
def test_groups_in_groups_are_read_to_a_depth(levels):
    field = {"name": "g", "type": "string"}
    for _ in range(levels):
        field = {"name": "g", "type": "object", "properties": [field]}

    errors = examine(Destination, changed(messages(), {}) | {"customerDataFields": [field]}).errors

    assert bool(errors) is (levels * 2 > DEEPEST)
    assert all("too deep" in problem.message for problem in errors if problem.code == "invalid")


@pytest.mark.parametrize("key", ["x" * 100_000, "\0", "💡", "a`b"])
def test_a_message_stays_short_whatever_a_field_is_called_or_holds(key):
    problems = examine(
        Destination, {**messages(), key: 1, "status": key, "marketingActions": [key, {key: [key]}]}
    ).problems

    assert len(problems) == 4
    assert all(len(problem.message) < 1000 for problem in problems)


def test_a_retired_field_is_an_error_whoever_asks():
    for strict in (True, False):
        found = examine(Credentials, {"oauth1Authentication": {}}, strict=strict)
        assert [problem.code for problem in found.errors] == ["retired-field", "no-kind"]


def test_what_is_forgiven_is_a_warning_to_whoever_is_not_strict():
    document = changed(messages(), {"/destinationDelivery/0/authenticationRule": "NONE", "/colour": 1})

    assert {problem.code for problem in examine(Destination, document).errors} == {"sign-in-unused", "unknown-field"}
    assert examine(Destination, document, strict=False).errors == []


def test_a_rule_from_elsewhere_is_weighed_the_same():
    def elsewhere(block):
        yield from block._asks_for_what_it_uses()

    document = changed(messages(), {"/destinationDelivery/0/authenticationRule": "NONE"})
    lenient = examine(Destination, document, strict=False)
    lenient.ask(elsewhere(lenient.block))

    assert [problem.severity for problem in lenient.problems] == ["warning", "warning"]


def test_pointers_are_written_and_read():
    path = ("a/b", "~1", "", 0)

    assert steps(pointer(path)) == [str(step) for step in path]


def test_names_that_come_back_are_found_and_what_could_not_be_read_is_passed_over():
    blocks = [examine(Block, {}).block for _ in range(4)]
    for block, name in zip(blocks, ["a", None, "b", "a"], strict=True):
        block.__dict__.update({} if name is None else {"name": name})

    assert list(repeated(blocks)) == [(3, "a")]
