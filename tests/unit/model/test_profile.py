"""The source profile: what is taken, who it is, and which of two states of a membership is the newer."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.profile import (
    LONGEST_KEY,
    NAMESPACE_ORDER,
    ProfileError,
    decode,
    encode,
    instant,
    key_of,
    parse,
)
from headrace.model.record import Record, after
from headrace.testkit.profiles import EVERYTHING, SMALLEST

NOON = "2026-03-01T12:00:00Z"
ONE = "2026-03-01T13:00:00Z"


def realized(time=NOON, **more):
    return {"status": "realized", "lastQualificationTime": time, **more}


def exited(time=NOON, **more):
    return {"status": "exited", "lastQualificationTime": time, **more}


def person(membership=None, **more):
    memberships = {"segmentMembership": {"ups": {"a": membership}}} if membership is not None else {}
    return {"profileId": "1", **memberships, **more}


def state(profile):
    return profile["segmentMembership"]["ups"]["a"]


def merge(before, whole, replace_at=None):
    return after(before, Record(1, "", whole), NOON, replace_at)


def reason_of(record):
    with pytest.raises(ProfileError) as caught:
        parse(record if isinstance(record, bytes) else orjson.dumps(record))
    return caught.value.reason


# -- reading ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [SMALLEST, EVERYTHING], ids=["smallest", "everything"])
def test_a_standard_profile_is_read_as_it_is_and_kept_as_it_was_read(profile):
    parsed = parse(orjson.dumps(profile))

    assert parsed == profile
    assert decode(encode(parsed)) == profile


def nested(depth):
    return b'{"a":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        pytest.param(b"", "json", id="nothing"),
        pytest.param(b"{", "json", id="cut off"),
        pytest.param(b"\xff", "json", id="not UTF-8"),
        pytest.param(b'{"a": "\\ud83d"}', "json", id="half a character"),
        pytest.param(b'{"a": NaN}', "json", id="not a number"),
        pytest.param(b"[]", "not-an-object", id="list"),
        pytest.param(b"null", "not-an-object", id="null"),
        pytest.param(nested(5000), "json", id="too deep to be read"),
        pytest.param(nested(300), "too-deep", id="too deep to be written"),
        pytest.param({"identityMap": []}, "identity-map", id="identities in a list"),
        pytest.param({"identityMap": {"": []}}, "identity-map", id="a namespace without a name"),
        pytest.param({"identityMap": {"Email": {}}}, "identity-map", id="identities of a namespace in an object"),
        pytest.param({"identityMap": {"Email": ["x"]}}, "identity-map", id="an identity that is a text"),
        pytest.param({"identityMap": {"Email": [{}]}}, "identity-map", id="an identity without id"),
        pytest.param({"identityMap": {"Email": [{"id": ""}]}}, "identity-map", id="an empty identity"),
        pytest.param({"identityMap": {"Email": [{"id": 7}]}}, "identity-map", id="a number as identity"),
        pytest.param({"identityMap": {"Email": [{"id": "x" * 513}]}}, "key-too-long", id="an identity without end"),
        pytest.param({"profileId": "a\0"}, "nul", id="U+0000 in the key"),
        pytest.param({"identityMap": {"Email": [{"id": "\0"}]}}, "nul", id="U+0000 in an identity"),
        pytest.param({"identityMap": {"E\0": []}}, "nul", id="U+0000 in a namespace"),
        pytest.param({"segmentMembership": {"ups": {"\0": realized(None)}}}, "nul", id="U+0000 in an audience"),
        pytest.param({"segmentMembership": {"u\0": {}}}, "nul", id="U+0000 in an origin"),
        pytest.param({"segmentMembership": []}, "segment-membership", id="memberships in a list"),
        pytest.param({"segmentMembership": {"ups": []}}, "segment-membership", id="audiences in a list"),
        pytest.param({"segmentMembership": {"ups": None}}, "segment-membership", id="no audiences"),
        pytest.param({"segmentMembership": {"ups": {"a": "realized"}}}, "segment-membership", id="a bare status"),
        pytest.param({"segmentMembership": {"ups": {"a": {}}}}, "segment-membership", id="no status"),
        pytest.param({"segmentMembership": {"ups": {"a": {"status": "in"}}}}, "segment-membership", id="wrong status"),
        pytest.param({"segmentMembership": {"ups": {"a": {"status": ["realized"]}}}}, "segment-membership", id="list"),
        pytest.param({"segmentMembership": {"ups": {"a": realized("")}}}, "segment-membership", id="empty time"),
        pytest.param({"segmentMembership": {"ups": {"a": realized("soon")}}}, "segment-membership", id="no time"),
        pytest.param({"segmentMembership": {"ups": {"a": realized(7)}}}, "segment-membership", id="a number as time"),
        pytest.param(
            {"segmentMembership": {"ups": {"a": realized("0001-01-01T00:00:00+02:00")}}},
            "segment-membership",
            id="a time before all times",
        ),
        pytest.param(
            {"segmentMembership": {"ups": {"a": realized("9999-12-31T23:59:59-02:00")}}},
            "segment-membership",
            id="a time after all times",
        ),
    ],
)
def test_what_is_no_profile_is_refused_with_a_stable_reason(record, reason):
    assert reason_of(record) == reason


@pytest.mark.parametrize(
    "record",
    [
        {"identityMap": None, "segmentMembership": None},
        {"identityMap": {}, "segmentMembership": {}},
        {"identityMap": {"Email": []}, "segmentMembership": {"ups": {}}},
        {"segmentMembership": {"ups": {"a": {"status": "realized"}}}},
        {"segmentMembership": {"ups": {"a": realized(None)}}},
        {"segmentMembership": {"ups": {"a": realized("2024-03-01T10:00:00.000+0000")}}},
        {"segmentMembership": {"ups": {"a": realized("2024-03-01T10:00:00.123456789Z")}}},
        {"segmentMembership": {"ups": {"a": realized("2024-03-01")}}},
        {"identityMap": {"Email": [{"id": "\\u0000", "x": "\0"}]}, "city": "a\0b"},
    ],
    ids=[
        "nulls",
        "empty",
        "empty inside",
        "no time",
        "null time",
        "zone without colon",
        "nanoseconds",
        "a day",
        "U+0000 in no name",
    ],
)
def test_what_may_be_left_out_may_be_left_out(record):
    assert parse(orjson.dumps(record)) == record


def test_a_membership_that_exists_is_realized():
    assert state(parse(orjson.dumps(person({"status": "existing"}))))["status"] == "realized"


@given(st.integers(1, 400))
def test_whatever_is_read_can_be_written(depth):
    if depth > 253:
        assert reason_of(nested(depth)) == "too-deep"
    else:
        assert decode(encode(parse(nested(depth)))) == orjson.loads(nested(depth))


def test_a_document_in_an_unknown_form_is_not_guessed_at():
    with pytest.raises(ValueError, match="unknown form"):
        decode(b'{"profileId": "1"}')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00.5+02:00", datetime(2026, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        (None, datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_utc(text, expected):
    assert instant(text) == expected


# -- who it is ----------------------------------------------------------------------------------------------------

CRM, MAIL = {"crmId": [{"id": "7"}]}, {"Email": [{"id": "ana@example.com"}]}


@pytest.mark.parametrize(
    ("profile", "key"),
    [
        pytest.param({"profileId": "p", "identityMap": CRM}, ":p", id="the id given"),
        pytest.param(
            {"identityMap": {**CRM, "Email": [{"id": "a"}, {"id": "b", "primary": True}]}}, "Email:b", id="the primary"
        ),
        pytest.param({"identityMap": {**MAIL, **CRM}}, "crmId:7", id="the first by order"),
        pytest.param({"identityMap": {"zoo": [{"id": "1"}], "app": [{"id": "2"}]}}, "app:2", id="others by name"),
        pytest.param({"identityMap": {"app": [{"id": "2"}], **MAIL}}, "Email:ana@example.com", id="known ones first"),
        pytest.param({"identityMap": {"crmId": [], **MAIL}}, "Email:ana@example.com", id="empty ones are passed over"),
        pytest.param({"identityMap": {"crmId": [{"id": "7", "primary": "yes"}], **MAIL}}, "crmId:7", id="not primary"),
        pytest.param({"profileId": None, "identityMap": CRM}, "crmId:7", id="a null id is none"),
    ],
)
def test_a_person_is_kept_under_one_key(profile, key):
    assert key_of(profile) == key


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ({}, "no-key"),
        ({"identityMap": None}, "no-key"),
        ({"identityMap": {"Email": []}}, "no-key"),
        ({"profileId": ""}, "profile-id"),
        ({"profileId": 7}, "profile-id"),
        ({"profileId": "x" * LONGEST_KEY}, "key-too-long"),
        ({"identityMap": {"Email": [{"id": "x" * LONGEST_KEY}]}}, "key-too-long"),
    ],
    ids=["nothing", "null", "empty", "empty id", "number", "long id", "long identity"],
)
def test_who_is_nobody_is_refused(profile, reason):
    with pytest.raises(ProfileError) as caught:
        key_of(profile)

    assert caught.value.reason == reason


def test_the_order_of_namespaces_may_be_another():
    assert key_of({"identityMap": {**CRM, **MAIL}}, ("Email",)) == "Email:ana@example.com"


names = st.text(st.sampled_from("ab:%3A|"), min_size=1, max_size=5)


@given(names, names, names, names)
def test_two_identities_never_make_the_same_key(namespace, identity, other_namespace, other_identity):
    one = key_of({"identityMap": {namespace: [{"id": identity}]}})
    other = key_of({"identityMap": {other_namespace: [{"id": other_identity}]}})

    assert (one == other) == ((namespace, identity) == (other_namespace, other_identity))
    assert one != key_of({"profileId": other_identity})


@given(st.permutations([(name, [{"id": name}]) for name in (*NAMESPACE_ORDER, "other", "zoo")]))
def test_the_key_does_not_depend_on_the_order_in_which_identities_are_written(identities):
    assert key_of({"identityMap": dict(identities)}) == f"{NAMESPACE_ORDER[0]}:{NAMESPACE_ORDER[0]}"


# -- merging ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "incoming", "wins", "is_late"),
    [
        pytest.param(realized(NOON), exited(ONE), True, False, id="a later time wins"),
        pytest.param(exited(ONE), realized(NOON), False, True, id="an earlier time is late"),
        pytest.param(realized(ONE), realized(NOON), False, False, id="an earlier time of the same status says nothing"),
        pytest.param(realized(NOON), exited(NOON), True, False, id="at one time, exited wins"),
        pytest.param(exited(NOON), realized(NOON), False, True, id="at one time, realized is late"),
        pytest.param(exited(NOON), realized(NOON, sequence=9), False, True, id="status counts before sequence"),
        pytest.param(realized(NOON, sequence=1), realized(NOON, sequence=2), True, False, id="a higher sequence wins"),
        pytest.param(
            realized(NOON, sequence=2), realized(NOON, sequence=1), False, False, id="a lower sequence is older"
        ),
        pytest.param(realized(NOON, sequence=2), realized(NOON), False, False, id="no sequence is the lowest"),
        pytest.param(realized(NOON), realized(NOON, version="2"), True, False, id="in the end, arrival decides"),
        pytest.param(realized(None), exited(None), True, False, id="without times, exited wins"),
        pytest.param(realized(None), realized(NOON), True, False, id="any time is later than none"),
        pytest.param(
            realized("2026-03-01T13:30:00+02:00"), exited("2026-03-01T11:29:00Z"), False, True, id="zones are heeded"
        ),
        pytest.param(
            realized("2026-03-01T12:00:00.000Z"), exited("2026-03-01T12:00:00Z"), True, False, id="written otherwise"
        ),
    ],
)
def test_the_newer_state_is_kept(known, incoming, wins, is_late):
    merged, late = merge(person(known), person(incoming))

    assert state(merged) == (incoming if wins else known)
    assert late == ([("ups", "a")] if is_late else [])


def test_the_first_state_is_kept():
    assert merge(None, person(exited())) == (person(exited()), [])


def test_an_audience_that_is_not_mentioned_stays_as_it_was():
    merged, late = merge(person(realized()), {"profileId": "1", "city": "Lisbon"})

    assert merged == person(realized(), city="Lisbon")
    assert late == []


def test_attributes_and_identities_are_those_of_the_newer_profile():
    before = person(realized(), city="Lisbon", identityMap=CRM)

    assert merge(before, person(realized()))[0] == person(realized())


def test_in_replace_mode_an_audience_that_is_not_mentioned_has_been_left():
    before = {"segmentMembership": {"ups": {"a": realized(), "b": realized()}, "other": {"c": realized()}}}

    merged, late = merge(before, {"segmentMembership": {"ups": {"b": realized()}}}, replace_at=ONE)

    assert merged["segmentMembership"] == {"ups": {"b": realized(), "a": exited(ONE)}, "other": {"c": exited(ONE)}}
    assert late == []


def test_in_replace_mode_one_who_had_left_already_left_when_they_did():
    assert state(merge(person(exited(NOON)), person(), replace_at=ONE)[0]) == exited(NOON)


def test_in_replace_mode_a_state_that_comes_late_is_still_late():
    merged, late = merge(person(exited(ONE)), person(realized(NOON)), replace_at="2026-03-01T14:00:00Z")

    assert (state(merged), late) == (exited(ONE), [("ups", "a")])


def test_merging_changes_neither_of_the_two():
    before, after = person(realized(NOON)), person(exited(ONE), city="x")
    copies = orjson.loads(orjson.dumps([before, after]))

    merge(before, after, replace_at=ONE)

    assert [before, after] == copies


@st.composite
def memberships(draw):
    zone = timezone(timedelta(hours=draw(st.integers(-12, 12))))
    time = datetime(2026, 3, 1, 12, draw(st.integers(0, 3)), tzinfo=UTC).astimezone(zone)
    status = draw(st.sampled_from(["realized", "exited"]))
    return {"status": status, "lastQualificationTime": time.isoformat(), "sequence": draw(st.integers(0, 2))}


def rank(membership):
    return instant(membership["lastQualificationTime"]), membership["status"] == "exited", membership["sequence"]


@given(st.lists(memberships(), min_size=1, max_size=4, unique_by=rank))
def test_the_same_records_in_any_order_end_in_the_same_membership(records):
    ends = []
    for order in permutations(records):
        kept = None
        for membership in order:
            kept, _ = merge(kept, person(membership))
        ends.append(state(kept))

    assert all(end == max(records, key=rank) for end in ends)


@given(st.lists(memberships(), min_size=2, max_size=6))
def test_what_comes_late_changes_nothing_and_nothing_else_is_late(records):
    kept, _ = merge(None, person(records[0]))
    for membership in records[1:]:
        before = state(kept)
        kept, late = merge(kept, person(membership))
        if late:
            assert state(kept) == before
            assert membership["status"] != before["status"]
        elif membership["status"] != before["status"]:
            assert state(kept) == membership


@given(memberships(), memberships())
def test_merging_what_is_known_once_more_changes_nothing(first, second):
    kept, _ = merge(person(first), person(second))

    assert merge(kept, kept) == (kept, [])
