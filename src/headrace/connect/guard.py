"""
A forward proxy on loopback that holds the egress policy, for libraries that dial by themselves.

Such a library is pointed at it and knows no other way out. Whoever asks shows a pass, and a pass leads where its own
policy leads: the guard reads the address, looks the name up, checks every answer and connects to the one it checked.
A target over https is asked for by CONNECT, and the bytes that follow are TLS or go nowhere; one over http by the form
of a request that proxies have for it, each judged anew.
"""

import asyncio
import socket
import struct
from base64 import b64decode, b64encode
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from hmac import compare_digest
from secrets import token_hex, token_urlsafe
from typing import Any, Self

from headrace.connect.egress import Egress
from headrace.connect.head import LONGEST, Head, NoHead
from headrace.connect.url import Target
from headrace.errors import EgressError, HeadraceError

#: Marks an answer as the guard's own; its value is known in this process alone.
MARK = "headrace-guard"

_MOST_REFUSALS = 256
_PIECE = 64 * 1024
_TLS_HANDSHAKE = 0x16
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_REASONS = {400: "Bad Request", 403: "Forbidden", 407: "Proxy Authentication Required", 502: "Bad Gateway"}

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True, eq=False)
class Pass:
    """
    Leave to use the guard: a name, its secret, and the policy that holds for whoever shows them.

    ``origins``, if given, are the only ones it leads to. ``refusals`` has the newest reason for each origin that was
    not reached, for whoever asked learns no more from a proxy than that it failed.
    """

    egress: Egress
    origins: frozenset[str] | None = None
    name: str = field(default_factory=lambda: token_hex(8))
    secret: str = field(default_factory=lambda: token_urlsafe(32), repr=False)
    mark: str = field(default_factory=lambda: token_urlsafe(32), repr=False)
    refusals: dict[str, HeadraceError] = field(default_factory=dict, repr=False)

    @property
    def authorization(self) -> str:
        """What to show in ``Proxy-Authorization``."""
        return "Basic " + b64encode(f"{self.name}:{self.secret}".encode()).decode()

    def admit(self, url: str, scheme: str) -> Target:
        """
        Say where a URL leads.

        Raises:
            EgressError: nowhere, under this policy.
        """
        target = self.egress.admit(url, schemes=(scheme,))
        if self.origins is not None and target.origin not in self.origins:
            raise EgressError(f"'{target.origin}' is not among the targets of this connection.")
        return target

    async def dial(self, target: Target) -> socket.socket:
        """
        Connect to a target; the reason why not is kept.

        Raises:
            HeadraceError: it may not be reached, or could not be.
        """
        try:
            return await self.egress.dial(target)
        except HeadraceError as error:
            if len(self.refusals) >= _MOST_REFUSALS:
                self.refusals.clear()
            self.refusals[target.origin] = error
            raise


