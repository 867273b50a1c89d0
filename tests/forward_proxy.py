"""A forward proxy on loopback: it carries whoever shows the right credentials, and remembers what it was asked."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_REFUSED = b"HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n"
_AWAY = b"HTTP/1.1 502 Nobody is there\r\nContent-Length: 0\r\n\r\n"
_CARRIED = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n"


@dataclass
class ForwardProxy:
    """What to show it, and the heads that it was sent; ``port``, where it runs in a thread of its own."""

    shown: bytes
    heads: list[bytes] = field(default_factory=list)
    port: int = 0

    @classmethod
    @contextmanager
    def in_thread(cls, shown: bytes) -> Iterator["ForwardProxy"]:
        """Run a proxy that carries to wherever it is asked for, until the end of the block."""
        proxy, loop = cls(shown), asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
        thread.start()
        ended = asyncio.Event()
        started = threading.Event()
        serving = asyncio.run_coroutine_threadsafe(proxy._serve(started, ended), loop)
        started.wait()
        try:
            yield proxy
        finally:
            loop.call_soon_threadsafe(ended.set)
            serving.result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _serve(self, started: threading.Event, ended: asyncio.Event) -> None:
        tasks: set[asyncio.Task[None] | None] = set()

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(asyncio.current_task())
            try:
                await self.carry((reader, writer), _dialled)
            except (OSError, EOFError, asyncio.CancelledError):
                pass
            finally:
                writer.close()
                writer.transport.abort()

        server = await asyncio.start_server(carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await ended.wait()
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)

    async def carry(self, near: Streams, dial: Callable[[bytes], Awaitable[Streams]]) -> None:
        """Carry one connection to where it is to go: ``dial`` is told the host and port that were asked for."""
        head = await near[0].readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if self.shown not in head:
            near[1].write(_REFUSED)
            await near[1].drain()
            return
        try:
            far = await dial(head.split(b" ")[1])
        except OSError:
            near[1].write(_AWAY)
            await near[1].drain()
            return
        near[1].write(_CARRIED)
        await _both(near, far)


async def _dialled(place: bytes) -> Streams:
    host, _, port = place.decode().rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port))


async def _both(near: Streams, far: Streams) -> None:
    """Copy both ways until one has ended."""
    ways = [asyncio.ensure_future(_copy(near[0], far[1])), asyncio.ensure_future(_copy(far[0], near[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        far[1].close()
        far[1].transport.abort()
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
