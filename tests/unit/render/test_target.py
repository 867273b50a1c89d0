"""The target profile: what of a person a message shows, also of one whom the source has forgotten."""

import orjson
import pytest

from headrace.mapping import AttributeRow, Mapping
from headrace.render.target import narrow, normal_time, shown_after, target_profile
from unit.render.making import AUDIENCES, MAPPING, NOON, ONE, entry, member, person


def target_of(profile, **more):
    return target_profile(entry(profile, **more), profile, MAPPING, AUDIENCES)


def statuses(target):
    return {
        id_: membership["status"]
        for memberships in target["segmentMembership"].values()
        for id_, membership in memberships.items()
    }


def shown(*numbers, email=("ana@example.com",)):
    identities = {"email": [{"id": value} for value in email]}
    return orjson.dumps({"audiences": dict.fromkeys(map(str, numbers), NOON), "identities": identities})


# -- memberships --------------------------------------------------------------------------------------------------


def test_only_mapped_audiences_are_shown():
    profile = person(
        {
            **member("a"),
            "elsewhere": {"a": {"status": "realized"}},
            "ups": {"a": {"status": "realized"}, "unmapped": {"status": "realized"}},
        }
    )

    assert statuses(target_of(profile)) == {"a": "realized"}


def test_ups_comes_first_then_the_order_of_the_mapping():
    target = target_of(person({"uploads": member("c")["uploads"], "ups": member("b", "a")["ups"]}))

    assert list(target["segmentMembership"]) == ["ups", "uploads"]
    assert list(target["segmentMembership"]["ups"]) == ["a", "b"]


def test_a_membership_shows_its_status_and_its_time_and_no_more():
    profile = person(
        {"ups": {"a": {"status": "realized", "lastQualificationTime": ONE, "version": "3", "payload": {}}}}
    )

    assert target_of(profile)["segmentMembership"]["ups"]["a"] == {
        "lastQualificationTime": "2026-03-01T13:00:00.947+0000",
        "status": "realized",
    }


@pytest.mark.parametrize("time", [None, "missing"])
def test_a_membership_without_a_time_is_shown_without_one(time):
    membership = {"status": "realized"} if time == "missing" else {"status": "realized", "lastQualificationTime": None}

    assert target_of(person({"ups": {"a": membership}}))["segmentMembership"]["ups"]["a"] == {"status": "realized"}


@pytest.mark.parametrize(
    ("changed", "told", "is_shown"),
    [
        pytest.param((), (), False, id="an old exit is no news"),
        pytest.param((1,), (), True, id="an exit that just happened"),
        pytest.param((), (1,), True, id="an exit the partner does not know of yet"),
        pytest.param((2,), (2,), False, id="others are news"),
        pytest.param((0,), (), False, id="attributes are news"),
    ],
)
def test_an_exit_is_shown_while_it_is_news(changed, told, is_shown):
    target = target_of(person(member(a="exited")), changed=changed, shown=shown(*told) if told else None)

    assert statuses(target).get("a") == ("exited" if is_shown else None)


def test_who_is_unknown_to_the_source_leaves_what_the_partner_was_shown():
    target = target_of({}, shown=shown(1, 3))

    assert statuses(target) == {"a": "exited", "c": "exited"}
    assert target["identityMap"] == {"email": [{"id": "ana@example.com"}]}
    assert target["segmentMembership"]["ups"]["a"]["lastQualificationTime"] == "2026-03-01T12:00:00.000+0000"


def test_an_audience_that_is_no_longer_mapped_is_not_shown_even_if_the_partner_knows_it():
    assert statuses(target_of({}, shown=shown(1, 99))) == {"a": "exited"}


def test_who_is_in_again_is_shown_as_in():
    assert statuses(target_of(person(member("a")), shown=shown(1))) == {"a": "realized"}


# -- identities and attributes ------------------------------------------------------------------------------------


def test_identities_are_those_of_now():
    target = target_of(person(member("a"), email=["new@example.com"]), shown=shown(1, email=["old@example.com"]))

    assert target["identityMap"] == {"email": [{"id": "new@example.com"}]}


def test_identities_that_are_all_gone_are_those_the_partner_was_shown():
    target = target_of(person(member(a="exited"), email=[]), shown=shown(1, email=["old@example.com"]))

    assert target["identityMap"] == {"email": [{"id": "old@example.com"}]}


def test_a_target_profile_has_its_three_parts_even_if_they_are_empty():
    assert target_of({}) == {"segmentMembership": {}, "identityMap": {}, "attributes": {"city": {}}}


# -- narrowing ----------------------------------------------------------------------------------------------------