class Guard:
    """
    Listens on a port of loopback from ``start`` to ``stop``, and carries what its passes allow.

    At most ``connections`` are open at a time, and ``for_a_pass`` more for each pass that is good; one beyond them is
    closed at once. A head has ``head_timeout`` seconds
    to arrive. What is carried has no deadline here, for whoever asked has one and ends the connection with it.
    """

    def __init__(self, *, connections: int = 1024, for_a_pass: int = 0, head_timeout: float = 5.0) -> None:
        self._connections = connections
        self._for_a_pass = for_a_pass
        self._head_timeout = head_timeout
        self._passes: dict[str, Pass] = {}
        self._server: asyncio.Server | None = None
        self._is_stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._of_nobody = token_urlsafe(32)

    @property
    def url(self) -> str:
        """Where it listens."""
        if self._server is None:
            raise RuntimeError("the guard has not been started")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def open_connections(self) -> int:
        """How many are open."""
        return len(self._tasks)

    @property
    def _most(self) -> int:
        return self._connections + self._for_a_pass * len(self._passes)

    def issue(self, egress: Egress, *, origins: frozenset[str] | None = None) -> Pass:
        """Make a pass for this policy, good until it is revoked."""
        made = Pass(egress, origins)
        self._passes[made.name] = made
        return made

    def revoke(self, revoked: Pass) -> None:
        """Take a pass back; what it already opened goes on."""
        self._passes.pop(revoked.name, None)

    async def start(self) -> None:
        """Listen."""
        self._is_stopping = False
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LONGEST)

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server is None:
            return
        self._server.close()
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        for _ in range(10):  # What was just accepted is only now being served; the sockets close in the next rounds.
            await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._is_stopping or len(self._tasks) >= self._most:
            _cut(writer)
            return
        self._tasks.add(task)
        try:
            await self._carry(reader, writer)
        except _Refused as refused:
            await _answer(reader, writer, refused)
        except OSError:
            _reset(writer)
        except asyncio.CancelledError:
            _cut(writer)  # The guard stops. Handed on, asyncio would write of it to its log.
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(self._head_timeout):
            head = await _next_head(reader)
        if head is None:
            return
        holder = self._holder(head)
        if head.method == "CONNECT":
            await self._carry_tls(head, holder, (reader, writer))
        else:
            await self._carry_http(head, holder, (reader, writer))

    def _holder(self, head: Head) -> Pass:
        """Return the pass that is shown; without one nothing is looked up and nothing dialled."""
        shown = head.field(b"proxy-authorization")
        name = ""
        with suppress(ValueError):
            name = b64decode(shown.removeprefix(b"Basic "), validate=True).partition(b":")[0].decode()
        held = self._passes.get(name)
        expected = held.authorization if held is not None else self._of_nobody
        if compare_digest(shown, expected.encode()) and held is not None:
            return held
        raise _Refused(407, "Show a pass in Proxy-Authorization.")

    async def _carry_tls(self, head: Head, holder: Pass, near: _Streams) -> None:
        far = await _reach(holder, _admit(holder, f"https://{head.target}/", "https"))
        try:
            near[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            async with asyncio.timeout(self._head_timeout):
                hello = await near[0].read(_PIECE)
            if hello and hello[0] == _TLS_HANDSHAKE:
                far[1].write(hello)
                await _either(_copy(near[0], far[1]), _copy(far[0], near[1]))
        finally:
            _cut(far[1])

    async def _carry_http(self, head: Head, holder: Pass, near: _Streams) -> None:
        target = _admit(holder, head.target, "http")
        far = await _reach(holder, target)
        try:
            await _either(_pass_on(head, target, holder, near[0], far[1]), _copy(far[0], near[1]))
        finally:
            _cut(far[1])


class _Refused(Exception):
    """The guard's own answer."""

    def __init__(self, status: int, why: str, mark: str = "") -> None:
        self.status, self.why, self.mark = status, why, mark
        super().__init__(why)


async def _next_head(reader: asyncio.StreamReader) -> Head | None:
    try:
        return await Head.read(reader)
    except NoHead as error:
        raise _Refused(400, str(error)) from None


def _admit(holder: Pass, url: str, scheme: str) -> Target:
    try:
        return holder.admit(url, scheme)
    except HeadraceError as error:
        raise _Refused(403, error.message) from None


async def _reach(holder: Pass, target: Target) -> _Streams:
    try:
        sock = await holder.dial(target)
    except HeadraceError as error:
        raise _Refused(502, error.message, holder.mark) from None
    return await asyncio.open_connection(sock=sock, limit=_PIECE)


async def _pass_on(
    head: Head | None, target: Target, holder: Pass, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Pass one request after the other on to the target; one that is for another place ends the connection."""
    while head is not None and head.method != "CONNECT":
        asked = _admit(holder, head.target, "http")
        if asked.origin != target.origin:
            return
        writer.write(head.for_origin(asked))
        await _copy_exactly(head.length, reader, writer)
        head = await _next_head(reader)


async def _copy_exactly(count: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while count:
        data = await reader.read(min(count, _PIECE))
        if not data:
            raise ConnectionResetError
        count -= len(data)
        writer.write(data)
        await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy to the end, never holding more than a piece or two: who reads slowly is written to slowly."""
    while data := await reader.read(_PIECE):
        writer.write(data)
        await writer.drain()


async def _either(there: Coroutine[Any, Any, None], back: Coroutine[Any, Any, None]) -> None:
    """Carry both ways until one has ended; what broke it off is raised, so that it breaks off at the other end too."""
    ways = {asyncio.ensure_future(there), asyncio.ensure_future(back)}
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        results = await asyncio.gather(*ways, return_exceptions=True)
    for result in results:
        if isinstance(result, OSError):
            raise result


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, refused: _Refused) -> None:
    """Answer, and read for a moment what still comes: closed at once, the answer could be lost with it."""
    body = refused.why.encode()
    head = f"HTTP/1.1 {refused.status} {_REASONS[refused.status]}\r\n{MARK}: {refused.mark}\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    with suppress(OSError):
        writer.write_eof()
        async with asyncio.timeout(1.0):
            while await reader.read(_PIECE):
                pass


def _reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection off so that the other side sees that it was: what it has is not whole."""
    sock = writer.get_extra_info("socket")
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    _cut(writer)


def _cut(writer: asyncio.StreamWriter) -> None:
    writer.close()  # uvloop knows of a transport that it closes only when it was told so.
    writer.transport.abort()
