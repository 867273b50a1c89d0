"""Aggregation as a pure function: every entry leaves in exactly one call, and no call breaks the policy."""

from collections import Counter

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.aggregation import ConfigurableAggregation
from headrace.streaming.aggregate import aggregate
from unit.render.making import by_audience, by_identity, policy

NAMESPACES = ("email", "phone", "app")

memberships = st.dictionaries(
    st.sampled_from(["ups", "uploads"]),
    st.dictionaries(
        st.sampled_from("abc"),
        st.sampled_from(["realized", "exited"]).map(lambda status: {"status": status}),
        max_size=3,
    ),
    max_size=2,
)
identities = st.dictionaries(
    st.sampled_from(NAMESPACES),
    st.lists(st.sampled_from("123"), min_size=1, unique=True).map(lambda ids: [{"id": id_} for id_ in ids]),
)
profiles = st.lists(
    st.builds(lambda m, i: {"segmentMembership": m, "identityMap": i, "attributes": {}}, memberships, identities),
    max_size=6,
)
policies = st.builds(
    lambda most, split, audience, status, identity: policy(
        most,
        split=split,
        includeSegmentId=audience,
        includeSegmentStatus=audience and status,
        **identity,
    ),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(
        [
            {},
            {"includeIdentity": True, "oneIdentityPerGroup": True},
            {"includeIdentity": True, "groups": [{"namespaces": ["phone", "email"]}, {"namespaces": ["app"]}]},
            {"includeIdentity": True, "groups": [{"namespaces": ["app"]}]},
        ]
    ),
)


def numbered(people):
    return [{**person, "attributes": {"n": number}} for number, person in enumerate(people)]


def groups_of(key):
    if key is None or not key.include_identity:
        return [None]
    return [(name,) for name in NAMESPACES] if key.one_identity_per_group else [g.namespaces for g in key.groups]


def expected_entries(person, policy):
    """Count a person's entries the slow way: who, which audience, which identity group, which identities."""
    key, number = policy.aggregation_key, person["attributes"]["n"]
    for namespaces in groups_of(key):
        held = {name: ids for name, ids in person["identityMap"].items() if namespaces is None or name in namespaces}
        if namespaces is not None and not held:
            continue
        shares = [held]
        if policy.split_user_by_id and held:
            shares = [{name: [identity]} for name, ids in held.items() for identity in ids]
        for share in shares:
            if key is None or not key.include_segment_id:
                yield number, None, str(namespaces), orjson.dumps(share)
                continue
            for origin, audiences in person["segmentMembership"].items():
                for audience in audiences:
                    yield number, (origin, audience), str(namespaces), orjson.dumps(share)


@given(profiles, policies)
def test_every_entry_leaves_in_exactly_one_call(people, policy):
    people = numbered(people)

    calls = aggregate(people, policy, NAMESPACES)

    left = Counter(
        (
            entry["attributes"]["n"],
            (call.key["segmentNamespace"], call.key["segmentId"]) if "segmentId" in call.key else None,
            str(tuple(call.key["identityNamespaces"]) if "identityNamespaces" in call.key else None),
            orjson.dumps(entry["identityMap"]),
        )
        for call in calls
        for entry in call.entries
    )
    assert left == Counter(item for person in people for item in expected_entries(person, policy))


@given(profiles, policies)
def test_no_call_is_empty_or_over_the_limit_and_only_the_last_of_a_key_is_not_full(people, policy):
    calls = aggregate(numbered(people), policy, NAMESPACES)

    sizes = {}
    for call in calls:
        assert 1 <= len(call.entries) <= policy.max_users_per_request
        sizes.setdefault(str(call.key), []).append(len(call.entries))
    assert all(size == policy.max_users_per_request for row in sizes.values() for size in row[:-1])


@given(profiles, policies)
def test_the_entries_of_a_call_share_what_its_key_says(people, policy):
    for call in aggregate(numbered(people), policy, NAMESPACES):
        for entry in call.entries:
            if "segmentId" in call.key:
                membership = entry["segmentMembership"][call.key["segmentNamespace"]]
                assert list(membership) == [call.key["segmentId"]]
                assert call.key.get("segmentStatus") in (None, membership[call.key["segmentId"]]["status"])
            if "identityNamespaces" in call.key:
                assert set(entry["identityMap"]) <= set(call.key["identityNamespaces"])


@given(profiles, policies)
def test_people_stay_in_the_order_in_which_they_came(people, policy):
    for call in aggregate(numbered(people), policy, NAMESPACES):
        places = [entry["attributes"]["n"] for entry in call.entries]
        assert places == sorted(places)


@given(profiles, policies)
def test_what_goes_in_stays_as_it_was(people, policy):
    before = orjson.dumps(people)

    aggregate(people, policy, NAMESPACES)

    assert orjson.dumps(people) == before


def patient(number, **key):
    """Make a policy under which messages wait to be full."""
    wire = {"maxBatchAgeInSecs": 1800, "maxNumEventsInBatch": number, "aggregationKey": key}
    return ConfigurableAggregation.model_validate(wire)


@given(st.integers(0, 2100))
def test_only_a_message_that_is_full_leaves_at_once_where_they_wait(count):
    people = [{"segmentMembership": {}, "identityMap": {}, "attributes": {"n": number}} for number in range(count)]

    calls = aggregate(people, patient(1000), NAMESPACES)

    assert [entry["attributes"]["n"] for call in calls for entry in call.entries] == [*range(count)]
    assert [len(call.entries) for call in calls[:-1]] == [1000] * (len(calls) - 1)
    assert [call.waits for call in calls] == [0 if len(call.entries) == 1000 else 1800 for call in calls]


@given(
    profiles, st.sampled_from([{}, {"includeSegmentId": True}, {"includeIdentity": True, "oneIdentityPerGroup": True}])
)
def test_messages_that_wait_are_grouped_like_those_that_do_not(people, key):
    waiting = aggregate(numbered(people), patient(1000, **key), NAMESPACES)
    at_once = aggregate(numbered(people), policy(1000, **key), NAMESPACES)

    assert [(call.key, call.entries) for call in waiting] == [(call.key, call.entries) for call in at_once]
    assert {call.waits for call in at_once} <= {0}


def test_who_once_existed_is_realized():
    people = [
        {"segmentMembership": {"ups": {"a": {"status": status}}}, "identityMap": {}}
        for status in ("existing", "realized")
    ]

    (call,) = aggregate(people, by_audience(status=True), NAMESPACES)

    assert call.key == {"segmentId": "a", "segmentNamespace": "ups", "segmentStatus": "realized"}
    assert len(call.entries) == 2


@pytest.mark.parametrize("aggregation", [by_audience(), by_identity()], ids=["no audience", "no identity"])
def test_who_has_nothing_to_group_by_is_in_no_call(aggregation):
    assert aggregate([{"segmentMembership": {}, "identityMap": {}}], aggregation, NAMESPACES) == []


def test_identity_groups_come_in_configured_order_and_keys_as_they_first_appear():
    person = {
        "identityMap": {"email": [{"id": "1"}], "app": [{"id": "2"}]},
        "segmentMembership": {"ups": {"b": {"status": "realized"}, "a": {"status": "exited"}}},
    }

    calls = aggregate([person], by_identity(["app"], ["email"], audience=True), NAMESPACES)

    assert [(call.key["identityNamespaces"], call.key["segmentId"]) for call in calls] == [
        (["app"], "b"),
        (["app"], "a"),
        (["email"], "b"),
        (["email"], "a"),
    ]
