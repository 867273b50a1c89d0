"""
How many requests the transport sends in one second of its own CPU time.

    python benchmarks/transport.py [--seconds 3] [--concurrency 64] [--body 2048]

The far end runs in a process of its own and only counts bytes, so that it is never what is measured. CPU time rather
than wall time, because that is what is scarce where rendering and the store run beside it. The same is measured for the
``Partner`` of the test kit, whose own rate is the middle figure. pyreqwest takes its turn, by itself and as our second
transport, behind the guard; so does aiohttp, if it is installed.

What could be reached at all on this machine is the figure of the bare protocol and parser: it writes the same bytes
with nothing checked, nothing bounded in size or time and nothing decoded.
"""

import argparse
import asyncio
import importlib.util
import multiprocessing
import platform
import resource
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from multiprocessing.connection import Connection
from typing import cast

import httptools
import uvloop
from pyreqwest.client import ClientBuilder

from headrace.connect.egress import AllowList, Egress
from headrace.connect.http import HttpTransport
from headrace.connect.reqwest import ReqwestTransport
from headrace.connect.transport import Transport
from headrace.model.http import Request
from headrace.testkit.partner import Partner

ANSWER = (
    b"HTTP/1.1 204 No Content\r\nServer: sink\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\nConnection: keep-alive\r\n\r\n"
)
HEADERS = (("Content-Type", "application/json"), ("Authorization", "Bearer " + "t" * 64), ("X-Message-Id", "m" * 32))

Send = Callable[[], Awaitable[object]]
FarEnd = Callable[[Connection], None]
Measure = Callable[[int, argparse.Namespace], Coroutine[None, None, tuple[int, float, float]]]


