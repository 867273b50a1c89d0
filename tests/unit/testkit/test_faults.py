"""The proxy does to connections what it is told, at the byte where it is told, and nothing else."""

import asyncio
import socket
import threading
import time
from contextlib import asynccontextmanager

import pytest

from headrace.testkit.faults import FaultProxy, NoFault, Placed, Schedule, read
from headrace.testkit.faults.kinds import KINDS

GARBAGE = b"\x00\x15\x03garbage\r\n"


class Echo:
    """Sends back what comes, and ends when that ends; knows how each connection ended."""

    def __init__(self):
        self.ends = []
        self.writers = []
        self.got = b""

    async def serve(self, reader, writer):
        self.writers.append(writer)
        try:
            while data := await reader.read(65_536):
                self.got += data
                writer.write(data)
                await writer.drain()
            self.ends.append("end")
        except ConnectionError:
            self.ends.append("reset")
        writer.close()

    async def end(self):
        """End the connections that the proxy has left open, and let the event loop close their sockets."""
        for writer in self.writers:
            writer.transport.abort()
        for _ in range(10):
            await asyncio.sleep(0)


@asynccontextmanager
async def echoed(**options):
    """An echo behind a proxy."""
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with server, FaultProxy(f"127.0.0.1:{port}", **options) as proxy:
            yield proxy, echo
    finally:
        await echo.end()


@asynccontextmanager
async def connected(proxy):
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def all_of(reader, patience=0.15):
    """What comes until the end, and how it ends: ``end``, ``reset``, or ``silence``."""
    got = b""
    while True:
        try:
            data = await asyncio.wait_for(reader.read(65_536), patience)
        except ConnectionError:
            return got, "reset"
        except TimeoutError:
            return got, "silence"
        if not data:
            return got, "end"
        got += data


async def until(look):
    deadline = time.monotonic() + 5
    while not look():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_without_a_fault_every_byte_goes_both_ways_and_ends_are_passed_on():
    sent = bytes(range(256)) * 20_000
    async with echoed() as (proxy, echo), connected(proxy) as (reader, writer):
        writer.write(sent)
        writer.write_eof()
        got = await reader.read()

        assert got == sent
        assert (proxy.to.bytes, proxy.back.bytes, proxy.both.bytes) == (len(sent), len(sent), 2 * len(sent))
        await until(lambda: proxy.open_connections == 0)
        assert (proxy.connections, echo.ends) == (1, ["end"])


async def test_what_is_broken_off_on_one_side_is_broken_off_on_the_other():
    async with echoed() as (proxy, echo):
        async with connected(proxy) as (reader, writer):
            writer.write(b"x")
            await reader.readexactly(1)
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        await until(lambda: echo.ends)

        assert echo.ends == ["reset"]


#: A fault on the way back, how much of ``0123456789`` comes, how the sender sees it end, and how the upstream does.
ENDINGS = [
    ("back.cut after=4", b"0123", "end", "end"),
    ("back.cut after=0", b"", "end", "end"),
    ("back.cut", b"", "end", "end"),
    ("back.cut after=10", b"0123456789", "end", "end"),
    ("back.cut after=11", b"0123456789", "silence", None),
    ("to.cut after=4", b"", "end", "end"),
    ("back.reset after=4", None, "reset", "reset"),
    ("back.reset after=0", b"", "reset", "reset"),
    ("back.reset", b"", "reset", "reset"),
    ("to.reset after=4", None, "reset", "reset"),
    ("back.blackhole after=4", b"0123", "silence", None),
    ("back.blackhole", b"", "silence", None),
    ("both.blackhole", b"", "silence", None),
    ("to.blackhole after=4", b"0123", "silence", None),
    ("to.half-close after=4", b"0123", "end", "end"),
    ("back.half-close after=4", b"0123", "end", None),
    ("back.garbage after=4", b"0123" + GARBAGE + b"456789", "silence", None),
    ("to.garbage after=0", GARBAGE + b"0123456789", "silence", None),
    ("to.garbage", GARBAGE + b"0123456789", "silence", None),
]


@pytest.mark.parametrize(("line", "comes", "how", "upstream"), ENDINGS, ids=[row[0] for row in ENDINGS])
async def test_a_fault_strikes_at_its_byte(line, comes, how, upstream):
    async with echoed() as (proxy, echo):
        switch = proxy.switch_on(read(line))
        async with connected(proxy) as (reader, writer):
            writer.write(b"0123456789")
            got, seen = await all_of(reader, 0.15 if how == "silence" else 5)

            assert seen == how
            assert comes is None or got == comes  # What a reset overtakes is lost, or not.
            assert (switch.struck > 0) == ("after=11" not in line)
            if upstream is None:
                assert echo.ends == []
            else:
                await until(lambda: echo.ends)
                assert echo.ends == [upstream]


