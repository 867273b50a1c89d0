"""
A proxy of TCP on loopback that stands between two who talk, and spoils the connection on demand.

    async with FaultProxy(partner.address) as proxy:
        with proxy.back.latency(0.2):
            ...                              # answers of the partner come late
        proxy.back.cut(after=0, connections=1)
        ...                                  # the next connection ends where its first answer should have come

It knows nothing of what is said: it stands before a partner, a database or an authorization server alike. Whatever is
switched on or off holds at once, for connections that are open too. Without a fault it is not noticed: an end comes as
an end, and a connection that is broken off on one side is broken off on the other.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar

from headrace.testkit.faults.kinds import (
    Bandwidth,
    Blackhole,
    Cut,
    Drip,
    Fault,
    Garbage,
    HalfClose,
    Latency,
    Placed,
    Refuse,
    Reset,
)
from headrace.testkit.faults.pump import Active, Pump
from headrace.testkit.faults.schedule import Schedule

#: How long a connection that was cut waits for both sides to end it too.
_LINGER = 1.0

T = TypeVar("T")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Switch:
    """A fault that was switched on, until ``off``; as a context it is off at the end of the block."""

    def __init__(self, proxy: "FaultProxy", placed: Placed, active: Active) -> None:
        self._proxy = proxy
        self.placed = placed
        self._active = active

    @property
    def struck(self) -> int:
        """How often it did something: connections that it ended, spoiled or refused to answer, pieces it slowed."""
        return self._active.struck

    def off(self) -> None:
        self._proxy.switch_off(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.off()


class Way:
    """One side of a proxy, or both: switches faults on there, and counts the bytes that went by."""

    def __init__(self, proxy: "FaultProxy", side: str) -> None:
        self._proxy = proxy
        self.side = side
        self.bytes = 0

    def latency(self, seconds: float, jitter: float = 0.0, *, connections: int | None = None) -> Switch:
        return self._on(Latency(seconds, jitter), connections)

    def bandwidth(self, rate: float, *, connections: int | None = None) -> Switch:
        return self._on(Bandwidth(rate), connections)

    def drip(self, every: float, *, connections: int | None = None) -> Switch:
        return self._on(Drip(every), connections)

    def cut(self, after: int | None = None, *, connections: int | None = None) -> Switch:
        return self._on(Cut(after), connections)

    def reset(self, after: int | None = None, *, connections: int | None = None) -> Switch:
        return self._on(Reset(after), connections)

    def blackhole(self, after: int | None = None, *, connections: int | None = None) -> Switch:
        return self._on(Blackhole(after), connections)

    def half_close(self, after: int | None = None, *, connections: int | None = None) -> Switch:
        return self._on(HalfClose(after), connections)

    def garbage(self, after: int | None = None, *, connections: int | None = None) -> Switch:
        return self._on(Garbage(after), connections)

    def _on(self, fault: Fault, connections: int | None) -> Switch:
        return self._proxy.switch_on(Placed(self.side, fault, connections))


class FaultProxy:
    """
    Listens on loopback and carries every connection to ``upstream``: ``host:port``, or the path of a local socket.

    ``to``, ``back`` and ``both`` are the ways. ``seed`` is that of the jitter. All methods but ``start`` and ``stop``
    may be called from any thread.
    """

    def __init__(self, upstream: str, *, host: str = "127.0.0.1", port: int = 0, seed: int = 0) -> None:
        self._dial = _dialler(upstream)
        self._host = host
        self._port = port
        self._luck = Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.to, self.back, self.both = (Way(self, side) for side in ("to", "back", "both"))
        self.connections = 0
        self._open: set[_Connection] = set()
        self._on: dict[Switch, Active] = {}
        self._place: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._playing: list[Future[list[Switch]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    @contextmanager
    def in_thread(cls, upstream: str, **options: Any) -> Iterator[Self]:
        """Run a proxy in a thread of its own, for tests that have no event loop."""
        proxy = cls(upstream, **options)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="faults", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(proxy.start(), loop).result()
            yield proxy
        finally:
            asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    @property
    def port(self) -> int:
        """The port it listens on; the one asked for until it is started."""
        return self._port

    @property
    def address(self) -> str:
        return f"{self._host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port, as an entry of ``HEADRACE_EGRESS_ALLOW`` has it."""
        return f"http://{self.address}"

    @property
    def open_connections(self) -> int:
        """How many connections are open at this moment."""
        return len(self._open)

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        # Holds the port for as long as nobody may listen there.
        self._place = _bound(self._host, self._port)
        self._port = self._place.getsockname()[1]
        self._listen()

    async def stop(self) -> None:
        """Stop listening and break off every connection."""
        for playing in self._playing:
            playing.cancel()
        await asyncio.sleep(0)
        self._on.clear()
        self._deafen()
        for connection in list(self._open):
            connection.end(True)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._place is not None:
            self._place.close()
        self._loop = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def refuse(self) -> Switch:
        """Refuse new connections; those that are open stay."""
        return self.switch_on(Placed("both", Refuse()))

    def switch_on(self, placed: Placed) -> Switch:
        """Switch a fault on. Where it is for the next connections only, those that are open do not have it."""
        active = Active(placed.fault, placed.connections)
        switch = Switch(self, placed, active)
        self._do(partial(self._switch_on, switch, active))
        return switch

    def switch_off(self, switch: Switch) -> None:
        """Switch a fault off; one that is off already stays so."""
        self._do(partial(self._switch_off, switch))

    def clear(self) -> None:
        """Switch every fault off."""
        for switch in list(self._on):
            self.switch_off(switch)

    async def play(self, schedule: Schedule) -> list[Switch]:
        """Switch faults on and off as a schedule has them, and return all switches when the last is off."""
        played = await asyncio.gather(*(self._play(step.at, step.placed, step.seconds) for step in schedule.steps))
        return list(played)

    def begin(self, schedule: Schedule) -> "Future[list[Switch]]":
        """Play a schedule, until the proxy stops, while the caller in another thread does something else."""
        assert self._loop is not None, "the proxy is started"
        playing = asyncio.run_coroutine_threadsafe(self.play(schedule), self._loop)
        self._playing.append(playing)
        return playing

    async def _play(self, at: float, placed: Placed, seconds: float) -> Switch:
        await asyncio.sleep(at)
        with self.switch_on(placed) as switch:
            await asyncio.sleep(seconds)
        return switch

    def _do(self, act: Callable[[], None]) -> None:
        """Do something in the proxy's own thread, and return when it is done."""
        try:
            is_here = self._loop is None or asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if is_here:
            act()
        else:
            assert self._loop is not None
            asyncio.run_coroutine_threadsafe(_awaited(act), self._loop).result()

    def _switch_on(self, switch: Switch, active: Active) -> None:
        self._on[switch] = active
        if isinstance(active.fault, Refuse):
            self._deafen()
        elif active.left is None:
            for connection in list(self._open):
                connection.suffer(switch.placed.side, active)

    def _switch_off(self, switch: Switch) -> None:
        active = self._on.pop(switch, None)
        if active is None:
            return
        for connection in list(self._open):
            connection.recover(active)
        if isinstance(active.fault, Refuse) and not self._is_refusing():
            self._listen()

    def _is_refusing(self) -> bool:
        return any(isinstance(active.fault, Refuse) for active in self._on.values())

    def _listen(self) -> None:
        assert self._loop is not None
        self._listener = _bound(self._host, self._port)
        self._listener.listen(256)
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener, self._accept, self._listener)

    def _deafen(self) -> None:
        if self._listener is not None and self._loop is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        try:
            near, _ = listener.accept()
        except OSError:  # Whoever called has gone again.
            return
        near.setblocking(False)
        self.connections += 1
        faults = [(switch.placed.side, active) for switch, active in self._on.items() if active.takes_next()]
        connection = _Connection(faults, self._luck, self._count)
        self._open.add(connection)
        task = asyncio.ensure_future(connection.carry(near, self._dial))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _task: self._open.discard(connection))

    def _count(self, side: str, count: int) -> None:
        way = self.to if side == "to" else self.back
        way.bytes += count
        self.both.bytes += count


