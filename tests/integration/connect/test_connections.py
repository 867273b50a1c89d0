"""How connections are kept, shared, replaced and given up, and how time ends everything."""

import asyncio
import time

import pytest

from headrace.connect.egress import AllowList, Egress
from headrace.connect.http import HttpTransport
from headrace.connect.transport import NotReached, NotSent, Unanswered
from headrace.connect.wire import Limits
from headrace.errors import EgressError
from headrace.model.http import Request
from headrace.testkit.faults import FaultProxy
from headrace.testkit.partner import Answer, Partner

from .conftest import new_transport, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def answer_always(line):
    while await line.read_request():
        await line.say(OK)


async def test_one_connection_carries_one_request_after_the_other(serve, transport):
    server = await serve(answer_always)

    for _ in range(20):
        assert (await post(transport, server)).status == 200

    assert (server.connections, len(server.requests)) == (1, 20)


async def test_an_interim_and_a_chunked_answer_leave_the_connection_usable(serve, transport):
    async def script(line):
        await line.answer(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
        await line.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n")
        await line.answer(b"HTTP/1.1 204 No Content\r\n\r\n")
        await line.answer(OK)

    server = await serve(script)

    assert [(await post(transport, server)).status for _ in range(4)] == [200, 200, 204, 200]
    assert server.connections == 1


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Le",
        OK + b"\0",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * 9999,
    ],
    ids=["asked to close", "HTTP/1.0", "part of another answer", "a stray byte", "cut at the limit"],
)
async def test_a_connection_that_cannot_be_trusted_is_not_used_again(serve, transport, data):
    async def script(line):
        await line.answer(data)
        await line.ended()

    server = await serve(script)
    await post(transport, server)
    await post(transport, server)

    assert server.connections == 2


async def test_bytes_that_nobody_asked_for_end_an_idle_connection(serve, transport):
    async def script(line):
        await line.answer(OK)
        if server.connections == 1:
            await line.say(b"HTTP/1.1 408 Too slow\r\nContent-Length: 0\r\n\r\n")
        await line.ended()

    server = await serve(script)
    await post(transport, server)
    await asyncio.sleep(0.02)

    assert (await post(transport, server)).status == 200
    assert server.connections == 2


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("notices", [True, False], ids=["noticed by the loop", "noticed by looking"])
async def test_a_connection_closed_while_idle_is_replaced_and_nothing_was_sent_on_it(transport, kind, end, notices):
    if kind == "pyreqwest" and not notices:
        return  # It looks at its connections by way of the guard, which needs the event loop to notice.
    first = Answer(headers=(("Connection", "keep-alive"),), close=end == "close")
    with Partner.in_thread([first]) as partner:
        request = Request("POST", partner.url, (), b"x")
        assert (await transport.send(request, deadline=5.0, pool="a")).status == 200

        if end == "reset":
            partner.break_off()
        if notices:
            await asyncio.sleep(0.05)
        else:
            time.sleep(0.05)  # noqa: ASYNC251 - the event loop must not notice

        assert (await transport.send(request, deadline=5.0, pool="a")).status == 200
        assert partner.count == 2
        assert transport.pools == 1
        await transport.close()
        await asyncio.sleep(0.02)
        assert partner.open_connections == transport.pools == 0


async def test_a_request_that_was_written_is_never_written_again(serve, transport):
    async def script(line):
        await line.answer(OK)
        await line.read_request()
        line.reset()

    server = await serve(script)
    await post(transport, server)

    with pytest.raises(Unanswered):
        await post(transport, server)
    assert len(server.requests) == 2


async def test_accounts_do_not_share_connections(serve, transport):
    server = await serve(answer_always)

    await post(transport, server, pool="one")
    await post(transport, server, pool="two")
    await post(transport, server, pool="one")

    assert server.connections == 2


async def test_origins_do_not_share_connections(serve, transport):
    first, second = await serve(answer_always), await serve(answer_always)

    await post(transport, first)
    await post(transport, second)

    assert (first.connections, second.connections) == (1, 1)


