"""Out through the operator's forward proxy, over both transports."""

import asyncio
import ssl

import pytest
import trustme

from forward_proxy import ForwardProxy
from headrace.connect.egress import AllowList, Egress
from headrace.connect.proxy import Proxy
from headrace.connect.tls import Tls
from headrace.connect.transport import NotSent
from headrace.errors import EgressError
from headrace.model.http import Request

from .conftest import TRANSPORTS, raw_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SHOWN = b"\r\nProxy-Authorization: Basic bWU6aHVudGVyMg==\r\n"


async def answer_always(line):
    while await line.read_request():
        await line.say(OK)


async def nobody_knows(host, port):
    raise OSError("names are for the proxy to look up")


def carry_to(port):
    """Be a proxy that takes every name for a port of this machine."""

    async def script(line):
        proxy = ForwardProxy(SHOWN, line.server.requests)
        await proxy.carry((line.reader, line.writer), lambda _: asyncio.open_connection("127.0.0.1", port))

    return script


def transport_through(kind, proxy, *, allow="", credentials="me:hunter2@", tls=None):
    by_way_of = Proxy.parse(f"http://{credentials}127.0.0.1:{proxy.port}")
    egress = Egress(AllowList.parse(allow), resolver=nobody_knows, proxy=by_way_of, connect_timeout=1.0)
    return TRANSPORTS[kind](egress, tls=tls or Tls())


@pytest.mark.parametrize("host", ["partner.test", "8.8.8.8"])
async def test_https_goes_through_the_proxy_which_sees_no_more_than_the_host(kind, tmp_path, host):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    request = Request("POST", f"https://{host}/x?y=1", (), b"x")
    async with (
        raw_server(answer_always, tls=context) as server,
        raw_server(carry_to(server.port)) as proxy,
        transport_through(kind, proxy, tls=Tls(tmp_path / "ca.pem")) as transport,
    ):
        for _ in range(3):
            answer = await transport.send(request, deadline=5.0, pool="a")

    assert (answer.status, answer.body) == (200, b"ok")
    assert proxy.requests == [f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443".encode() + SHOWN + b"\r\n"]
    assert len(server.requests) == 3
    assert b"Proxy" not in b"".join(server.requests)


async def test_http_goes_through_a_tunnel_as_well(kind):
    async with (
        raw_server(answer_always) as server,
        raw_server(carry_to(server.port)) as proxy,
        transport_through(kind, proxy, allow="http://partner.test") as transport,
    ):
        answer = await transport.send(Request("POST", "http://partner.test/x", (), b"x"), deadline=5.0, pool="a")

    assert answer.body == b"ok"
    assert proxy.requests[0].startswith(b"CONNECT partner.test:80 HTTP/1.1\r\n")
    assert server.requests[0].startswith(b"POST /x HTTP/1.1\r\n")


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://169.254.169.254/", "https://[::1]/", "http://partner.test/",
                                 "https://[64:ff9b::a9fe:a9fe]/", "https://partner.test:6379/"])  # fmt: skip
async def test_what_is_spelled_out_is_judged_before_the_proxy_hears_of_it(kind, url):
    async with raw_server(carry_to(1)) as proxy, transport_through(kind, proxy) as transport:
        with pytest.raises(EgressError):
            await transport.send(Request("POST", url, (), b"x"), deadline=5.0, pool="a")
        assert proxy.connections == 0


ANSWERS = {
    "a refusal": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "it answered 403"),
    "no credentials": (b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", "gives them in HEADRACE_EGRESS_PROXY"),
    "no proxy": (b"SSH-2.0-x\r\n\r\n\r\n", "did not answer as a proxy"),
    "half an answer": (b"HTTP/1.1 200 OK\r\n", "did not answer as a proxy"),
    "nothing": (b"", "did not answer as a proxy"),
    "a head without end": (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 9000, "proxy"),
    "more than was asked for": (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "did not answer as a proxy"),
}


@pytest.mark.parametrize(("data", "says"), ANSWERS.values(), ids=ANSWERS)
async def test_whatever_else_a_proxy_answers_nothing_was_sent(kind, data, says):
    async def script(line):
        await line.answer(data)

    async with raw_server(script) as proxy, transport_through(kind, proxy) as transport:
        with pytest.raises(NotSent, match=says) as error:
            await transport.send(Request("POST", "https://partner.test/", (), b"x"), deadline=5.0, pool="a")
        assert "hunter2" not in str(error.value)


async def test_a_proxy_that_hangs_has_a_deadline():
    async with (
        raw_server(lambda line: asyncio.Event().wait()) as proxy,
        transport_through("headrace", proxy) as transport,
    ):
        with pytest.raises(NotSent, match=r"proxy did not reach 'https://partner\.test' in time"):
            await transport.send(Request("POST", "https://partner.test/", (), b"x"), deadline=0.2, pool="a")


async def test_a_proxy_that_is_away_is_told_apart_from_a_partner_that_is(kind):
    async with raw_server(answer_always) as proxy:
        pass
    async with transport_through(kind, proxy) as transport:
        with pytest.raises(NotSent, match="The operator's proxy refused the connection"):
            await transport.send(Request("POST", "https://partner.test/", (), b"x"), deadline=5.0, pool="a")