class _Connection:
    """One connection, and the faults that it has by side."""

    def __init__(self, faults: list[tuple[str, Active]], luck: Random, count: Callable[[str, int], None]) -> None:
        self._faults = faults
        self._luck = luck
        self._count = count
        self._pumps: dict[str, Pump] = {}
        self._writers: list[asyncio.StreamWriter] = []
        self._is_over = False

    async def carry(self, near: socket.socket, dial: Callable[[], Awaitable[Streams]]) -> None:
        """Carry both ways until both have ended, or one is broken."""
        try:
            here = await self._opened(asyncio.open_connection(sock=near))
            there = await self._opened(dial())
            self._connect(here, there)
            async with asyncio.TaskGroup() as ways:
                for pump in self._pumps.values():
                    ways.create_task(pump.run())
        except* OSError:
            self.end(True)
        finally:
            for writer in self._writers:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

    def suffer(self, side: str, active: Active) -> None:
        """Have a fault from now on."""
        self._faults.append((side, active))
        for pump in self._of(side):
            pump.suffer(active)

    def recover(self, active: Active) -> None:
        """Be rid of a fault."""
        self._faults = [(side, other) for side, other in self._faults if other is not active]
        for pump in self._pumps.values():
            pump.recover(active)

    def end(self, is_broken: bool) -> None:
        """End both ways: in good order, or broken off."""
        self._is_over = True
        for pump in self._pumps.values():
            pump.be_deaf() if is_broken else pump.finish()
        if is_broken:
            for writer in self._writers:
                _reset(writer)
        else:
            asyncio.get_running_loop().call_later(_LINGER, self._close)

    async def _opened(self, opening: Awaitable[Streams]) -> Streams:
        streams = await opening
        self._writers.append(streams[1])
        if self._is_over:
            raise ConnectionAbortedError
        return streams

    def _connect(self, here: Streams, there: Streams) -> None:
        for side, source, target in (("to", here[0], there[1]), ("back", there[0], here[1])):
            self._pumps[side] = Pump(source, target, self._luck, partial(self._count, side), self.end)
        for side, active in self._faults:
            for pump in self._of(side):
                pump.suffer(active)

    def _of(self, side: str) -> list[Pump]:
        return [pump for name, pump in self._pumps.items() if side in (name, "both")]

    def _close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound


def _reset(writer: asyncio.StreamWriter) -> None:
    """Make the kernel send RST: nothing lingers when the socket is closed."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _dialler(upstream: str) -> Callable[[], Awaitable[Streams]]:
    if upstream.startswith("/"):
        return partial(asyncio.open_unix_connection, upstream)
    host, _, port = upstream.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError(f"'{upstream}' is no upstream: write HOST:PORT, or the path of a local socket")
    return partial(asyncio.open_connection, host.strip("[]"), int(port))


async def _awaited(act: Callable[[], None]) -> None:
    act()
