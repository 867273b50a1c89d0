"""A request is written exactly, or not at all: nothing that was rendered can break out of its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.connect.http import METHODS, write_request
from headrace.connect.transport import Unsendable
from headrace.model.http import Request

START = " /x HTTP/1.1\r\nHost: partner.example\r\nAccept-Encoding: identity\r\n"
AGENT = "User-Agent: headrace\r\n"


def written(method="POST", headers=(), body=b""):
    return write_request(Request(method, "https://partner.example/x", tuple(headers), body), START, AGENT)


def test_a_request_is_one_piece():
    assert written(headers=[("Content-Type", "application/json"), ("X-Id", "7")], body=b'{"a":1}') == (
        b"POST /x HTTP/1.1\r\nHost: partner.example\r\nAccept-Encoding: identity\r\n"
        b"Content-Type: application/json\r\nX-Id: 7\r\nContent-Length: 7\r\nUser-Agent: headrace\r\n\r\n"
        b'{"a":1}'
    )


@pytest.mark.parametrize(
    ("method", "body", "has_length"),
    [("POST", b"", True), ("PUT", b"", True), ("PATCH", b"", True), ("GET", b"", False), ("HEAD", b"", False),
     ("DELETE", b"", False), ("OPTIONS", b"", False), ("DELETE", b"x", True), ("GET", b"x", True)],
)  # fmt: skip
def test_the_length_is_given_where_a_body_is_expected(method, body, has_length):
    assert (b"Content-Length: " in written(method, body=body)) == has_length


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "post", "", "GET /x HTTP/1.1\r\nX:", "PROPFIND", "POST "])
def test_other_methods_are_refused(method):
    with pytest.raises(Unsendable, match="is not a method"):
        written(method)


@pytest.mark.parametrize(
    "name",
    ["Host", "host", "HOST", "Content-Length", "Transfer-Encoding", "transfer-encoding", "Connection", "Keep-Alive",
     "Proxy-Connection", "Proxy-Authorization", "TE", "Trailer", "Upgrade", "Expect", "HTTP2-Settings"],
)  # fmt: skip
def test_headers_of_the_connection_cannot_be_set(name):
    with pytest.raises(Unsendable, match="belongs to the connection"):
        written(headers=[(name, "x")])


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "X-A:",
        "X A",
        "X-A ",
        " X-A",
        "X-Ä",
        "X\r\nY",
        "X\nY",
        "X\x00",
        "X\t",
        "X(",
        "X@Y",
        "x" * 300,
        ":method",
    ],
)
def test_a_name_that_is_no_token_is_refused(name):
    with pytest.raises(Unsendable, match="name"):
        written(headers=[(name, "x")])


@pytest.mark.parametrize(
    "value",
    [
        "a\r\nX-Evil: 1",
        "a\nb",
        "a\rb",
        "a\x00b",
        "\x7f",
        "\x1b[0m",
        "a\x0bb",
        "a\x0cb",
        "\x85",
        "\ud800",
        "a\r\n\r\nGET /",
    ],
)
def test_a_value_that_breaks_its_line_is_refused_without_repeating_it(value):
    with pytest.raises(Unsendable) as refusal:
        written(headers=[("X-A", value)])

    assert "'X-A'" in str(refusal.value)
    assert value not in str(refusal.value)


@pytest.mark.parametrize("value", ["", "a b", "a\tb", "ü", "日本", "\xa0", 'a,b;c="d"', "\u2028"])
def test_other_values_are_written_as_utf_8(value):
    assert f"X-A: {value}\r\n".encode() in written(headers=[("X-A", value)])


def test_an_answer_is_never_asked_for_compressed():
    assert written(headers=[("accept-encoding", "gzip, br")]).lower().count(b"accept-encoding:") == 1
    assert b"gzip" not in written(headers=[("Accept-Encoding", "gzip")])


def test_a_user_agent_of_ones_own_stands():
    assert b"User-Agent" in written()
    assert written(headers=[("user-agent", "mine/1")]).lower().count(b"user-agent:") == 1


def test_repeated_headers_are_kept_in_order():
    assert b"X-A: 1\r\nX-A: 2\r\n" in written(headers=[("X-A", "1"), ("X-A", "2")])


@given(st.sampled_from(sorted(METHODS)), st.lists(st.tuples(st.text(max_size=8), st.text(max_size=12)), max_size=4))
def test_whatever_is_rendered_there_is_one_request_with_its_own_lines(method, headers):
    try:
        message = written(method, headers=[("X-" + name, value) for name, value in headers], body=b"BODY")
    except Unsendable:
        return

    head, blank, body = message.partition(b"\r\n\r\n")
    assert (blank, body) == (b"\r\n\r\n", b"BODY")
    assert len(head.split(b"\r\n")) == 5 + len(headers)
    assert head.count(b"\n") == head.count(b"\r") == 4 + len(headers)
