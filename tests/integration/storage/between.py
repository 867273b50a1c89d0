"""Stands between a storage and whoever writes to it, reads what is asked, and answers some of it by itself."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

#: What is done with a request instead of passing it on: an answer, or how the connection ends.
DROPPED = "the storage does it, and its answer is lost"
UNHEARD = "the storage never hears of it, and the connection ends"
BUSY = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"

Rule = Callable[[str, str], object]


@dataclass
class Between:
    """``rule`` is asked about the method and target of each request; what it says is done, if it says anything."""

    upstream: str
    rule: Rule = lambda method, target: None
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader, writer):
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self.carry(reader, writer):
                pass
        writer.close()

    async def carry(self, reader, writer) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        self.asked.append((method, target))
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        body = await reader.readexactly(int(length or 0))
        self.heads.append(head.decode())
        self.bodies.append(body[:1000])
        said = self.rule(method, target)
        if said == UNHEARD:
            return False
        answer = said if isinstance(said, bytes) else await self.pass_on(head, body)
        if said == DROPPED:
            return False
        writer.write(answer)
        await writer.drain()
        return isinstance(said, bytes)

    async def pass_on(self, head: bytes, body: bytes) -> bytes:
        scheme, _, address = self.upstream.partition("://")
        host, _, port = address.partition(":")
        tls = ssl._create_unverified_context() if scheme == "https" else None
        reader, writer = await asyncio.open_connection(host, int(port), ssl=tls)
        try:
            lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
            writer.write(b"\r\n".join(lines) + b"\r\nConnection: close\r\n\r\n" + body)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def between(upstream: str, rule: Rule = lambda method, target: None) -> AsyncIterator[Between]:
    stands = Between(upstream, rule)
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        with suppress(asyncio.CancelledError):
            await stands.serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    stands.port = server.sockets[0].getsockname()[1]
    try:
        yield stands
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        for _ in range(5):
            await asyncio.sleep(0)


def first(count: int, said: object, when: Callable[[str, str], bool]) -> Rule:
    """Say this to the first so many requests of a kind."""
    left = [count]

    def rule(method: str, target: str) -> object:
        if not left[0] or not when(method, target):
            return None
        left[0] -= 1
        return said

    return rule