WHOLE = target_of(person(member("a", "b", "c"), email=["1", "2"], phone=["3"], city="Lisbon"))


def test_narrowing_to_an_audience_leaves_that_one():
    narrowed = narrow(WHOLE, audience=("uploads", "c"))

    assert statuses(narrowed) == {"c": "realized"}
    assert list(narrowed["segmentMembership"]) == ["uploads"]
    assert narrowed["identityMap"] == WHOLE["identityMap"]


@pytest.mark.parametrize("missing", [("ups", "z"), ("nowhere", "a"), ("uploads", "a")])
def test_narrowing_to_an_audience_that_is_not_there_leaves_none(missing):
    assert narrow(WHOLE, audience=missing)["segmentMembership"] == {}


def test_narrowing_to_namespaces_leaves_their_identities():
    assert narrow(WHOLE, namespaces=["phone", "fax"])["identityMap"] == {"phone": [{"id": "3"}]}


def test_narrowing_to_an_identity_leaves_that_one():
    narrowed = narrow(WHOLE, namespaces=["email"], identity=("email", "2"))

    assert narrowed["identityMap"] == {"email": [{"id": "2"}]}


def test_narrowing_leaves_the_whole_as_it_was():
    before = orjson.dumps(WHOLE)

    narrow(WHOLE, audience=("ups", "a"), namespaces=["email"], identity=("email", "1"))

    assert orjson.dumps(WHOLE) == before
    assert narrow(WHOLE) == WHOLE


# -- what the partner then knows ----------------------------------------------------------------------------------


def test_the_partner_knows_where_a_person_is_in_and_under_which_identities():
    target = target_of(person(member("a", c="exited")), changed=(3,))

    assert orjson.loads(shown_after(target, AUDIENCES)) == {
        "audiences": {"1": "2026-03-01T12:00:00.000+0000"},
        "identities": {"email": [{"id": "ana@example.com"}]},
    }


def test_the_partner_need_not_know_who_is_out():
    assert shown_after(target_of(person(member(a="exited")), changed=(1,)), AUDIENCES) is None


def test_what_was_shown_is_enough_to_take_it_back():
    told = shown_after(target_of(person(member("a", "b", "c"))), AUDIENCES)

    back = target_of({}, shown=told)

    assert statuses(back) == dict.fromkeys("abc", "exited")
    assert shown_after(back, AUDIENCES) is None


# -- times --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-03-01T17:41:55.947859Z", "2024-03-01T17:41:55.947+0000"),
        ("2024-03-01T17:41:55.9479Z", "2024-03-01T17:41:55.947+0000"),
        ("2024-03-01T17:41:55Z", "2024-03-01T17:41:55.000+0000"),
        ("2024-03-01T17:41:55", "2024-03-01T17:41:55.000+0000"),
        ("2024-03-01T17:41:55+05:30", "2024-03-01T12:11:55.000+0000"),
        ("2024-03-01T17:41:55.947+0000", "2024-03-01T17:41:55.947+0000"),
        ("0999-03-01T17:41:55Z", "0999-03-01T17:41:55.000+0000"),
    ],
)
def test_times_are_written_one_way(written, expected):
    assert normal_time(written) == expected
    assert normal_time(expected) == expected


# -- the audience at hand --------------------------------------------------------------------------------------------

OF_AUDIENCE = Mapping(
    (
        AttributeRow("metadata.segment.alias", "list"),
        AttributeRow("segmentMembership.ups.aep_seg_id.status", "status"),
        AttributeRow("segmentMembership.status", "same"),
        AttributeRow(
            "iif(segmentMembership.seg_namespace.seg_id.status == 'exited', 0, 1)", "sign", is_calculated=True
        ),
        AttributeRow("segmentMembership.ups.b.status", "other"),
    ),
    (),
    predefined=True,
)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, {"list": "list-a", "status": "realized", "same": "realized", "sign": 1, "other": "exited"}),
        (2, {"list": "list-b", "status": "exited", "same": "exited", "sign": 0, "other": "exited"}),
        (3, {"list": "list-c", "status": "realized", "same": "realized", "sign": 1, "other": "exited"}),
    ],
)
def test_a_row_may_be_about_the_audience_of_the_message(number, expected):
    profile = person(member("a", "c", b="exited"))

    target = target_profile(entry(profile, audience=number, changed=(number,)), profile, OF_AUDIENCE, AUDIENCES)

    assert OF_AUDIENCE.reads_audience
    assert target["attributes"] == expected


def test_where_a_message_is_of_no_audience_nothing_is_known_of_one():
    profile = person(member("a"))

    target = target_profile(entry(profile), profile, OF_AUDIENCE, AUDIENCES)

    assert target["attributes"] == {"sign": 1}
