"""The fake is a real server and does as it is told."""

import asyncio
import http.client
import urllib.error
import urllib.request

import pytest

from headrace.testkit.partner import Answer, Partner, Received


def ask(partner, method="POST", path="/in?a=1", body=b'{"x": 1}', **headers):
    connection = http.client.HTTPConnection("127.0.0.1", partner.port, timeout=5)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read(), dict(response.getheaders())
    finally:
        connection.close()


async def talk(partner, *messages):
    """Write the messages on one connection, all at once, and return everything that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", partner.port)
    try:
        writer.write(b"".join(messages))
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()
        await writer.wait_closed()


def message(path="/", *headers, method="POST", body=b"x"):
    lines = [f"{method} {path} HTTP/1.1", "Host: partner", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


LAST = message("/last", "Connection: close")


def statuses(data):
    return [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]]


def test_answers_come_in_order_and_then_the_default():
    with Partner.in_thread([429, 503, 201], default=202) as partner:
        assert [ask(partner)[0] for _ in range(5)] == [429, 503, 201, 202, 202]
        assert [received.answered for received in partner.received] == [429, 503, 201, 202, 202]


def test_what_was_received_is_told_in_full():
    with Partner.in_thread(clock=lambda: 12.5) as partner:
        ask(partner, "PUT", "/a/b?c=d&e", b'{"x": [1]}', **{"X-One": "1", "Content-Type": "application/json"})
    (received,) = partner.received

    assert (received.at, received.method, received.path, received.query) == (12.5, "PUT", "/a/b", "c=d&e")
    assert (received.headers["x-one"], received.headers["content-type"]) == ("1", "application/json")
    assert (received.body, received.json(), received.answered) == (b'{"x": [1]}', {"x": [1]}, 200)


def test_an_answer_may_have_headers_and_a_body():
    with Partner.in_thread([Answer(207, (("Retry-After", "7"),), b"partly")]) as partner:
        status, body, headers = ask(partner)

    assert (status, body, headers["Retry-After"]) == (207, b"partly", "7")


@pytest.mark.parametrize(
    "scripted", [lambda r: 418, lambda r: Answer(418), lambda r: 418 if r.json()["x"] == 1 else 200]
)
def test_an_answer_may_be_a_function_of_what_was_received(scripted):
    with Partner.in_thread(default=scripted) as partner:
        assert ask(partner)[0] == 418


@pytest.mark.parametrize(
    ("authorization", "status"), [("Bearer right", 204), ("Bearer wrong", 401), ("right", 401), ("", 401)]
)
def test_with_a_token_only_who_brings_it_is_let_in(authorization, status):
    with Partner.in_thread([204], token="right") as partner:
        assert ask(partner, Authorization=authorization)[0] == status
        assert partner.received[0].answered == status


def test_who_is_not_let_in_uses_up_no_answer():
    with Partner.in_thread([201], token="right") as partner:
        assert ask(partner)[0] == 401
        assert ask(partner, Authorization="Bearer right")[0] == 201


def test_only_so_many_are_remembered_but_all_are_counted():
    with Partner.in_thread(keep=2) as partner:
        for number in range(5):
            ask(partner, path=f"/{number}")

        assert [received.path for received in partner.received] == ["/3", "/4"]
        assert partner.count == 5
        assert partner.statuses == {200: 5}


def test_who_listens_is_told_of_each():
    heard = []
    with Partner.in_thread([500], on_received=heard.append) as partner:
        ask(partner)
        ask(partner)

    assert [received.answered for received in heard] == [500, 200]


def test_the_port_is_known_before_and_after():
    with Partner.in_thread() as partner:
        port = partner.port
        assert partner.url == f"http://127.0.0.1:{port}/"
        assert partner.origin == f"http://127.0.0.1:{port}"

    assert partner.port == port
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(partner.url, timeout=1)


def test_a_partner_may_come_back_on_its_port():
    with Partner.in_thread() as partner:
        port = partner.port
    with Partner.in_thread(port=port) as partner:
        assert partner.port == port
        assert ask(partner)[0] == 200


async def test_requests_sent_at_once_are_answered_in_turn():
    async with Partner([Answer(201, delay=0.02), 202, Answer(203, delay=0.01)]) as partner:
        data = await talk(partner, message("/1"), message("/2"), message("/3"), LAST)

        assert statuses(data) == [201, 202, 203, 200]
        assert [received.path for received in partner.received] == ["/1", "/2", "/3", "/last"]


async def test_a_delay_holds_back_every_answer_but_those_with_their_own():
    async with Partner([Answer(201, delay=0.0)], delay=0.01) as partner:
        assert statuses(await talk(partner, message(), LAST)) == [201, 200]


async def test_chunked_bodies_and_repeated_headers_are_read():
    chunked = b"POST / HTTP/1.1\r\nA: 1\r\na: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with Partner() as partner:
        await talk(partner, chunked, LAST)

        assert partner.received[0].body == b"abcde"
        assert partner.received[0].headers["a"] == "1, 2"


async def test_head_is_answered_without_a_body():
    async with Partner([Answer(200, body=b"hello")]) as partner:
        data = await talk(partner, message(method="HEAD", body=b""), LAST)

        assert b"Content-Length: 5" in data
        assert b"hello" not in data


async def test_no_content_has_neither_body_nor_length():
    async with Partner([Answer(204, body=b"ignored")]) as partner:
        data = await talk(partner, message(), LAST)

        assert data.startswith(b"HTTP/1.1 204 No Content\r\n\r\n")


async def test_who_asks_first_is_told_to_continue():
    async with Partner() as partner:
        assert statuses(await talk(partner, message("/", "Expect: 100-continue"), LAST)) == [100, 200, 200]


async def test_close_ends_the_connection_after_the_answer():
    async with Partner([Answer(200, close=True)]) as partner:
        data = await talk(partner, message(), message())

        assert statuses(data) == [200]
        assert b"Connection: close" in data


async def test_reset_breaks_off_and_is_noted_as_unanswered():
    async with Partner([Answer(reset=True)]) as partner:
        with pytest.raises(ConnectionResetError):
            await talk(partner, message())

        assert partner.received[0].answered is None
        assert partner.statuses == {None: 1}


async def test_hang_never_answers():
    async with Partner([Answer(hang=True)]) as partner:
        reader, writer = await asyncio.open_connection("127.0.0.1", partner.port)
        writer.write(message() + message())

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        assert [received.answered for received in partner.received] == [None]
        writer.close()
        await writer.wait_closed()


async def test_it_may_answer_at_the_head_and_leave_the_body():
    async with Partner(default=413, reads_only_head=True) as partner:
        reader, writer = await asyncio.open_connection("127.0.0.1", partner.port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")

        assert b" 413 " in await reader.read()
        assert partner.received[0].body == b""
        writer.close()
        await writer.wait_closed()


async def test_what_is_not_http_gets_400():
    async with Partner() as partner:
        assert statuses(await talk(partner, b"\x16\x03\x01 hello\r\n\r\n")) == [400]
        assert partner.count == 0


async def test_stopping_breaks_off_what_is_under_way():
    arrived = asyncio.Event()
    partner = Partner(default=Answer(hang=True), on_received=lambda _: arrived.set())
    await partner.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", partner.port)
    writer.write(message())
    await arrived.wait()

    await partner.stop()
    await partner.stop()

    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


def test_an_unusual_status_is_no_problem():
    with Partner.in_thread([Answer(599), 299]) as partner:
        assert [ask(partner)[0], ask(partner)[0]] == [599, 299]


def test_received_reads_json():
    assert Received(0.0, "POST", "/", "", {}, b"[1,2]").json() == [1, 2]
