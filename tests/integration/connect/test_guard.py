"""The guard on loopback: who has no pass gets nothing, and a pass leads where its policy leads."""

import asyncio
import ssl
import time
from contextlib import suppress

import pytest
import trustme
from pyreqwest.client import ClientBuilder
from pyreqwest.proxy import ProxyBuilder

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import MARK, Guard
from headrace.connect.reqwest import ReqwestTransport
from headrace.connect.tls import Tls
from headrace.errors import EgressError
from headrace.model.http import Request

from .conftest import raw_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def answer_always(line):
    while await line.read_request():
        await line.say(OK)


async def only_here(host, port):
    """Know one name that no other resolver knows."""
    if host != "only-the-guard-knows.test":
        raise OSError("unknown")
    return ["127.0.0.1"]


def policy(allow):
    return Egress(AllowList.parse(allow), resolver=only_here, connect_timeout=1.0)


@pytest.fixture
async def guard():
    async with Guard(head_timeout=0.3) as made:
        yield made


class Asking:
    """A connection to the guard."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, guard):
        return cls(*await asyncio.open_connection("127.0.0.1", int(guard.url.rpartition(":")[2])))

    async def ask(self, line, *fields):
        self.writer.write("\r\n".join([line, *fields, "", ""]).encode())
        return await self.head()

    async def head(self):
        try:
            return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        except asyncio.IncompleteReadError as error:
            return error.partial

    async def close(self):
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


@pytest.fixture
async def asking(guard):
    made = await Asking.to(guard)
    yield made
    await made.close()


def shown(made):
    return f"Proxy-Authorization: {made.authorization}"


async def test_a_host_that_only_the_guard_can_resolve_is_reached_through_it(guard, tmp_path):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("only-the-guard-knows.test").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with raw_server(answer_always, tls=context) as server:
        origin = f"https://only-the-guard-knows.test:{server.port}"
        async with ReqwestTransport(policy(origin), tls=Tls(tmp_path / "ca.pem")) as transport:
            answer = await transport.send(Request("POST", f"{origin}/x", (), b"x"), deadline=5.0, pool="a")

    assert (answer.status, answer.body) == (200, b"ok")
    assert b"POST /x HTTP/1.1\r\n" in server.requests[0]


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("Proxy-Authorization: Basic Og==",),
        ("Proxy-Authorization: Basic !",),
        ("Proxy-Authorization: Bearer x",),
        ("Authorization: Basic Og==",),
        ("Proxy-Authorization:",),
    ],
)
@pytest.mark.parametrize("form", ["CONNECT 127.0.0.1:{port}", "GET http://127.0.0.1:{port}/"])
async def test_without_a_pass_nothing_is_dialled(serve, guard, asking, form, fields):
    canary = await serve(answer_always)
    guard.issue(policy(f"https://127.0.0.1:{canary.port} http://127.0.0.1:{canary.port}"))

    answer = await asking.ask(form.format(port=canary.port) + " HTTP/1.1", *fields)

    assert answer.startswith(b"HTTP/1.1 407 ")
    assert canary.connections == 0


async def test_a_pass_that_was_taken_back_or_changed_opens_nothing(serve, guard):
    canary = await serve(answer_always)
    made = guard.issue(policy("127.0.0.0/8"))
    almost = shown(made)[:-3] + "xx="
    other = shown(guard.issue(policy("127.0.0.0/8")))
    guard.revoke(made)

    for field in (almost, shown(made)):
        asking = await Asking.to(guard)
        assert (await asking.ask(f"GET {canary.url} HTTP/1.1", field)).startswith(b"HTTP/1.1 407 ")
        await asking.close()
    asking = await Asking.to(guard)
    assert (await asking.ask(f"GET {canary.url} HTTP/1.1", other)).startswith(b"HTTP/1.1 200 ")
    await asking.close()


async def test_each_pass_leads_where_its_own_policy_leads(serve, guard):
    one, two = await serve(answer_always), await serve(answer_always)
    holds = [guard.issue(policy(f"http://127.0.0.1:{server.port}")) for server in (one, two)]

    for server, made, status in (
        (one, holds[0], 200),
        (one, holds[1], 403),
        (two, holds[1], 200),
        (two, holds[0], 403),
    ):
        asking = await Asking.to(guard)
        assert (await asking.ask(f"GET {server.url} HTTP/1.1", shown(made))).startswith(f"HTTP/1.1 {status} ".encode())
        await asking.close()

    assert (one.connections, two.connections) == (1, 1)


async def test_a_pass_may_be_for_some_origins_alone(serve, guard, asking):
    server = await serve(answer_always)
    made = guard.issue(policy("127.0.0.0/8"), origins=frozenset({"http://127.0.0.1:1"}))

    assert b" 403 " in await asking.ask(f"GET {server.url} HTTP/1.1", shown(made))
    with pytest.raises(EgressError, match="not among the targets"):
        made.admit(server.url, "http")


async def test_what_is_passed_on_is_written_anew_and_holds_no_pass(serve, guard, asking):
    server = await serve(answer_always)
    made = guard.issue(policy("127.0.0.0/8"))

    await asking.ask(
        f"GET {server.url} HTTP/1.1", "Host: evil.example", shown(made), "X-One:  1 ", "Proxy-Connection: keep-alive"
    )

    assert server.requests == [
        f"GET /in?key=hunter2 HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\nx-one: 1\r\n\r\n".encode()
    ]


async def test_a_later_request_for_another_place_ends_the_connection(serve, guard, asking):
    server, canary = await serve(answer_always), await serve(answer_always)
    made = guard.issue(policy("127.0.0.0/8"))
    assert b" 200 " in await asking.ask(f"GET {server.url} HTTP/1.1", shown(made))
    assert await asking.reader.readexactly(2) == b"ok"
    assert b" 200 " in await asking.ask(f"GET {server.url} HTTP/1.1", shown(made))
    assert await asking.reader.readexactly(2) == b"ok"

    assert await asking.ask(f"GET {canary.url} HTTP/1.1", shown(made)) == b""
    assert (server.connections, len(server.requests), canary.connections) == (1, 2, 0)


STRANGE = {
    "no version": "GET http://127.0.0.1/",
    "HTTP/1.0": "GET http://127.0.0.1/ HTTP/1.0",
    "a chunked body": "POST http://127.0.0.1/ HTTP/1.1\r\nTransfer-Encoding: chunked",
    "two lengths": "POST http://127.0.0.1/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
    "a signed length": "POST http://127.0.0.1/ HTTP/1.1\r\nContent-Length: +1",
    "a folded line": "GET http://127.0.0.1/ HTTP/1.1\r\nA: b\r\n c",
    "a blank before the colon": "GET http://127.0.0.1/ HTTP/1.1\r\nA : b",
    "a bare line feed": "GET http://127.0.0.1/ HTTP/1.1\r\nA: b\nC: d",
    "an upgrade": "GET http://127.0.0.1/ HTTP/1.1\r\nUpgrade: websocket",
    "a head too long": "GET http://127.0.0.1/ HTTP/1.1\r\nA: " + "x" * 70_000,
}


@pytest.mark.parametrize("head", STRANGE.values(), ids=STRANGE)
async def test_a_head_that_could_be_read_in_two_ways_is_refused(guard, asking, head):
    made = guard.issue(policy("127.0.0.0/8"))

    assert (await asking.ask(head, shown(made))).startswith(b"HTTP/1.1 400 ")


async def test_a_tunnel_carries_tls_or_nothing(serve, guard, asking):
    canary = await serve(answer_always)
    made = guard.issue(policy("127.0.0.0/8"))
    assert b" 200 " in await asking.ask(f"CONNECT 127.0.0.1:{canary.port} HTTP/1.1", shown(made))

    assert await asking.ask("GET / HTTP/1.1", "Host: x") == b""
    assert canary.requests == []


async def test_why_a_target_was_not_reached_is_known_to_the_pass_and_the_answer_is_marked(guard, asking):
    made = guard.issue(policy("https://nowhere.test"))

    answer = await asking.ask("CONNECT nowhere.test:443 HTTP/1.1", shown(made))

    assert answer.startswith(b"HTTP/1.1 502 ")
    assert f"{MARK}: {made.mark}\r\n".encode() in answer
    assert "was not resolved" in made.refusals["https://nowhere.test"].message


async def test_a_head_that_drips_ends_at_its_deadline(guard, asking):
    before = time.monotonic()
    asking.writer.write(b"CONNECT 127")

    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(asking.reader.read(), 5)
    assert time.monotonic() - before < 3


async def test_there_are_never_more_connections_than_allowed(serve):
    server = await serve(lambda line: asyncio.Event().wait())
    async with Guard(connections=3) as guard:
        made = guard.issue(policy("127.0.0.0/8"))
        holding = [await Asking.to(guard) for _ in range(5)]
        for each in holding:
            each.writer.write(f"GET {server.url} HTTP/1.1\r\n{shown(made)}\r\n\r\n".encode())
        await asyncio.sleep(0.1)

        assert (guard.open_connections, server.connections) == (3, 3)
        for each in holding:
            await each.close()


async def test_each_pass_adds_the_connections_of_whoever_has_it(serve):
    server = await serve(lambda line: asyncio.Event().wait())
    async with Guard(connections=1, for_a_pass=2) as guard:
        first, second, gone = (guard.issue(policy("127.0.0.0/8")) for _ in range(3))
        guard.revoke(gone)
        holding = [await Asking.to(guard) for _ in range(7)]
        for number, each in enumerate(holding):
            made = (first, second)[number % 2]
            each.writer.write(f"GET {server.url} HTTP/1.1\r\n{shown(made)}\r\n\r\n".encode())
        await asyncio.sleep(0.1)

        assert (guard.open_connections, server.connections) == (5, 5)
        for each in holding:
            await each.close()


async def test_who_reads_slowly_is_written_to_slowly(serve, guard, asking):
    sent = 0

    async def pour(line):
        nonlocal sent
        await line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(1000):
            await line.say(b"x" * 1_000_000)
            sent += 1_000_000

    server = await serve(pour)
    made = guard.issue(policy("127.0.0.0/8"))
    asking.writer.write(f"GET {server.url} HTTP/1.1\r\n{shown(made)}\r\n\r\n".encode())
    await asyncio.sleep(0.5)

    assert sent < 100_000_000


async def test_a_connection_that_is_broken_off_is_broken_off_on_the_other_side_too(serve, guard, asking):
    async def script(line):
        await line.answer(b"HTTP/1.1 200 OK\r\n\r\nhalf of i")
        await asyncio.sleep(0.05)
        line.reset()

    server = await serve(script)
    made = guard.issue(policy("127.0.0.0/8"))
    await asking.ask(f"GET {server.url} HTTP/1.1", shown(made))

    with pytest.raises(ConnectionResetError):
        await asking.reader.read()
    assert server.connections == 1


async def test_when_the_guard_stops_everything_ends(serve):
    server = await serve(lambda line: line.ended())
    async with Guard() as guard:
        made = guard.issue(policy("127.0.0.0/8"))
        asking = await Asking.to(guard)
        asking.writer.write(f"GET {server.url} HTTP/1.1\r\n{shown(made)}\r\n\r\n".encode())
        await asyncio.sleep(0.05)
        assert guard.open_connections == 1
        port = int(guard.url.rpartition(":")[2])

    assert guard.open_connections == 0
    assert await asking.head() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await asking.close()


async def test_a_library_without_the_pass_reaches_nothing(serve, guard):
    canary = await serve(answer_always)
    guard.issue(policy("127.0.0.0/8"))
    async with ClientBuilder().proxy(ProxyBuilder.all(guard.url).no_proxy(None)).build() as client:
        answer = await client.get(canary.url).build().send()

    assert (answer.status, canary.connections) == (407, 0)