async def test_there_are_never_more_connections_than_allowed_and_all_requests_have_their_turn():
    open_at_once = []
    async with Partner(delay=0.002) as partner, new_transport(connections=3) as transport:

        async def send():
            response = await transport.send(Request("POST", partner.url, (), b"x"), deadline=5.0, pool="a")
            open_at_once.append(partner.open_connections)
            return response.status

        assert set(await asyncio.gather(*(send() for _ in range(40)))) == {200}
        assert max(open_at_once) == 3
        assert partner.count == 40


async def test_who_waits_takes_the_place_of_a_connection_that_ends():
    async with Partner(default=Answer(close=True)) as partner, new_transport(connections=2) as transport:
        request = Request("POST", partner.url, (), b"x")

        answers = await asyncio.gather(*(transport.send(request, deadline=5.0, pool="a") for _ in range(20)))

        assert {answer.status for answer in answers} == {200}


async def test_who_waits_takes_the_place_of_a_connection_that_cannot_be_made():
    async with Partner() as partner:
        url = partner.url
    async with new_transport(connections=1) as transport:
        sends = [transport.send(Request("POST", url, (), b"x"), deadline=5.0, pool="a") for _ in range(5)]

        failures = await asyncio.gather(*sends, return_exceptions=True)

        assert [type(failure) for failure in failures] == [NotReached] * 5


async def test_waiting_for_a_connection_ends_at_the_deadline_and_nothing_was_sent():
    async with Partner(default=Answer(hang=True)) as partner, new_transport(connections=1) as transport:
        request = Request("POST", partner.url, (), b"x")
        hanging = asyncio.create_task(transport.send(request, deadline=5.0, pool="a"))
        await asyncio.sleep(0.02)

        with pytest.raises(NotSent, match="All 1 connections"):
            await transport.send(request, deadline=0.05, pool="a")

        assert partner.count == 1
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)


async def test_giving_up_while_waiting_leaves_the_connection_to_the_next():
    async with Partner(delay=0.02) as partner, new_transport(connections=1) as transport:
        request = Request("POST", partner.url, (), b"x")
        sends = [asyncio.create_task(transport.send(request, deadline=5.0, pool="a")) for _ in range(4)]
        await asyncio.sleep(0.01)
        sends[1].cancel()
        sends[2].cancel()

        assert (await sends[3]).status == 200
        assert partner.count == 2


async def test_cancelling_gives_up_the_connection_and_frees_its_place():
    async with Partner([Answer(hang=True)]) as partner, new_transport(connections=1) as transport:
        request = Request("POST", partner.url, (), b"x")
        hanging = asyncio.create_task(transport.send(request, deadline=5.0, pool="a"))
        await asyncio.sleep(0.02)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging

        assert (await transport.send(request, deadline=5.0, pool="a")).status == 200


async def test_cancelling_after_the_answer_leaves_the_connection_to_whom_it_was_handed():
    async with Partner(delay=0.01) as partner, new_transport(connections=1) as transport:
        request = Request("POST", partner.url, (), b"x")
        first = asyncio.create_task(transport.send(request, deadline=5.0, pool="a"))

        class Meddling(Request):
            """Its method is asked for when it has got the connection, before the first task has read its answer."""

            def __getattribute__(self, name):
                if name == "method" and partner.count:
                    first.cancel()
                return super().__getattribute__(name)

        second = asyncio.create_task(transport.send(Meddling("POST", partner.url, (), b"y"), deadline=5.0, pool="a"))

        assert (await asyncio.wait_for(second, 5)).status == 200
        assert first.cancelled()
        assert partner.open_connections == partner.count - 1 == 1


SLOW = {
    "no answer at all": [],
    "a head byte by byte": [b"HTTP/1.1", b" 200 "] + [b"x"] * 500,
    "headers one by one": [b"HTTP/1.1 200 OK\r\n"] + [b"A: b\r\n"] * 500,
    "a body byte by byte": [b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"] + [b"x"] * 500,
    "chunks one by one": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] + [b"1\r\nx\r\n"] * 500,
    "interim answers one by one": [b"HTTP/1.1 100 Continue\r\n\r\n"] * 10,
}


