"""What is kept of a message: bounded, and without what nobody may read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.connect.secrets import MASK, Redactor
from headrace.model.exchange import Exchange
from headrace.model.http import Request, Response
from headrace.model.message import Entry, Settled
from headrace.model.outcome import Delivered, Parked, Retry
from headrace.services.keeping_messages import MOST_OF_ANSWER, MOST_OF_REQUEST, content_of, kept_of

SECRET = "s3cret-of-the-account"


def exchange(body=b"", *, answer=b"", url="https://partner.example/", headers=(), answered=()):
    redact = Redactor([SECRET]).redact
    return Exchange(Request("POST", url, headers, body), Response(400, answered, answer), redact, "v1")


def settled(message, outcome, profile=1):
    return Settled(Entry(profile, 0, "", 1, b"", (0,)), outcome, message)


@pytest.mark.parametrize(
    ("body", "most"), [("request", MOST_OF_REQUEST), ("answer", MOST_OF_ANSWER)], ids=["request", "answer"]
)
def test_a_long_body_is_cut_and_that_is_said(body, most):
    text = b"\xc3\xa4" * most
    kept = content_of(exchange(text, answer=text))[body]

    assert len(kept["body"].encode()) <= most
    assert kept["truncated"] is True
    assert set(kept["body"]) == {"ä"}


def test_what_is_short_is_kept_whole():
    kept = content_of(exchange(b'{"a": 1}', answer=b"no"))

    assert (kept["request"]["body"], kept["request"]["truncated"], kept["request"]["bytes"]) == ('{"a": 1}', False, 8)
    assert (kept["answer"]["body"], kept["answer"]["truncated"]) == ("no", False)


@given(st.integers(0, 40))
def test_a_secret_at_the_edge_is_taken_out_whole(before):
    text = ("x" * (MOST_OF_ANSWER - before) + SECRET + "y" * 100).encode()

    kept = content_of(exchange(answer=text))["answer"]["body"]

    assert not any(SECRET[:length] in kept for length in range(6, len(SECRET) + 1))


def test_secrets_are_in_no_part():
    headers = (("Authorization", "Basic abc"), ("X-Other", f"with {SECRET}"), ("Cookie", "a=b"))
    kept = content_of(
        exchange(SECRET.encode(), answer=SECRET.encode(), url=f"https://p.example/?t={SECRET}", headers=headers)
    )

    assert SECRET not in str(kept)
    values = {header["name"]: header["value"] for header in kept["request"]["headers"]}
    assert values == {"Authorization": MASK, "X-Other": "with [secret]", "Cookie": MASK}


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"\x00", b"\xed\xa0\x80"])
def test_what_is_no_text_is_kept_as_one(body):
    (kept,) = kept_of([settled("m", Parked("status-400", "no", exchange=exchange(body, answer=body)))])

    assert kept.content


def test_a_message_is_kept_once_with_everybody_in_it():
    said = exchange(b"all of them")
    parked, again = Parked("entry-refused", "no", exchange=said), Retry("entry-unnamed", "?", exchange=said)
    group = [
        settled("m", parked, 3),
        settled("m", Delivered(), 1),
        settled("m", parked, 2),
        settled("m", again, 4),
        settled("other", Delivered(), 5),
    ]

    (kept,) = kept_of(group)

    assert (kept.message, kept.people) == ("m", (1, 2, 3, 4))


def test_of_what_was_delivered_or_never_sent_nothing_is_kept():
    assert kept_of([settled("m", Delivered()), settled("", Parked("template", "no"))]) == []
