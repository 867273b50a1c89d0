"""What triggers a message, row by row, and by which lanes it leaves."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.message import Bucket
from headrace.render.parts import Parting
from headrace.streaming.triggers import Watched, changed, lanes
from unit.render.making import AUDIENCES, MAPPING, NOON, ONE, by_audience, by_identity, member, person, policy

NAMESPACES = ("email", "phone")


def watched(aggregation=None):
    aggregation = aggregation or policy()
    return Watched(1, AUDIENCES, MAPPING, aggregation, Parting.of(aggregation, NAMESPACES))


def touched(after, moved, aggregation, known=()):
    return [
        (lane.audience, lane.part, Bucket.decode(lane.bucket))
        for lane in lanes(after, moved, watched(aggregation), known)
    ]


IN, OUT = person(member("a")), person(member(a="exited"))
OUT_ONCE_MORE = person({"ups": {"a": {"status": "exited", "lastQualificationTime": "2026-07-02T12:00:00Z"}}})
UNMAPPED = {"ups": {"z": {"status": "realized", "lastQualificationTime": NOON}}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # enters
        pytest.param(None, IN, (1,), id="is first heard of in a mapped audience"),
        pytest.param(person(), IN, (1,), id="enters"),
        pytest.param(OUT, IN, (1,), id="enters again"),
        pytest.param(None, person(member("a", "c")), (1, 3), id="is first heard of in two"),
        # leaves
        pytest.param(IN, OUT, (1,), id="leaves"),
        pytest.param(person(member("a", "b")), person(member("b", a="exited")), (1,), id="leaves one of two"),
        pytest.param(person(member("a")), person(member("b", a="exited")), (1, 2), id="goes from one to another"),
        # what is mapped changes
        pytest.param(IN, person(member("a"), city="Porto"), (0,), id="a mapped attribute changes inside"),
        pytest.param(IN, person(member("a"), email=["b"]), (0,), id="a mapped identity changes inside"),
        pytest.param(IN, person(member("a"), email=[]), (0,), id="a mapped identity goes"),
        pytest.param(IN, person(member("a", "b"), city="Porto"), (0, 2), id="enters, and an attribute changes"),
        pytest.param(
            person(member("a", "b")), person(member("b", a="exited"), city="Porto"), (0, 1), id="leaves, and changes"
        ),
        # and otherwise not
        pytest.param(IN, IN, (), id="nothing happens"),
        pytest.param(IN, person(member("a", time=ONE)), (), id="qualifies once more"),
        pytest.param(IN, person(member("a"), tier="gold"), (), id="what is not mapped changes"),
        pytest.param(person(), person(city="Porto"), (), id="a mapped attribute changes outside"),
        pytest.param(OUT, person(member(a="exited"), city="Porto"), (), id="an attribute changes after leaving"),
        pytest.param(IN, person(member(a="exited"), city="Porto"), (1,), id="leaves the last one, and changes"),
        pytest.param(person(UNMAPPED), person(UNMAPPED, city="Porto"), (), id="an attribute of a member elsewhere"),
        pytest.param(None, person(UNMAPPED), (), id="enters what is not mapped"),
        pytest.param(None, OUT, (), id="is first heard of as exited"),
        pytest.param(person(), OUT, (), id="is heard of as exited"),
        pytest.param(OUT, person(member(a="exited", time=ONE)), (), id="exits once more"),
        pytest.param(None, person(), (), id="is first heard of in nothing"),
    ],
)
def test_the_table_of_what_triggers_a_message(before, after, expected):
    assert changed(before, after, watched()) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(None, OUT, (1,), id="is first heard of as exited"),
        pytest.param(OUT, OUT_ONCE_MORE, (1,), id="has left once more"),
        pytest.param(OUT, OUT, (), id="is said to have left as before"),
        pytest.param(IN, OUT, (1,), id="leaves"),
        pytest.param(None, IN, (1,), id="enters"),
        pytest.param(IN, IN, (), id="is in as before"),
    ],
)
def test_who_may_have_entered_since_a_backup_leaves(before, after, expected):
    assert changed(before, after, replace(watched(), is_restored=True)) == expected


@given(st.lists(st.tuples(*[st.sampled_from(["realized", "exited", None])] * 3), min_size=1, max_size=6))
def test_enough_is_told_to_know_who_is_in(states):
    """Whoever hears of every change knows the memberships at the end."""
    told, before = {}, None
    for row in states:
        statuses = {id_: status for id_, status in zip("abc", row, strict=True) if status}
        after = person(member(**{**_known(before), **statuses}))
        for number in changed(before, after, watched()):
            told[number] = AUDIENCES.statuses(after)[number]["status"] == "realized"
        before = after

    truth = {number: item["status"] == "realized" for number, item in AUDIENCES.statuses(before).items()}
    assert {number: is_in for number, is_in in truth.items() if is_in or number in told} == told


def _known(profile):
    return {
        id_: item["status"]
        for memberships in (profile or {}).get("segmentMembership", {}).values()
        for id_, item in memberships.items()
    }


# -- lanes --------------------------------------------------------------------------------------------------------

BOTH = person(member("a", "c"), email=["e1", "e2"], phone=["p1"])
LEFT = person(member("c", a="exited"), email=["e1", "e2"], phone=["p1"])


@pytest.mark.parametrize(
    ("aggregation", "profile", "moved", "expected"),
    [
        pytest.param(policy(), BOTH, (1,), [(0, "", Bucket())], id="whole"),
        pytest.param(policy(), LEFT, (1,), [(0, "", Bucket())], id="whole, leaving"),
        pytest.param(by_audience(), BOTH, (1, 3), [(1, "", Bucket(1)), (3, "", Bucket(3))], id="by audience"),
        pytest.param(by_audience(), BOTH, (3,), [(3, "", Bucket(3))], id="by audience, only the one that moved"),
        pytest.param(
            by_audience(), BOTH, (0,), [(1, "", Bucket(1)), (3, "", Bucket(3))], id="attributes go to each audience"
        ),
        pytest.param(by_audience(), LEFT, (0,), [(3, "", Bucket(3))], id="but not to one that was left"),
        pytest.param(
            by_audience(), LEFT, (0, 1), [(1, "", Bucket(1)), (3, "", Bucket(3))], id="unless that is the news"
        ),
        pytest.param(by_audience(status=True), BOTH, (1,), [(1, "", Bucket(1, "realized"))], id="status, in"),
        pytest.param(by_audience(status=True), LEFT, (1,), [(1, "", Bucket(1, "exited"))], id="status, out"),
        pytest.param(
            by_identity(),
            BOTH,
            (1,),
            [(0, "1", Bucket(0, None, 1)), (0, "2", Bucket(0, None, 2))],
            id="one namespace each",
        ),
        pytest.param(by_identity(["phone", "email"]), BOTH, (1,), [(0, "1", Bucket(0, None, 1))], id="one group"),
        pytest.param(by_identity(["phone"]), BOTH, (1,), [(0, "1", Bucket(0, None, 1))], id="a group of some"),
        pytest.param(by_identity(["app"]), BOTH, (1,), [], id="a group in which they have nothing"),
        pytest.param(
            policy(split=True),
            BOTH,
            (1,),
            [(0, "|email|e1", Bucket()), (0, "|email|e2", Bucket()), (0, "|phone|p1", Bucket())],
            id="split",
        ),
        pytest.param(policy(split=True), person(member("a"), email=[]), (1,), [(0, "", Bucket())], id="split, none"),
        pytest.param(
            by_identity(["email"], ["phone"], split=True, audience=True, status=True),
            LEFT,
            (1,),
            [
                (1, "1|email|e1", Bucket(1, "exited", 1)),
                (1, "1|email|e2", Bucket(1, "exited", 1)),
                (1, "2|phone|p1", Bucket(1, "exited", 2)),
            ],
            id="everything",
        ),
        pytest.param(by_identity(), person(member("a"), email=[]), (1,), [], id="nothing can be said"),
        pytest.param(policy(), BOTH, (), [], id="nothing happened"),
    ],
)
def test_changes_leave_by_the_lanes_of_the_policy(aggregation, profile, moved, expected):
    assert touched(profile, moved, aggregation) == expected


def test_an_identity_that_is_gone_has_a_lane_if_the_partner_was_told_by_it():
    after = person(member(a="exited"), email=["new"])

    found = touched(after, (1,), policy(split=True), known=[(0, "|email|old"), (0, "|email|new")])

    assert [part for _, part, _ in found] == ["|email|new", "|email|old"]


def test_who_has_no_identity_left_is_taken_back_by_the_lanes_the_partner_was_told_by():
    assert [
        lane[:2] for lane in touched(person(member(a="exited"), email=[]), (1,), by_identity(), known=[(0, "1")])
    ] == [(0, "1")]


@given(
    st.sets(st.sampled_from("abc")),
    st.lists(st.sampled_from(["e1", "e2", "e3"]), unique=True),
    st.sampled_from(
        [policy(), policy(split=True), by_audience(), by_identity(), by_identity(split=True, audience=True)]
    ),
)
def test_no_lane_is_touched_twice(ids, emails, aggregation):
    after = person(member(*sorted(ids)), email=emails)
    moved = changed(None, after, watched(aggregation))

    found = [lane[:2] for lane in touched(after, moved, aggregation, known=[(0, "|email|e1"), (1, "1|email|e9")])]

    assert len(found) == len(set(found))