@pytest.mark.parametrize("pieces", SLOW.values(), ids=SLOW)
async def test_the_deadline_ends_an_answer_that_drips(serve, transport, pieces):
    async def script(line):
        await line.read_request()
        for piece in pieces:
            await line.say(piece)
            await asyncio.sleep(0.01)
        await asyncio.Event().wait()

    server = await serve(script)

    with pytest.raises(Unanswered, match="took too long"):
        await post(transport, server, deadline=0.1)


async def test_the_deadline_ends_a_request_that_is_read_too_slowly(serve, transport):
    server = await serve(lambda line: asyncio.Event().wait())

    with pytest.raises(Unanswered, match="took too long"):
        await post(transport, server, deadline=0.1, body=b"x" * 20_000_000)


async def test_a_shorter_deadline_on_a_used_connection_holds(serve, transport):
    async def script(line):
        await line.answer(OK)
        await asyncio.Event().wait()

    server = await serve(script)
    await post(transport, server, deadline=60.0)
    before = time.monotonic()

    with pytest.raises(Unanswered):
        await post(transport, server, deadline=0.05)
    assert time.monotonic() - before < 20


async def test_a_longer_deadline_on_a_used_connection_holds_too(serve, transport):
    async def script(line):
        await line.answer(OK)
        await line.read_request()
        await asyncio.sleep(0.15)
        await line.say(OK)

    server = await serve(script)
    await post(transport, server, deadline=0.1)

    assert (await post(transport, server, deadline=30.0)).status == 200


@pytest.mark.parametrize("deadline", [0.0, -1.0])
async def test_without_time_nothing_is_sent(serve, transport, deadline):
    server = await serve(answer_always)

    with pytest.raises(NotSent, match="No time was left"):
        await post(transport, server, deadline=deadline)
    assert server.connections == 0


async def test_an_idle_connection_is_closed_after_its_time():
    async with Partner() as partner, new_transport(limits=Limits(idle=0.05)) as transport:
        request = Request("POST", partner.url, (), b"x")
        await transport.send(request, deadline=30.0, pool="a")
        assert partner.open_connections == 1

        for _ in range(100):
            if partner.open_connections == 0:
                break
            await asyncio.sleep(0.02)

        assert partner.open_connections == 0
        assert transport.pools == 0


async def test_an_answer_before_the_body_was_read_counts():
    async with Partner(default=413, reads_only_head=True) as partner, new_transport() as transport:
        response = await transport.send(Request("POST", partner.url, (), b"x" * 200), deadline=5.0, pool="a")

        assert response.status == 413
        assert partner.open_connections <= 1


async def test_a_large_body_arrives_whole(transport):
    body = bytes(range(256)) * 20_000
    async with Partner() as partner:
        await transport.send(Request("PUT", partner.url, (), body), deadline=10.0, pool="a")

        assert partner.received[0].body == body


async def test_closing_ends_what_is_idle_and_what_is_under_way(kind):
    async with Partner([200, Answer(hang=True)]) as partner:
        transport = new_transport(kind)
        request = Request("POST", partner.url, (), b"x")
        await transport.send(request, deadline=5.0, pool="a")
        hanging = asyncio.create_task(transport.send(request, deadline=5.0, pool="b"))
        await asyncio.sleep(0.05)

        await transport.close()

        with pytest.raises(Unanswered, match="transport was closed"):
            await hanging
        with pytest.raises(NotSent, match="transport was closed"):
            await transport.send(request, deadline=5.0, pool="a")
        await asyncio.sleep(0.02)
        assert partner.open_connections == 0


async def test_closing_tells_those_who_wait_that_nothing_was_sent():
    async with Partner(default=Answer(hang=True)) as partner:
        transport = new_transport(connections=1)
        request = Request("POST", partner.url, (), b"x")
        sends = [asyncio.create_task(transport.send(request, deadline=5.0, pool="a")) for _ in range(3)]
        await asyncio.sleep(0.02)

        await transport.close()

        failures = await asyncio.gather(*sends, return_exceptions=True)
        assert [type(failure) for failure in failures] == [Unanswered, NotSent, NotSent]