class Sink(asyncio.Protocol):
    """Answers after every ``size`` bytes, without looking at one of them."""

    def __init__(self) -> None:
        self.size = self.pending = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self.size:
            head, _, _ = data.partition(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self.size = len(head) + 4 + int(length)
        answers, self.pending = divmod(self.pending + len(data), self.size)
        if answers:
            self.transport.write(ANSWER * answers)


def serve_sink(ready: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    uvloop.run(serve())


def serve_partner(ready: Connection) -> None:
    async def serve() -> None:
        async with Partner(keep=1000) as partner:
            ready.send(partner.port)
            await asyncio.Event().wait()

    uvloop.run(serve())


async def load(send: Send, concurrency: int, seconds: float) -> tuple[int, float, float]:
    """Send from ``concurrency`` tasks; return requests, seconds of own CPU and seconds on the wall."""
    count, is_over = 0, False

    async def keep_sending() -> None:
        nonlocal count
        while not is_over:
            await send()
            count += 1

    await asyncio.gather(*(send() for _ in range(concurrency)))
    cpu, wall = cpu_seconds(), time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(concurrency):
            tasks.create_task(keep_sending())
        await asyncio.sleep(seconds)
        is_over = True
    return count, cpu_seconds() - cpu, time.perf_counter() - wall


def cpu_seconds(whose: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


async def measure_ours(port: int, options: argparse.Namespace) -> tuple[int, float, float]:
    async with HttpTransport(egress_to(port), connections=options.concurrency) as transport:
        return await measure_transport(transport, port, options)


async def measure_second(port: int, options: argparse.Namespace) -> tuple[int, float, float]:
    async with ReqwestTransport(egress_to(port), connections=options.concurrency) as transport:
        return await measure_transport(transport, port, options)


class Bare(asyncio.Protocol):
    """One connection that awaits an answer's end and keeps nothing of it."""

    answer: "asyncio.Future[int]"

    def __init__(self, idle: "deque[Bare]") -> None:
        self.idle = idle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.parser = httptools.HttpResponseParser(self)
        self.idle.append(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.idle.append(self)
        self.answer.set_result(self.parser.get_status_code())


async def measure_bare(port: int, options: argparse.Namespace) -> tuple[int, float, float]:
    loop = asyncio.get_running_loop()
    idle: deque[Bare] = deque()
    start = f"POST /v1/audience?source=bench HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept-Encoding: identity\r\n"
    body = b"x" * options.body

    async def send() -> object:
        if not idle:
            await loop.create_connection(lambda: Bare(idle), "127.0.0.1", port)
        connection = idle.popleft()
        fields = "".join([f"{name}: {value}\r\n" for name, value in HEADERS])
        head = f"{start}{fields}Content-Length: {len(body)}\r\nUser-Agent: headrace\r\n\r\n"
        connection.answer = loop.create_future()
        connection.transport.write(head.encode() + body)
        return await connection.answer

    return await load(send, options.concurrency, options.seconds)


def egress_to(port: int) -> Egress:
    return Egress(AllowList.parse(f"http://127.0.0.1:{port}"))


async def measure_transport(transport: Transport, port: int, options: argparse.Namespace) -> tuple[int, float, float]:
    url = f"http://127.0.0.1:{port}/v1/audience?source=bench"
    body = b"x" * options.body

    async def send() -> object:
        return await transport.send(Request("POST", url, HEADERS, body), deadline=30.0, pool="account")

    return await load(send, options.concurrency, options.seconds)


async def measure_pyreqwest(port: int, options: argparse.Namespace) -> tuple[int, float, float]:
    url = f"http://127.0.0.1:{port}/v1/audience?source=bench"
    body = b"x" * options.body
    async with ClientBuilder().no_proxy().follow_redirects(False).build() as client:

        async def send() -> object:
            answer = await client.post(url).headers(HEADERS).body_bytes(body).build().send()
            return await answer.bytes()

        return await load(send, options.concurrency, options.seconds)


async def measure_aiohttp(port: int, options: argparse.Namespace) -> tuple[int, float, float]:
    aiohttp = importlib.import_module("aiohttp")
    url = f"http://127.0.0.1:{port}/v1/audience?source=bench"
    body = b"x" * options.body
    connector = aiohttp.TCPConnector(limit=options.concurrency)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:

        async def send() -> object:
            async with session.post(url, data=body, headers=HEADERS) as response:
                return await response.read()

        return await load(send, options.concurrency, options.seconds)


def run(name: str, far_end: FarEnd, measure: Measure, options: argparse.Namespace) -> float:
    """Measure one client against one far end, print both figures and return the client's."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=far_end, args=(theirs,), daemon=True)
    before = cpu_seconds(resource.RUSAGE_CHILDREN)
    process.start()
    try:
        count, cpu, wall = uvloop.run(measure(ours.recv(), options))
    finally:
        process.terminate()
        process.join()
    far = cpu_seconds(resource.RUSAGE_CHILDREN) - before
    print(f"{name:22} {count / cpu:12,.0f} {count / far:12,.0f} {count / wall:12,.0f}")
    return count / cpu


def main() -> None:
    parser = argparse.ArgumentParser(description="Requests per CPU second of the transport.")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--body", type=int, default=2048)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, uvloop, {options.body} byte bodies, {options.concurrency} at a time")
    print(f"{'requests per':22} {'CPU second':>12} {'far end’s':>12} {'second':>12}")
    ours = run("headrace, to a sink", serve_sink, measure_ours, options)
    bare = run("bare, to a sink", serve_sink, measure_bare, options)
    ours_to_partner = run("headrace, to a Partner", serve_partner, measure_ours, options)
    run("pyreqwest, to a sink", serve_sink, measure_pyreqwest, options)
    run("behind the guard", serve_sink, measure_second, options)
    if importlib.util.find_spec("aiohttp") is not None:
        theirs = run("aiohttp, to a sink", serve_sink, measure_aiohttp, options)
        to_partner = run("aiohttp, to a Partner", serve_partner, measure_aiohttp, options)
        print(f"headrace is {ours / theirs:.1f} times aiohttp, {ours_to_partner / to_partner:.1f} times to a Partner")
    print(f"headrace is {ours / bare:.0%} of the bare protocol and parser")


if __name__ == "__main__":
    main()