@pytest.mark.parametrize("line", ["both.cut", "both.reset", "both.blackhole", "back.half-close", "back.garbage"])
async def test_a_fault_at_once_strikes_connections_that_are_open_and_say_nothing(line):
    async with echoed() as (proxy, _), connected(proxy) as (reader, writer):
        writer.write(b"before")
        await reader.readexactly(6)
        proxy.switch_on(read(line))
        if "blackhole" in line:
            writer.write(b"after")

        how = {"both.reset": "reset", "both.blackhole": "silence", "back.garbage": "silence"}.get(line, "end")
        assert await all_of(reader, 0.15 if how == "silence" else 5) == (GARBAGE if "garbage" in line else b"", how)


async def test_bytes_are_counted_from_when_the_fault_began():
    async with echoed() as (proxy, _), connected(proxy) as (reader, writer):
        writer.write(b"before")
        await reader.readexactly(6)
        proxy.back.cut(after=3)
        writer.write(b"after")

        assert await all_of(reader, 5) == (b"aft", "end")


async def test_a_fault_may_be_for_the_next_connections_alone():
    async with echoed() as (proxy, _), connected(proxy) as old:
        old[1].write(b"x")
        await old[0].readexactly(1)
        switch = proxy.back.reset(connections=2)
        ends = []
        for _ in range(4):
            async with connected(proxy) as (reader, writer):
                writer.write(b"x")
                ends.append((await all_of(reader, 0.3))[1])
        old[1].write(b"y")

        assert ends == ["reset", "reset", "silence", "silence"]
        assert await old[0].readexactly(1) == b"y"
        assert switch.struck == 2


async def test_latency_holds_back_and_does_not_slow_down():
    async with echoed() as (proxy, _), connected(proxy) as (reader, writer):
        with proxy.back.latency(0.2, 0.01):
            begun = time.monotonic()
            for _ in range(10):
                writer.write(b"x")
                await asyncio.sleep(0.01)
            await reader.readexactly(10)
            assert 0.19 < time.monotonic() - begun < 1.5
        begun = time.monotonic()
        writer.write(b"y")
        await reader.readexactly(1)
        assert time.monotonic() - begun < 0.15


async def test_what_is_held_back_comes_as_soon_as_the_latency_is_off():
    async with echoed() as (proxy, _), connected(proxy) as (reader, writer):
        switch = proxy.back.latency(3600)
        writer.write(b"x")
        await until(lambda: switch.struck)
        switch.off()

        assert await asyncio.wait_for(reader.readexactly(1), 5) == b"x"


@pytest.mark.parametrize(("line", "least"), [("to.bandwidth rate=2000", 0.2), ("back.drip every=0.001", 0.4)])
async def test_slow_connections_take_their_time_and_lose_nothing(line, least):
    sent = bytes(range(250)) * 2
    async with echoed() as (proxy, _), connected(proxy) as (reader, writer):
        proxy.switch_on(read(line))
        begun = time.monotonic()
        writer.write(sent)

        assert await reader.readexactly(500) == sent
        assert least < time.monotonic() - begun < 5


async def test_a_slow_connection_is_quick_again_when_the_fault_is_off():
    async with echoed() as (proxy, _), connected(proxy) as (reader, writer):
        with proxy.back.drip(3600):
            writer.write(b"0123456789")
            assert await reader.readexactly(1) == b"0"

        assert await asyncio.wait_for(reader.readexactly(9), 5) == b"123456789"


async def test_nobody_listens_while_connections_are_refused_and_open_ones_stay():
    async with echoed() as (proxy, _), connected(proxy) as (reader, writer):
        first, second = proxy.refuse(), proxy.refuse()
        for switch in (first, second):
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", proxy.port)
            switch.off()
        async with connected(proxy) as again:
            for source, target in ((reader, writer), again):
                target.write(b"x")
                assert await source.readexactly(1) == b"x"


async def test_a_connection_of_which_something_was_swallowed_is_broken_off_when_the_fault_is_off():
    async with echoed() as (proxy, _), connected(proxy) as (reader, writer):
        with proxy.to.blackhole(after=2):
            writer.write(b"0123")
            assert await all_of(reader) == (b"01", "silence")

        assert await all_of(reader, 5) == (b"", "reset")


async def test_the_other_way_goes_on_after_a_half_close():
    async with echoed() as (proxy, echo), connected(proxy) as (reader, writer):
        proxy.back.half_close()
        assert await reader.read() == b""
        writer.write(b"still heard")
        await until(lambda: echo.got == b"still heard")