async def test_a_refused_connection_was_not_sent(transport):
    async with Partner() as partner:
        url = partner.url

    with pytest.raises(NotSent, match="refused the connection"):
        await transport.send(Request("POST", url, (), b"x"), deadline=5.0, pool="a")


async def test_what_is_not_allowed_opens_no_connection():
    async with Partner() as canary:
        async with HttpTransport(Egress(AllowList())) as transport:
            for url in (
                canary.url,
                canary.url.replace("http:", "https:"),
                f"http://localhost:{canary.port}/",
                f"https://localhost:{canary.port}/",
                f"https://0x7f.1:{canary.port}/",
                f"https://[::ffff:127.0.0.1]:{canary.port}/",
                f"https://example.com@127.0.0.1:{canary.port}/",
            ):
                with pytest.raises(EgressError):
                    await transport.send(Request("POST", url), deadline=5.0, pool="a")
        assert canary.count == canary.open_connections == 0


async def test_the_connection_goes_to_the_address_that_was_checked(kind):
    answers = iter([["127.0.0.1"], ["127.0.0.9"], ["127.0.0.9"]])
    asked = []

    async def rebinding(host, port):
        asked.append(host)
        return next(answers)

    async with Partner() as partner:
        origin = f"http://partner.internal:{partner.port}"
        async with new_transport(kind, allow=origin, resolver=rebinding) as transport:
            request = Request("POST", f"{origin}/", (), b"x")

            assert (await transport.send(request, deadline=5.0, pool="a")).status == 200

        assert asked == ["partner.internal"]
        assert partner.received[0].headers["host"] == f"partner.internal:{partner.port}"


async def test_a_name_that_leads_inside_from_one_look_up_to_the_next_reaches_nothing(kind):
    asked = []

    async def alternating(host, port):
        asked.append(host)
        return ["192.0.2.1", "8.8.8.8"] if len(asked) % 2 else ["127.0.0.1"]

    async with Partner() as canary:
        async with new_transport(kind, allow="https://unrelated.internal", resolver=alternating) as transport:
            for _ in range(4):
                with pytest.raises(EgressError, match="is not on the public internet"):
                    await transport.send(Request("POST", f"https://rebind.test:{canary.port}/"), deadline=5.0, pool="a")
        assert canary.open_connections == canary.count == 0
    assert len(asked) == 4


async def test_what_is_inside_is_refused_in_the_same_words_whether_something_listens_there_or_not(kind):
    async def inside(host, port):
        return ["127.0.0.1"]

    texts = set()
    async with Partner() as partner:
        open_port = partner.port
        async with new_transport(kind, allow="", resolver=inside) as transport:
            for url in (f"https://x.test:{open_port}/", "https://x.test:1234/", "https://x.test/"):
                with pytest.raises(EgressError) as error:
                    await transport.send(Request("POST", url), deadline=5.0, pool="a")
                texts.add(error.value.message.replace(f":{open_port}", "").replace(":1234", ""))
    assert len(texts) == 1


@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("order", [1, -1])
async def test_a_name_with_public_and_private_answers_is_refused(kind, inside, order):
    async def mixed(host, port):
        return ["8.8.8.8", inside][::order]

    async with Partner() as canary:
        async with new_transport(kind, allow="", resolver=mixed) as transport:
            with pytest.raises(EgressError, match="is not on the public internet"):
                await transport.send(Request("POST", f"https://rebind.example:{canary.port}/"), deadline=5.0, pool="a")
        assert canary.open_connections == 0


async def test_what_has_not_left_when_a_request_is_given_up_never_arrives():
    async with Partner() as partner, FaultProxy(f"127.0.0.1:{partner.port}") as proxy:
        dripping = proxy.to.drip(3600)
        async with new_transport() as transport:
            with pytest.raises(Unanswered, match="it had not answered at the deadline"):
                await transport.send(Request("POST", proxy.origin + "/", (), b"x"), deadline=0.2, pool="account")
        await asyncio.sleep(0.05)
        dripping.off()
        await asyncio.sleep(0.05)

        assert (proxy.connections, proxy.open_connections, proxy.to.bytes, partner.count) == (1, 0, 1, 0)
