"""Records: whole profiles and patches, and the law that their order of arrival does not count where they say theirs."""

import functools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.profile import NAMESPACE_ORDER, ProfileError, decode, encode
from headrace.model.record import OURS, after, read_patch, read_whole, stamp
from headrace.model.sequenced import patched

NOON, ONE = "2026-03-01T12:00:00.000000Z", "2026-03-01T13:00:00.000000Z"
CRM = {"crmId": [{"id": "7"}]}


def whole(number=None, **content):
    return read_whole(1, orjson.dumps({"identityMap": CRM, **content, **numbered(number)}), NAMESPACE_ORDER)


def patch(number=None, **content):
    record = {"identityMap": CRM, "patch": content, **numbered(number)}
    return read_patch(1, orjson.dumps(record), NAMESPACE_ORDER)


def numbered(number):
    return {} if number is None else {OURS: {"sequence": number}}


def state(*records, replace_at=None):
    """Return a person after records, kept and read again after each, as the store does."""
    person = None
    for record in records:
        stamp(record, NOON)
        kept, _ = after(person, record, NOON, replace_at)
        person = decode(encode(kept))
    return person


def visible(person):
    return {name: value for name, value in person.items() if name != OURS}


# -- reading ------------------------------------------------------------------------------------------------------


def reason_of(read, record):
    with pytest.raises(ProfileError) as caught:
        read(1, orjson.dumps(record), NAMESPACE_ORDER)
    return caught.value.reason


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        pytest.param({"profileId": "1"}, "patch", id="no patch"),
        pytest.param({"profileId": "1", "patch": [1]}, "patch", id="a patch that is a list"),
        pytest.param({"profileId": "1", "patch": {}, "city": "Lisbon"}, "patch", id="an attribute beside it"),
        pytest.param({"profileId": "1", "patch": {OURS: {}}}, "patch", id="a number in it"),
        pytest.param({"patch": {}}, "no-key", id="nobody"),
        pytest.param({"patch": {"profileId": "1"}}, "no-key", id="somebody named in it"),
        pytest.param({"profileId": "1", "patch": {"identityMap": {"Email": [{}]}}}, "identity-map", id="no identity"),
        pytest.param(
            {"profileId": "1", "patch": {"segmentMembership": {"ups": {"a": {}}}}}, "segment-membership", id="no status"
        ),
        pytest.param({"profileId": "1", "patch": {}, OURS: 7}, "sequence", id="a bare number"),
    ],
)
def test_what_is_no_patch_is_refused_with_a_stable_reason(record, reason):
    assert reason_of(read_patch, record) == reason


@pytest.mark.parametrize("ours", [7, {}, {"sequence": -1}, {"sequence": True}, {"sequence": 1 << 53}, {"more": 1}])
def test_a_number_that_is_none_is_refused(ours):
    assert reason_of(read_whole, {"profileId": "1", OURS: ours}) == "sequence"


def test_the_reasons_hold_nothing_of_the_person():
    with pytest.raises(ProfileError) as caught:
        read_patch(1, b'{"profileId": "1", "patch": {}, "secret@example.com": 1}', NAMESPACE_ORDER)

    assert "secret" not in caught.value.message


# -- patches ------------------------------------------------------------------------------------------------------

#: The examples of RFC 7396, appendix A: what is there, the patch, and what comes out.
RFC_7396 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "change", "result"), RFC_7396)
def test_a_patch_does_what_the_rfc_says(target, change, result):
    assert patched(target, change) == result


def test_a_patch_changes_what_it_names_and_nothing_else():
    person = state(
        whole(city="Lisbon", loyalty={"tier": "gold", "points": 1}),
        patch(loyalty={"points": 2, "tier": None}, identityMap={"Phone": [{"id": "+1"}]}),
    )

    assert person == {
        "identityMap": {**CRM, "Phone": [{"id": "+1"}]},
        "city": "Lisbon",
        "loyalty": {"points": 2},
        "segmentMembership": {},
    }


def test_a_namespace_that_is_null_is_taken_away():
    person = state(whole(identityMap={**CRM, "Email": [{"id": "a@example.com"}]}), patch(identityMap={"Email": None}))

    assert person["identityMap"] == CRM


def test_a_patch_of_somebody_unknown_makes_a_person_of_it():
    assert state(patch(city="Lisbon")) == {"identityMap": CRM, "city": "Lisbon", "segmentMembership": {}}


