"""Raw servers on loopback that say exactly what a test tells them to, byte for byte."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import uvloop

from headrace.connect.egress import AllowList, Egress, resolve_with_system
from headrace.connect.http import HttpTransport
from headrace.connect.reqwest import ReqwestTransport
from headrace.connect.wire import Limits
from headrace.model.http import Request


class Line:
    """One connection as the server sees it."""

    def __init__(self, reader, writer, server):
        self.reader, self.writer, self.server = reader, writer, server

    async def read_request(self) -> bytes:
        """Read one request, head and body; empty when the connection has ended."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            return error.partial
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        message = head + await self.reader.readexactly(int(length or 0))
        self.server.requests.append(message)
        return message

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, data: bytes) -> None:
        """Read one request and answer it so."""
        await self.read_request()
        await self.say(data)

    def reset(self) -> None:
        """Break the connection off, so that the other side sees RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def ended(self) -> None:
        """Wait until the other side has ended the connection."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass


class RawServer:
    """What was asked, and where to ask."""

    def __init__(self):
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/in?key=hunter2"


@asynccontextmanager
async def raw_server(script, *, tls=None, host="127.0.0.1", port=0) -> AsyncIterator[RawServer]:
    """Run ``script(line)`` for each connection; after it the connection is closed."""
    server = RawServer()
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        server.connections += 1
        try:
            if listening.is_serving():  # What was accepted just before the end is only now being served.
                await script(Line(reader, writer, server))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            writer.transport.abort()

    listening = await asyncio.start_server(serve, host, port, ssl=tls, limit=1 << 20)
    server.port = listening.sockets[0].getsockname()[1]
    server.scheme = "https" if tls else "http"
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def serve():
    """Start raw servers that stop after the test: ``server = await serve(script)``."""
    async with AsyncExitStack() as stack:

        async def start(script, **options):
            return await stack.enter_async_context(raw_server(script, **options))

        yield start


TRANSPORTS = {"headrace": HttpTransport, "pyreqwest": ReqwestTransport}


@pytest.fixture(params=TRANSPORTS)
def kind(request) -> str:
    """Which of the two transports; whatever asks for it runs over both."""
    return request.param


@pytest.fixture
async def transport(kind):
    """A transport that may reach loopback, with limits that a test can exceed quickly."""
    async with new_transport(kind) as made:
        yield made


def new_transport(kind="headrace", *, allow="127.0.0.0/8", resolver=resolve_with_system, **options):
    egress = Egress(AllowList.parse(allow), resolver=resolver, connect_timeout=2.0)
    return TRANSPORTS[kind](egress, **{"limits": Limits(head=8192, body=4096, idle=30.0), **options})


async def post(transport, server, *, deadline=5.0, pool="account", method="POST", headers=(), body=b'{"a":1}'):
    """Send one request to the server."""
    return await transport.send(Request(method, server.url, tuple(headers), body), deadline=deadline, pool=pool)


def pytest_asyncio_loop_factories(config, item):
    """Run every test on asyncio's own loop and on uvloop, whose sockets and errors differ in many small things."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
