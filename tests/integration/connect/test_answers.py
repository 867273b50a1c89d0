"""Every way in which an answer may arrive, and what each broken one is taken for."""

import asyncio
import gzip

import pytest

from headrace.connect.transport import Garbled, Unanswered

from .conftest import new_transport, post

#: Where the second transport cannot tell one from the other, it says that it does not know.
GARBLED = {"headrace": Garbled, "pyreqwest": (Garbled, Unanswered)}

WHOLE = {
    "sized": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "not modified with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
    "no reason": (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        200,
        b"hello",
    ),
    "chunked with extensions and trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n",
        200,
        b"hello",
    ),
    "until it closes": (b"HTTP/1.1 200 OK\r\n\r\nhello", 200, b"hello"),
    "until it closes, HTTP/1.0": (b"HTTP/1.0 201 Created\r\nServer: x\r\n\r\nhello", 201, b"hello"),
    "nothing until it closes": (b"HTTP/1.1 500 Oops\r\n\r\n", 500, b""),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    "several interim answers": (
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
    ),
    "connection: close": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", 200, b"ok"),
    "rubbish after the end": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokRUBBISH", 200, b"ok"),
    "a second answer": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno",
        200,
        b"ok",
    ),
    "an unusual status": (b"HTTP/1.1 420 Calm\r\nContent-Length: 0\r\n\r\n", 420, b""),
    "compressed though not asked for": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
        200,
        b"\x1f\x8b\x08",
    ),
}


@pytest.mark.parametrize(("data", "status", "body"), WHOLE.values(), ids=WHOLE)
async def test_a_whole_answer_is_read(serve, transport, data, status, body):
    server = await serve(lambda line: line.answer(data))

    response = await post(transport, server)

    assert (response.status, response.body, response.truncated) == (status, body, False)


@pytest.mark.parametrize("name", ["sized", "chunked", "continue", "several interim answers", "until it closes"])
async def test_an_answer_that_arrives_byte_by_byte_is_read(serve, transport, name):
    data, status, body = WHOLE[name]

    async def script(line):
        await line.read_request()
        for position in range(len(data)):
            await line.say(data[position : position + 1])
            await asyncio.sleep(0)

    response = await post(transport, await serve(script))

    assert (response.status, response.body) == (status, body)


async def test_headers_are_handed_on_in_order_without_trailers(serve):
    data = b"HTTP/1.1 200 OK\r\nB: 1\r\nTransfer-Encoding: chunked\r\na: \xe9 \r\nB:2\r\n\r\n0\r\nX-Trailer: 1\r\n\r\n"
    server = await serve(lambda line: line.answer(data))

    async with new_transport() as transport:
        response = await post(transport, server)

    assert response.headers == (("B", "1"), ("Transfer-Encoding", "chunked"), ("a", "é"), ("B", "2"))
    assert response.header("b") == "1"


async def test_the_values_of_a_header_keep_their_order_and_one_that_is_no_text_spoils_nothing(serve, transport):
    data = b"HTTP/1.1 200 OK\r\nB: 1\r\nContent-Length: 0\r\na: \xe9\r\nb:2\r\nRetry-After: 7\r\n\r\n"

    response = await post(transport, await serve(lambda line: line.answer(data)))

    assert [value for name, value in response.headers if name.lower() == "b"] == ["1", "2"]
    assert response.header("Retry-After") == "7"


CUT_SHORT = {
    "without an answer": b"",
    "in the status line": b"HTTP/1.1 2",
    "in the head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "after an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "in a sized body": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
    "before a sized body": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    "before the last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "in the trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-",
}


@pytest.mark.parametrize("data", CUT_SHORT.values(), ids=CUT_SHORT)
async def test_an_answer_cut_short_leaves_the_outcome_unknown(serve, transport, data):
    server = await serve(lambda line: line.answer(data))

    with pytest.raises(Unanswered, match=r"(closed|reset) the connection"):
        await post(transport, server)


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", b"HTTP/1.1 200 OK\r\n\r\nhel"]
)
async def test_a_reset_leaves_the_outcome_unknown(serve, transport, kind, data):
    async def script(line):
        await line.answer(data)
        await asyncio.sleep(0.02)
        line.reset()

    with pytest.raises(Unanswered, match={"headrace": "reset", "pyreqwest": "closed"}[kind] + " the connection"):
        await post(transport, await serve(script))