async def test_an_upstream_that_is_not_there_is_a_connection_that_is_broken_off():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with FaultProxy(f"127.0.0.1:{port}") as proxy, connected(proxy) as (reader, _):
        assert await all_of(reader, 5) == (b"", "reset")


async def test_the_upstream_may_be_a_local_socket(tmp_path):
    echo = Echo()
    async with (
        await asyncio.start_unix_server(echo.serve, tmp_path / "echo"),
        FaultProxy(str(tmp_path / "echo")) as proxy,
        connected(proxy) as (reader, writer),
    ):
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        proxy.both.reset()
        assert await all_of(reader, 5) == (b"", "reset")


@pytest.mark.parametrize("upstream", ["", "here", "here:", ":80", "here:0", "here:65536", "here:x"])
def test_an_upstream_that_cannot_be_read_is_refused(upstream):
    with pytest.raises(ValueError, match="HOST:PORT"):
        FaultProxy(upstream)


def test_in_a_thread_it_is_told_from_another():
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_echo_once, args=[server], daemon=True).start()
        with FaultProxy.in_thread(f"127.0.0.1:{server.getsockname()[1]}") as proxy:
            proxy.begin(Schedule.read("at 0 for 60: back.latency seconds=0.1"))
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as sock:
                sock.sendall(b"x")
                assert sock.recv(1) == b"x"
            with proxy.refuse(), pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
            proxy.clear()


def _echo_once(server):
    with server.accept()[0] as sock:
        while data := sock.recv(100):
            sock.sendall(data)


async def test_a_schedule_is_played_by_the_clock():
    schedule = Schedule.read("at 0.2 for 0.2: both.reset\nat 0.6 for 0.2: back.cut after=0")
    async with echoed() as (proxy, _):
        playing = asyncio.ensure_future(proxy.play(schedule))
        ends = []
        while not playing.done():
            async with connected(proxy) as (reader, writer):
                writer.write(b"x")
                got, how = await all_of(reader, 0.02)
                ends.append(got.decode() or how)

        assert all(switch.struck for switch in await playing)
        assert [end for end, before in zip(ends, [None, *ends], strict=False) if end != before][:4] == [
            "x",
            "reset",
            "x",
            "end",
        ]


def test_a_seed_makes_the_same_schedule_every_time_and_what_is_printed_is_read_again():
    for seed in range(50):
        schedule = Schedule.random(seed, 4.0)

        assert Schedule.random(seed, 4.0) == schedule != Schedule.random(seed + 1, 4.0)
        assert Schedule.read(str(schedule)) == schedule
        assert all(step.at >= 0 and step.at + step.seconds <= 4.0 for step in schedule.steps)
    kinds = {type(step.placed.fault) for seed in range(50) for step in Schedule.random(seed, 4.0).steps}
    assert kinds == set(KINDS.values())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "'' is not a fault; these are: latency, "),
        ("back.lag", "'lag' is not a fault"),
        ("cut", "with one of to, back, both for SIDE"),
        ("up.cut", "with one of to, back, both for SIDE"),
        ("back.refuse", "write refuse"),
        ("back.latency", "does not say seconds: write SIDE.latency seconds=NUMBER [jitter=NUMBER] [connections=N]"),
        ("back.cut bytes=3", "'bytes=3' is not of this fault: write SIDE.cut [after=BYTES]"),
        ("back.cut after", "'after' is not of this fault"),
        ("back.cut after=x", "'x' is no whole number for after"),
        ("back.cut after=-1", "after=-1 is out of range: it is at least 0"),
        ("back.cut connections=0", "connections=0 is out of range: it is at least 1"),
        ("back.drip every=0", "every=0 is out of range: it is above 0"),
        ("back.drip every=nan", "every=nan is out of range"),
        ("back.garbage text=x", "is not of this fault"),
        ("refuse connections=1", "is not of this fault"),
    ],
)
def test_a_line_that_says_no_fault_is_refused_with_what_can_be_written(line, says):
    with pytest.raises(NoFault) as refused:
        read(line)
    assert says in str(refused.value)


def test_a_line_that_says_no_step_is_refused():
    with pytest.raises(NoFault, match="at SECONDS for SECONDS: FAULT"):
        Schedule.read("soon: back.cut")


def test_a_fault_is_written_as_it_is_read():
    for line in ("refuse", "to.drip every=0.5", "both.reset after=0 connections=2", "back.latency seconds=0.1"):
        assert str(read(line)) == line
        assert isinstance(read(line), Placed)
