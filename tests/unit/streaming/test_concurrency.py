"""How many requests are under way follows what the partner takes well; days of traffic in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.streaming.concurrency import FIRST, HALF, LONGEST_PATIENCE, Concurrency
from unit.streaming.traffic import Link, Traffic


def test_a_partner_that_is_well_soon_has_all_there_may_be():
    traffic = Traffic(Link(0.02), most=64)

    traffic.run(1)

    assert traffic.level.limit == 64


def test_the_ordinary_number_is_there_from_the_first_moment():
    assert Concurrency(8).limit == FIRST == 8


@pytest.mark.parametrize("most", [1, 2, 5, 20, 60])
def test_a_limit_is_found_within_a_minute_and_refuses_little(most):
    traffic = Traffic(Link(0.02, most=most), most=64)

    traffic.run(60)
    found = traffic.refused
    levels = traffic.run(600)

    assert max(1, most // 2) <= min(levels) <= max(levels) <= most + 1
    assert found <= 2 * max(most, FIRST) + 2, "until it is found"
    assert traffic.refused - found <= 600 / LONGEST_PATIENCE + 8, "afterwards it is tried less and less often"
    assert traffic.taken >= 0.8 * 660 / 0.02 * most


def test_a_limit_that_is_lifted_is_noticed():
    link = Link(0.02, most=4)
    traffic = Traffic(link, most=32)
    traffic.run(120)

    link.most = None
    traffic.run(LONGEST_PATIENCE)

    assert traffic.level.limit == 32


def test_latency_that_rises_to_ten_seconds_settles_within_a_minute_and_recovers():
    link = Link(0.02)
    traffic = Traffic(link, most=32)
    traffic.run(60)

    link.seconds = 10.0
    traffic.run(60)
    levels = traffic.run(300)
    assert max(levels) - min(levels) <= 8, "it has settled"
    assert min(levels) >= 8, "for it is slow however few there are"

    link.seconds = 0.02
    traffic.run(60)
    assert traffic.level.limit == 32


def test_when_capacity_halves_the_line_gets_shorter():
    link = Link(0.2, workers=64)
    traffic = Traffic(link, most=64)
    traffic.run(60)
    assert traffic.level.limit == 64

    link.workers = 16
    traffic.run(2)
    taken = traffic.taken
    levels = traffic.run(20)

    assert min(levels) <= 48, "requests wait less at the partner"
    assert traffic.taken - taken >= 0.9 * 20 / 0.2 * 16, "who works as much as it can all the same"


@pytest.mark.parametrize(
    "jitter",
    [
        pytest.param(lambda random: random.uniform(0.2, 1.8), id="even"),
        pytest.param(lambda random: random.expovariate(1), id="exponential"),
        pytest.param(lambda random: random.lognormvariate(0, 0.7), id="long tail"),
        pytest.param(lambda random: 3.0 if random.random() < 0.05 else 1.0, id="now and then"),
    ],
)
def test_latency_that_wavers_costs_little(jitter):
    traffic = Traffic(Link(0.1, jitter=jitter), most=16)

    levels = traffic.run(300)

    assert sum(levels) / len(levels) >= 0.75 * 16


def test_a_breath_of_ours_is_no_latency():
    link = Link(0.001)
    traffic = Traffic(link, most=8)
    traffic.run(5)

    link.seconds = 0.03

    assert set(traffic.run(5)) == {8}


def test_requests_of_one_moment_cut_it_once():
    level = Concurrency(8)

    cuts = [level.pressed(0.0, 1.0 + n / 100, 8, is_plain=True) for n in range(8)]

    assert cuts == [True] + [False] * 7
    assert level.limit == 8 * HALF


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 50), st.sampled_from(["well", "plain", "bare", "anew"]))))
def test_whatever_comes_there_is_one_and_never_more_than_there_may_be(said):
    level, now = Concurrency(20), 0.0
    for seconds, under_way, kind in said:
        began, now = now, now + seconds
        if kind == "well":
            level.answered(began, now, under_way)
        elif kind == "anew":
            level.begin_anew(now)
        else:
            level.pressed(began, now, under_way, is_plain=kind == "plain")

        assert 1 <= level.limit <= 20
