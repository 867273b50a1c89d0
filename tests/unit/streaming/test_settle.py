"""What an answer means for what was sent, and what follows from it."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.connect.retry import DEFAULT_STEPS, RetryPolicy, policy_of
from headrace.connect.storage import NotStored
from headrace.connect.transport import Garbled, NotSent, Unanswered, Unsendable
from headrace.errors import AccountError, EgressError, ExpressionError, HeadraceError, PartnerError
from headrace.model.http import Response
from headrace.model.message import Entry, Settled
from headrace.model.outcome import Delivered, Parked, Retry
from headrace.model.retrying import Retrying
from headrace.streaming.settle import classify, conclude, explain

NOW = 1_774_000_000_000
STEPS = RetryPolicy((timedelta(seconds=15), timedelta(seconds=30)), jitter=0)


def kind(status):
    if 200 <= status <= 299:
        return Delivered
    return Retry if status in (408, 410, 420, 429) or status >= 500 else Parked


@pytest.mark.parametrize("hundred", range(1, 6))
def test_every_status_means_one_thing(hundred):
    for status in range(hundred * 100, hundred * 100 + 100):
        outcome = classify(Response(status), NOW)

        assert type(outcome) is kind(status), status
        assert str(status) in f"{outcome}"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Delivered(200)),
        (202, Delivered(202)),
        (204, Delivered(204)),
        (301, Parked("status-301", "the partner answered 301")),
        (400, Parked("status-400", "the partner answered 400")),
        (401, Parked("status-401", "the partner answered 401")),
        (408, Retry("status-408", "the partner answered 408")),
        (429, Retry("status-429", "the partner answered 429", pressure=True)),
        (500, Retry("status-500", "the partner answered 500")),
        (410, Retry("status-410", "the partner answered 410 (gone)", counts=False, holds=True)),
        (503, Retry("status-503", "the partner answered 503", pressure=True)),
    ],
)
def test_an_answer_is_told_with_its_reason(status, expected):
    assert classify(Response(status), NOW) == expected


@pytest.mark.parametrize("status", [408, 429, 500, 503])
@pytest.mark.parametrize(
    ("header", "expected"), [("120", 120.0), ("soon", None), ("Fri, 20 Mar 2026 09:46:50 GMT", 10.0)]
)
def test_the_partner_may_ask_for_time(status, header, expected):
    outcome = classify(Response(status, (("Retry-After", header),)), NOW)

    assert outcome.after == expected
    assert outcome.unknown is False


MINUTES, HOURS = 60, 3600
#: What each policy sends again, and when: the original's two as its documentation has them.
POLICIES = {
    "headrace": (
        {408, 420, 429, *range(500, 600)},
        [15, 30, 5 * MINUTES, 30 * MINUTES, *(hours * HOURS for hours in (2, 5, 10, 14, 18, 22))],
        0.2,
    ),
    "best-effort": ({403, 408, 409, 429, 500, 502, 503, 504}, [15, 30], 0),
    "configurable": ({420, 429, *range(501, 600)}, [30 * MINUTES] * 48, 0),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_sends_again_exactly_what_it_says(name):
    policy = policy_of(Retrying(policy=name), RetryPolicy())
    again, steps, jitter = POLICIES[name]

    for status in range(100, 600):
        outcome = classify(Response(status), NOW, policy)
        if status in again:
            assert outcome == Retry(
                f"status-{status}", f"the partner answered {status}", pressure=status in (420, 429, 503)
            )
        elif status == 410:
            assert (outcome.holds, outcome.counts) == (True, False)
        else:
            assert type(outcome) is (Delivered if 200 <= status <= 299 else Parked), status
    assert [step.total_seconds() for step in policy.steps] == steps
    assert policy.jitter == jitter


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_ends_in_parked(name):
    policy = policy_of(Retrying(policy=name), RetryPolicy())
    attempt, outcome, random = 0, AGAIN, Random(1)

    while isinstance(outcome, Retry):
        attempt += 1
        ((item,), wait) = conclude(settled(AGAIN), attempt, policy, random)
        outcome = item.outcome
        assert (wait is None) == isinstance(outcome, Parked)

    assert outcome.code == "retries-exhausted"
    assert attempt == len(POLICIES[name][1]) + 1


def test_steps_of_ones_own_take_the_place_of_the_operators_and_those_of_the_name():
    usual = RetryPolicy((timedelta(seconds=1),))

    assert policy_of(Retrying(), usual) is usual
    own = policy_of(Retrying(steps=(5, 10)), usual)
    assert own.steps == (timedelta(seconds=5), timedelta(seconds=10))
    assert (own.jitter, own.statuses) == (usual.jitter, usual.statuses)
    assert usual.statuses == policy_of(Retrying(), RetryPolicy(DEFAULT_STEPS)).statuses


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", 120),
        ("20", 30),
        ("1.5e1", 30),
        ("45.5", 45.5),
        ("-120", 30),
        ("1000000000000", 86400),
        ("1e400", 86400),
        ("inf", 30),
        ("nan", 30),
        ("soon", 30),
        ("", 30),
        ("120, 240", 30),
        ("Fri, 20 Mar 2026 09:48:20 GMT", 100),
        ("Fri, 20 Mar 2026 09:46:50 GMT", 30),
        ("Fri, 20 Mar 2020 09:46:50 GMT", 30),
        ("Fri, 20 Mar 2099 09:46:50 GMT", 86400),
        ("Fri, 99 Mar 2026 09:46:50 GMT", 30),
    ],
)
@pytest.mark.parametrize("name", POLICIES)
def test_what_the_partner_asks_for_counts_between_the_step_and_a_day(name, header, expected):
    steps = (timedelta(seconds=30),)
    policy = RetryPolicy(steps, jitter=0, statuses=policy_of(Retrying(policy=name), RetryPolicy()).statuses)

    outcome = classify(Response(429, (("Retry-After", header),)), NOW, policy)

    assert conclude(settled(outcome), 1, policy, Random(1))[1] == expected


def test_time_asked_for_does_not_make_a_refusal_pass():
    assert isinstance(classify(Response(400, (("Retry-After", "1"),)), NOW), Parked)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotSent("no route"), Retry("partner-unreachable", "no route")),
        (EgressError("not allowed"), Retry("egress", "not allowed")),
        (Unanswered("cut off"), Retry("partner-unanswered", "cut off", unknown=True)),
        (Garbled("not HTTP"), Retry("partner-garbled", "not HTTP", unknown=True)),
        (Unsendable("no URL"), Parked("unsendable", "no URL")),
        (AccountError("no token"), Parked("account", "no token")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_answer_is_told_with_what_is_known(error, expected):
    assert explain(error) == expected


#: What errors are made of, where that is more than a reason.
MADE_OF = {ExpressionError: ("a + ", 4, "why"), NotStored: ("denied", "why")}


def test_no_error_of_ours_is_taken_for_success():
    waiting = [HeadraceError]
    while waiting:
        waiting += (kind := waiting.pop()).__subclasses__()
        if issubclass(kind, PartnerError | AccountError):
            made_of = next((MADE_OF[base] for base in kind.__mro__ if base in MADE_OF), ("why",))
            assert not isinstance(explain(kind(*made_of)), Delivered)


# -- what follows -------------------------------------------------------------------------------------------------


def settled(*outcomes):
    return [Settled(Entry(number, 0, "", 1, b"", ()), outcome) for number, outcome in enumerate(outcomes)]


AGAIN, LATER = Retry("status-503", "the partner answered 503"), Retry("status-429", "slow down", after=100.0)


@pytest.mark.parametrize(
    ("outcomes", "attempt", "expected"),
    [
        pytest.param([Delivered()], 1, None, id="nothing to retry"),
        pytest.param([Parked("a", "b"), Delivered()], 9, None, id="nothing to retry, late"),
        pytest.param([AGAIN], 1, 15.0, id="first step"),
        pytest.param([AGAIN], 2, 30.0, id="second step"),
        pytest.param([Delivered(), AGAIN], 1, 15.0, id="one of two"),
        pytest.param([LATER], 1, 100.0, id="as asked"),
        pytest.param([AGAIN, LATER, Retry("c", "r", after=20.0)], 2, 100.0, id="the longest that is asked for"),
        pytest.param([Retry("c", "r", after=1.0)], 1, 15.0, id="never sooner than the step"),
        pytest.param([Retry("c", "r", after=1e9)], 1, 86400.0, id="never longer than a day"),
    ],
)
def test_what_is_retried_waits_as_long_as_policy_and_partner_say(outcomes, attempt, expected):
    concluded, wait = conclude(settled(*outcomes), attempt, STEPS, Random(1))

    assert concluded == settled(*outcomes)
    assert wait == expected


@pytest.mark.parametrize("attempt", [3, 4, 100])
def test_when_the_schedule_is_used_up_what_is_left_is_parked_with_the_last_reason(attempt):
    concluded, wait = conclude(settled(Delivered(), AGAIN, Parked("a", "b"), LATER), attempt, STEPS, Random(1))

    assert wait is None
    assert [item.outcome for item in concluded] == [
        Delivered(),
        Parked("retries-exhausted", f"given up after {attempt} attempts; the last time the partner answered 503"),
        Parked("a", "b"),
        Parked("retries-exhausted", f"given up after {attempt} attempts; the last time slow down"),
    ]


outcomes = st.sampled_from([Delivered(), AGAIN, LATER, Parked("a", "b"), Retry("u", "lost", unknown=True)])


@given(st.lists(outcomes, min_size=1, max_size=6), st.integers(1, 5), st.integers())
def test_every_entry_keeps_an_outcome_and_what_is_final_stays(outcomes, attempt, seed):
    before = settled(*outcomes)

    concluded, wait = conclude(before, attempt, RetryPolicy(STEPS.steps), Random(seed))

    assert [item.entry for item in concluded] == [item.entry for item in before]
    for old, new in zip(before, concluded, strict=True):
        if not isinstance(old.outcome, Retry):
            assert new == old
    assert (wait is not None) == any(isinstance(item.outcome, Retry) for item in concluded)