async def test_an_answer_in_part_is_told_by_its_status(serve):
    server = await serve(lambda line: line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"))

    async with new_transport() as transport:
        with pytest.raises(Unanswered, match="in the middle of its answer 200"):
            await post(transport, server)


GARBAGE = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTML": b"<html><body>hello</body></html>\r\n\r\n",
    "zeros": b"\0" * 100,
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "HTTP/2 settings": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "HTTP/9.9": b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "lower case": b"http/1.1 200 OK\r\n\r\n",
    "letters for a status": b"HTTP/1.1 abc OK\r\n\r\n",
    "a status of one digit": b"HTTP/1.1 2 OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status zero": b"HTTP/1.1 000 No\r\n\r\n",
    "status 99": b"HTTP/1.1 099 No\r\n\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "a NUL in a header": b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
    "a blank in a name": b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
    "a blank before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "a length with letters": b"HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello",
    "a length too long": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a negative chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    "a huge chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n",
    "a chunk longer than it says": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "switching without saying to what": b"HTTP/1.1 101 Switching\r\n\r\n",
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"x" * 20_000,
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
    "very many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"Content-Length: 0\r\n\r\n",
    "a head too large that ends": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9000 + b"\r\nContent-Length: 0\r\n\r\n",
    "a reason without end": b"HTTP/1.1 200 " + b"x" * 20_000,
    "line breaks without end": b"\r\n" * 20_000,
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
async def test_an_answer_that_is_not_http_is_garbled(serve, transport, kind, data):
    async def script(line):
        await line.answer(data)
        await line.ended()

    server = await serve(script)

    with pytest.raises(GARBLED[kind]) as error:
        await post(transport, server, deadline=0.3 if kind == "pyreqwest" else 5.0)

    assert "hunter2" not in str(error.value)
    assert f"'http://127.0.0.1:{server.port}'" in str(error.value)


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
async def test_after_garbage_the_next_request_has_a_new_connection(serve, transport, kind, data):
    async def script(line):
        if server.connections == 1:
            await line.answer(data)
            await line.ended()
        else:
            await line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server = await serve(script)
    with pytest.raises(GARBLED[kind]):
        await post(transport, server, deadline=0.3 if kind == "pyreqwest" else 5.0)

    assert (await post(transport, server)).status == 200


ENDLESS = {
    "sized": (b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", b"x" * 1024),
    "chunked": (b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n"),
    "until it closes": (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1024),
}


@pytest.mark.parametrize(("head", "piece"), ENDLESS.values(), ids=ENDLESS)
async def test_an_endless_body_is_cut_and_its_head_still_counts(serve, transport, head, piece):
    async def script(line):
        await line.answer(head)
        while not line.writer.is_closing():
            await line.say(piece)

    response = await post(transport, await serve(script))

    assert 200 <= response.status < 300
    assert response.truncated
    assert response.body == b"x" * 4096


@pytest.mark.parametrize(
    "padding",
    [b"1;" + b"x" * 4096 + b"\r\ny\r\n", b"0\r\n" + b"X-Trailer: yyyyyyyy\r\n" * 5000],
    ids=["extensions", "trailers"],
)
async def test_endless_padding_around_a_body_is_cut_too(serve, transport, kind, padding):
    async def script(line):
        await line.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not line.writer.is_closing():
            await line.say(padding)

    sending = post(transport, await serve(script))
    if kind == "pyreqwest":
        with pytest.raises(Garbled):
            await sending
        return
    response = await sending

    assert response.status == 200
    assert response.truncated
    assert len(response.body) <= 4096


async def test_a_bomb_stays_packed_and_is_cut(serve, transport):
    bomb = gzip.compress(b"0" * 50_000_000, 9)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    server = await serve(lambda line: line.answer(head + bomb))

    response = await post(transport, server, headers=[("Accept-Encoding", "gzip, br")])

    assert (response.body, response.truncated) == (bomb[:4096], True)
    assert b"accept-encoding: identity\r\n" in server.requests[0].lower()
    assert server.requests[0].lower().count(b"accept-encoding") == 1


async def test_an_answer_whose_sender_is_half_closed_is_read(serve, transport):
    async def script(line):
        await line.answer(b"HTTP/1.1 200 OK\r\n\r\nhello")
        line.writer.write_eof()
        await asyncio.sleep(0.2)

    response = await post(transport, await serve(script))

    assert (response.status, response.body) == (200, b"hello")


async def test_an_answer_before_the_body_was_taken_counts_or_stays_unknown(serve, transport, kind):
    async def script(line):
        await line.reader.readuntil(b"\r\n\r\n")
        await line.say(b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await line.ended()

    sending = post(transport, await serve(script), body=b"x" * 3_000_000)
    try:
        assert (await sending).status == 413
    except Unanswered:
        assert kind == "pyreqwest"


async def test_a_body_of_exactly_the_limit_is_whole(serve, transport):
    server = await serve(lambda line: line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n" + b"x" * 4096))

    response = await post(transport, server)

    assert len(response.body) == 4096
    assert not response.truncated


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(serve, transport, status):
    canary = await serve(lambda line: line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {canary.url}\r\nContent-Length: 0\r\n\r\n".encode()
    server = await serve(lambda line: line.answer(head))

    response = await post(transport, server, headers=[("Authorization", "Bearer t0ken")])

    assert response.status == status
    assert response.header("location") == canary.url
    assert (server.connections, canary.connections) == (1, 0)


async def test_cookies_are_not_kept(serve, transport):
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: session=1\r\nContent-Length: 0\r\n\r\n"

    async def script(line):
        await line.answer(answer)
        await line.answer(answer)

    server = await serve(script)
    await post(transport, server)
    await post(transport, server)

    assert b"cookie" not in server.requests[1].lower()


async def test_the_answer_to_head_has_no_body_and_does_not_wait_for_one(serve, transport):
    async def script(line):
        await line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        await line.ended()

    response = await post(transport, await serve(script), method="HEAD", body=b"")

    assert (response.status, response.body, response.truncated) == (200, b"", False)
    assert response.header("content-length") == "500"


async def test_proxies_of_the_environment_are_not_asked(serve, kind, monkeypatch):
    proxy = await serve(lambda line: line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("NO_PROXY", "*")
    server = await serve(lambda line: line.answer(b"HTTP/1.1 204 Fine\r\n\r\n"))

    async with new_transport(kind) as transport:
        assert (await post(transport, server)).status == 204
    assert proxy.connections == 0
