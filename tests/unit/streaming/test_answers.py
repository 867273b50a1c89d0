"""Answers that tell of single entries: whom they name, what they say, and what is made of those they do not name."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.answers import Answers
from headrace.model.http import Request, Response
from headrace.model.message import Entry, Message
from headrace.model.outcome import Delivered, Parked, Retry, Split
from headrace.streaming.answers import LONGEST_REASON, judge

BY_INDEX = {
    "path": "results",
    "success": {"path": "status", "values": ["ok"]},
    "reason": "error.message",
    "retry": {"path": "error.code", "values": ["BUSY", "429"]},
}
BY_ID = {**BY_INDEX, "by": "id", "id": "email", "entryId": "identityMap.email[0].id"}
OK, BAD = {"status": "ok"}, {"status": "no", "error": {"code": "BAD", "message": "no such s3cret"}}
BUSY = {"status": "no", "error": {"code": 429}}
UNNAMED = Retry("entry-unnamed", "the partner's answer does not name it", unknown=True)
REFUSED = Parked("entry-refused", "the partner refused it alone: no such ***")
LATER = Retry("entry-refused", "the partner did not take it for now")


def judged(body, count=3, status=200, names=(), bisects=True, **declared):
    entries = tuple(Entry(number, 0, "", 1, b"", ()) for number in range(count))
    message = Message("m", Request("POST", "https://a.example/", (), b""), entries, (None,) * count, names=tuple(names))
    text = body if isinstance(body, bytes) else orjson.dumps(body)
    answers = Answers.model_validate(declared)
    hide = lambda text: text.replace("s3cret", "***")  # noqa: E731
    return judge(Response(status, (), text), message, answers, 0, hide, bisects=bisects)


def test_each_result_speaks_of_the_entry_in_its_place():
    answer = judged({"results": [OK, BAD, BUSY]}, results=BY_INDEX)

    assert answer.outcome == (Delivered(), REFUSED, LATER)
    assert answer.unread is None


def test_a_result_can_say_which_place_it_means():
    results = [{**BAD, "n": 2}, {**OK, "n": 0}, {**OK, "n": 1}]

    assert judged({"results": results}, results={**BY_INDEX, "index": "n"}).outcome == (
        Delivered(),
        Delivered(),
        REFUSED,
    )


def test_a_result_names_every_entry_that_has_its_id():
    results = [{**OK, "email": "a"}, {**BAD, "email": "b"}]

    answer = judged({"results": results}, names=["b", "a", "b"], results=BY_ID)

    assert answer.outcome == (REFUSED, Delivered(), REFUSED)


def test_who_is_not_named_is_sent_again_where_everybody_is_to_be():
    answer = judged({"results": [OK, OK]}, results=BY_INDEX)

    assert answer.outcome == (Delivered(), Delivered(), UNNAMED)
    assert answer.unread == "1 entries are not named"


def test_who_is_not_among_the_failures_was_taken():
    declared = {"path": "errors", "index": "i", "names": "failures", "reason": "why"}

    answer = judged({"errors": [{"i": 1, "why": "too old"}]}, results=declared)

    assert answer.outcome == (
        Delivered(),
        Parked("entry-refused", "the partner refused it alone: too old"),
        Delivered(),
    )


def test_results_that_name_nobody_are_told_of():
    answer = judged({"results": [OK, OK, OK, BAD]}, results=BY_INDEX)

    assert (answer.outcome, answer.unread) == ((Delivered(),) * 3, "1 results name no entry")


@pytest.mark.parametrize("order", [[OK, BAD], [BAD, OK]])
def test_of_two_results_the_worse_counts(order):
    results = [{**item, "i": 0} for item in order]

    assert judged({"results": results}, 1, results={**BY_INDEX, "index": "i"}).outcome == (REFUSED,)


def test_a_result_can_hold_a_status():
    declared = {"path": "$", "success": {"path": "code"}}

    answer = judged([{"code": 201}, {"code": 503}, {"code": 404}, {"code": "?"}], 4, status=207, results=declared)

    assert [type(outcome) for outcome in answer.outcome] == [Delivered, Retry, Parked, Retry]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<p>fine</p>", id="no JSON"),
        pytest.param(b"", id="nothing"),
        pytest.param({"results": {}}, id="no list"),
        pytest.param([], id="something else"),
    ],
)
def test_an_answer_that_cannot_be_read_is_no_success_where_everybody_is_to_be_named(body):
    strict = judged(body, results=BY_INDEX)
    lax = judged(body, results={"path": "results", "names": "failures"})

    assert (strict.outcome.code, strict.outcome.unknown) == ("answer-unread", True)
    assert lax.outcome == Delivered(200)
    assert strict.unread == lax.unread
    assert strict.unread is not None


def test_other_statuses_are_read_only_where_they_are_declared():
    body = {"results": [OK, BAD, OK]}

    assert judged(body, status=400, results=BY_INDEX).outcome == Split("status-400", "the partner answered 400")
    assert judged(body, status=400, statuses=[400], results=BY_INDEX).outcome == (Delivered(), REFUSED, Delivered())
    assert isinstance(judged(b"no", status=400, statuses=[400], results=BY_INDEX).outcome, Split)
    assert isinstance(judged(b"no", status=503, statuses=[503], results=BY_INDEX).outcome, Retry)


def test_words_of_a_partner_are_cut():
    long = {"status": "no", "error": {"message": "x" * 5000}}

    (outcome,) = judged({"results": [long]}, 1, results=BY_INDEX).outcome

    assert len(outcome.reason) < LONGEST_REASON + 50


COUNTED = "the partner did not take 1 of 3 entries and does not say which"


@pytest.mark.parametrize(
    ("body", "otherwise", "expected"),
    [
        ({"bad": 0, "good": 3}, "bisect", Delivered()),
        ({"bad": 1, "good": 2}, "bisect", Split("entries-refused", COUNTED)),
        ({"bad": 1, "good": 2}, "park", Parked("entries-refused", COUNTED)),
        ({"bad": 0, "good": 2}, "bisect", Split("entries-refused", COUNTED)),
    ],
)
def test_counts_are_taken_at_their_word(body, otherwise, expected):
    counts = {"failed": "bad", "accepted": "good", "otherwise": otherwise}

    assert judged(body, counts=counts).outcome == expected


def test_one_entry_that_is_counted_as_failed_is_parked():
    assert isinstance(judged({"bad": 1}, 1, counts={"failed": "bad"}).outcome, Parked)


@pytest.mark.parametrize("body", [{}, {"bad": None}, {"bad": True}, {"bad": -1}, {"bad": 0.5}])
def test_counts_that_are_no_numbers_leave_it_to_the_status(body):
    answer = judged(body, counts={"failed": "bad"})

    assert answer.outcome == Delivered(200)
    assert answer.unread == "there is no number at `bad`"


@given(st.lists(st.sampled_from(["ok", "BAD", "BUSY"]), min_size=1, max_size=20), st.randoms())
def test_in_whatever_order_results_come_every_entry_gets_its_own(kinds, random):
    results = [{"email": str(place), "status": kind, "error": {"code": kind}} for place, kind in enumerate(kinds)]
    random.shuffle(results)

    answer = judged({"results": results}, len(kinds), names=map(str, range(len(kinds))), results=BY_ID)

    expected = {"ok": Delivered, "BAD": Parked, "BUSY": Retry}
    assert [type(outcome) for outcome in answer.outcome] == [expected[kind] for kind in kinds]
