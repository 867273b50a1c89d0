"""Parts: how a person becomes several entries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.render.parts import Part, Parting
from unit.render.making import by_identity, policy

NAMESPACES = ("email", "phone", "app")
PERSON = {"email": [{"id": "a@x"}, {"id": "b@x"}], "phone": [{"id": "1"}]}


def parts(policy, person=None):
    parting = Parting.of(policy, NAMESPACES)
    return [part.write() for part in parting.parts(PERSON if person is None else person)]


@given(
    st.builds(
        Part,
        st.integers(0, 5),
        st.none() | st.tuples(st.text(min_size=1, max_size=5), st.text(min_size=1, max_size=5)),
    )
)
def test_a_part_comes_back_from_its_text(part):
    assert Part.read(part.write()) == part


special = st.text(st.sampled_from("|%7Ca"), min_size=1, max_size=5)
some_parts = st.builds(Part, st.integers(0, 2), st.none() | st.tuples(special, special))


@given(some_parts, some_parts)
def test_two_parts_have_two_texts(one, other):
    assert (one.write() == other.write()) == (one == other)
    assert Part.read(one.write()) == one


def test_the_whole_person_is_the_empty_text():
    assert Part().write() == ""
    assert Part.read("") == Part()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param(policy(), [""], id="whole"),
        pytest.param(policy(split=True), ["|email|a@x", "|email|b@x", "|phone|1"], id="split"),
        pytest.param(by_identity(), ["1", "2"], id="one namespace each"),
        pytest.param(by_identity(["phone", "app"], ["email"]), ["1", "2"], id="groups"),
        pytest.param(by_identity(["app"], ["email"]), ["2"], id="a group in which the person has nothing"),
        pytest.param(
            by_identity(["phone", "email"], ["app"], split=True),
            ["1|email|a@x", "1|email|b@x", "1|phone|1"],
            id="groups, split",
        ),
        pytest.param(by_identity(split=True), ["1|email|a@x", "1|email|b@x", "2|phone|1"], id="each, split"),
    ],
)
def test_a_person_is_parted_as_the_policy_says(policy, expected):
    assert parts(policy) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param(policy(), [""], id="whole"),
        pytest.param(policy(split=True), [""], id="split"),
        pytest.param(by_identity(), [], id="one namespace each"),
        pytest.param(by_identity(["email"], split=True), [], id="groups, split"),
    ],
)
def test_a_person_without_identities_is_one_entry_unless_identities_are_grouped(policy, expected):
    assert parts(policy, {}) == expected


def test_a_namespace_in_no_group_does_not_go():
    assert parts(by_identity(["phone"])) == ["1"]
    assert parts(by_identity(["app"])) == []


@pytest.mark.parametrize(
    ("policy", "is_whole"), [(policy(), True), (policy(split=True), False), (by_identity(), False)], ids=str
)
def test_a_person_is_whole_where_nothing_parts_them(policy, is_whole):
    assert Parting.of(policy, NAMESPACES).is_whole is is_whole


def test_a_group_knows_its_namespaces():
    parting = Parting.of(by_identity(["phone", "app"], ["email"]), NAMESPACES)

    assert [parting.namespaces(number) for number in (0, 1, 2)] == [None, ("phone", "app"), ("email",)]