def test_a_membership_is_one_value_in_a_patch():
    there = {"status": "realized", "lastQualificationTime": NOON, "version": "3"}
    left = {"status": "exited", "lastQualificationTime": ONE}
    person = state(
        whole(segmentMembership={"ups": {"a": there, "b": there}}), patch(segmentMembership={"ups": {"a": left}})
    )

    assert person["segmentMembership"] == {"ups": {"a": left, "b": there}}


@pytest.mark.parametrize("nothing", [{"ups": {"a": None}}, {"ups": None}], ids=["the audience", "its namespace"])
def test_a_membership_that_is_null_in_a_patch_has_been_left(nothing):
    there = {"status": "realized", "lastQualificationTime": "2026-01-01T00:00:00Z"}
    person = state(whole(segmentMembership={"ups": {"a": there}}), patch(segmentMembership=nothing))

    assert person["segmentMembership"]["ups"] == {"a": {"status": "exited", "lastQualificationTime": NOON}}


def test_an_audience_nobody_was_in_is_not_left_by_null():
    assert state(whole(), patch(segmentMembership={"ups": {"a": None}}))["segmentMembership"] == {"ups": {}}


# -- order --------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])
LEAVES = st.one_of(st.integers(0, 3), st.just([]), st.booleans())
VALUES = st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=6)
PATCHES = st.recursive(
    st.one_of(LEAVES, st.none()), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
MEMBERSHIPS = st.dictionaries(
    NAMES,
    st.fixed_dictionaries(
        {"status": st.sampled_from(["realized", "exited"]), "lastQualificationTime": st.sampled_from([NOON, ONE])}
    ),
)
CONTENT = st.tuples(
    st.booleans(), st.dictionaries(NAMES, VALUES, max_size=3), st.dictionaries(NAMES, PATCHES, max_size=3), MEMBERSHIPS
)


def numbered_record(number, content):
    is_patch, attributes, change, memberships = content
    make, given = (patch, change) if is_patch else (whole, attributes)
    return make(number, **given, segmentMembership={"ups": memberships})


@given(st.lists(CONTENT, min_size=1, max_size=5), st.data())
def test_numbered_records_end_in_the_same_state_whatever_their_order_and_however_often_they_come(contents, data):
    numbers = list(range(len(contents)))
    arrivals = data.draw(st.permutations(numbers)) + data.draw(st.lists(st.sampled_from(numbers), max_size=4))

    in_order = state(*(numbered_record(number, contents[number]) for number in numbers))
    as_they_came = state(*(numbered_record(number, contents[number]) for number in arrivals))

    assert visible(as_they_came) == visible(in_order)


@given(st.lists(CONTENT, min_size=1, max_size=5))
def test_in_order_numbers_change_nothing(contents):
    numbered_ones = state(*(numbered_record(number, content) for number, content in enumerate(contents)))
    bare = state(*(numbered_record(None, content) for content in contents))

    for memberships in numbered_ones["segmentMembership"].values():
        for membership in memberships.values():
            membership.pop("sequence")
    assert visible(numbered_ones) == bare


@given(st.lists(CONTENT, min_size=1, max_size=4), CONTENT)
def test_a_record_without_a_number_is_the_newest_when_it_comes(contents, last):
    before = [numbered_record(number, content) for number, content in enumerate(contents)]
    bare = [numbered_record(None, content) for content in contents]

    attributes = [
        {name: value for name, value in visible(person).items() if name != "segmentMembership"}
        for person in (state(*before, numbered_record(None, last)), state(*bare, numbered_record(None, last)))
    ]
    assert attributes[0] == attributes[1]


def test_a_late_patch_of_another_path_still_counts():
    person = state(whole(1, loyalty={"tier": "gold", "points": 1}), patch(3, loyalty={"points": 3}),
                   patch(2, loyalty={"points": 2, "tier": None}))  # fmt: skip

    assert person["loyalty"] == {"points": 3}


def test_a_late_whole_profile_does_not_undo_a_later_patch():
    person = state(patch(2, city="Porto"), whole(1, city="Lisbon", shoes=42))

    assert (person["city"], person["shoes"]) == ("Porto", 42)


def test_what_is_kept_of_numbers_does_not_grow_with_the_records():
    many = functools.reduce(lambda person, number: after(person, patch(number, city=number), NOON, None)[0],
                            range(100), None)  # fmt: skip

    assert many[OURS] == {"newest": 99, "stamps": {"o": 99, "c": {"city": {"s": 99}}}}
