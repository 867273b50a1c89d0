"""
Our HTTP/1.1 transport: a pool of connections for each origin and account, and the writing of requests.

It does little on purpose. It sends one request, once, to an address that the egress checked, and returns what came
back. There are no redirects, no cookies, no proxy but the operator's and no compressed bodies, because each of them is
a way to end up somewhere else or to be made to pay for something.
"""

import asyncio
import re
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from socket import socket
from types import TracebackType
from typing import Self

from headrace.connect.egress import Egress
from headrace.connect.tls import Tls
from headrace.connect.transport import Distrusted, NotSent, Unsendable
from headrace.connect.url import Target
from headrace.connect.wire import Connection, Limits
from headrace.model.http import Request, Response

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

_OURS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer"}
    | {"upgrade", "expect", "http2-settings", "proxy-authorization", "proxy-authenticate"}
)
_BODY_EXPECTED = frozenset({"POST", "PUT", "PATCH"})
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_BAD_IN_VALUE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")
_MOST_REMEMBERED = 1024


_Key = tuple[str, str]  # origin and name of the pool


@dataclass(frozen=True, slots=True)
class _Route:
    """What stays the same for every request to one URL."""

    target: Target
    origin: str
    start: str


class HttpTransport:
    """
    The ``Transport`` that delivers.

    At most ``connections`` are open for one origin and pool; a request beyond them waits its turn within its deadline.
    A connection that was used before is looked at before it is used again: one that the partner has closed meanwhile
    is replaced, and nothing was sent on it. That is the only repetition there is. Once a request has been written it
    is never written a second time, for a POST may have been applied even if the connection then broke.
    """

    def __init__(
        self,
        egress: Egress,
        *,
        tls: Tls | None = None,
        connections: int = 32,
        handshake_timeout: float = 5.0,
        limits: Limits | None = None,
        user_agent: str = "headrace",
    ) -> None:
        self._egress = egress
        self._tls = tls if tls is not None else Tls()
        self._connections = connections
        self._handshake_timeout = handshake_timeout
        self._limits = limits if limits is not None else Limits()
        self._agent = f"User-Agent: {user_agent}\r\n"
        self._routes: dict[str, _Route] = {}
        self._pools: dict[_Key, _Pool] = {}
        self._is_closed = False

    async def send(self, request: Request, *, deadline: float, pool: str) -> Response:
        """Send one request once; see ``Transport``."""
        route = self._routes.get(request.url) or self._new_route(request.url)
        message = write_request(request, route.start, self._agent)
        if deadline <= 0:
            raise NotSent(f"No time was left to call '{route.origin}'.")
        connections = self._pools.get((route.origin, pool)) or self._new_pool(route, pool)
        ends = connections.now() + deadline
        connection = connections.take() or await connections.open_or_wait(ends)
        answer = connection.exchange(message, ends, request.method)
        try:
            return await answer
        except asyncio.CancelledError:
            connection.give_up(answer)
            raise

    async def close(self) -> None:
        """End every connection. What is under way becomes ``Unanswered``; what is sent later is ``NotSent``."""
        self._is_closed = True
        for pool in list(self._pools.values()):
            pool.close()
        # The event loop closes the sockets in its next rounds; TLS takes one more than plain.
        for _ in range(3):
            await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def pools(self) -> int:
        """How many pools have a connection or are making one; a pool without any is forgotten."""
        return len(self._pools)

    def _new_route(self, url: str) -> _Route:
        target = self._egress.admit(url)
        start = f" {target.path_and_query} HTTP/1.1\r\nHost: {target.authority}\r\nAccept-Encoding: identity\r\n"
        if len(self._routes) >= _MOST_REMEMBERED:
            self._routes.clear()
        route = self._routes[url] = _Route(target, target.origin, start)
        return route

    def _new_pool(self, route: _Route, name: str) -> "_Pool":
        if self._is_closed:
            raise NotSent("The transport was closed.")

        now = asyncio.get_running_loop().time

        def dial(ends: float) -> Awaitable[socket]:
            return self._egress.dial(route.target, within=ends - now())

        def dress(sock: socket, connection: Connection, ends: float) -> Awaitable[None]:
            return self._dress(route.target, sock, connection, ends)

        return _Pool((route.origin, name), self._pools, self._connections, self._limits, now, dial, dress)

    async def _dress(self, target: Target, sock: socket, connection: Connection, ends: float) -> None:
        """Give the connected socket to the event loop, in TLS if the URL says https."""
        loop = asyncio.get_running_loop()
        is_tls = target.scheme == "https"
        try:
            async with asyncio.timeout_at(min(ends, loop.time() + self._handshake_timeout)):
                await loop.create_connection(
                    lambda: connection,
                    sock=sock,
                    ssl=self._tls.context(target.origin) if is_tls else None,
                    server_hostname=target.host if is_tls else None,
                )
        except OSError as error:
            kind = Distrusted if isinstance(error, ssl.SSLCertVerificationError) else NotSent
            raise kind(f"'{target.origin}': {_why_tls_failed(error)}.") from error


class _Pool:
    """
    The connections to one origin for one account; it is among ``pools`` for as long as it has any.

    ``open`` counts the slots that are taken, by connections and by those being made. Whoever waits is handed either a
    connection that came free or, as None, the slot of one that ended.
    """

    def __init__(
        self,
        key: _Key,
        pools: "dict[_Key, _Pool]",
        limit: int,
        limits: Limits,
        now: Callable[[], float],
        dial: Callable[[float], Awaitable[socket]],
        dress: Callable[[socket, Connection, float], Awaitable[None]],
    ) -> None:
        self._key = key
        self._origin = key[0]
        self._pools = pools
        self._limit = limit
        self._limits = limits
        self.now = now
        self._dial = dial
        self._dress = dress
        self._idle: list[Connection] = []
        self._live: set[Connection] = set()
        self._open = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._is_closed = False

    def take(self) -> Connection | None:
        """Take the connection that was used last, if one is idle and the partner has not closed it."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_alive():
                return connection
            connection.abandon()
        return None

    async def open_or_wait(self, ends: float) -> Connection:
        """Open a connection while there may be more, else wait for one of the others."""
        while self._open >= self._limit:
            connection = await self._next_free(ends)
            if connection is None:
                return await self._open_one(ends)
            if connection.is_alive():
                return connection
            connection.abandon()
        self._open += 1
        self._pools[self._key] = self
        return await self._open_one(ends)

    def close(self) -> None:
        self._is_closed = True
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(NotSent("The transport was closed."))
        for connection in list(self._live):
            connection.fail_by_closing()

    def _freed(self, connection: Connection) -> None:
        if not (self._waiting and self._hand_over(connection)):
            self._idle.append(connection)

    def _lost(self, connection: Connection) -> None:
        self._live.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._free_slot()

    def _free_slot(self) -> None:
        if not self._hand_over(None):
            self._open -= 1
            if self._open == 0:
                del self._pools[self._key]

    def _hand_over(self, connection: Connection | None) -> bool:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return True
        return False

    async def _next_free(self, ends: float) -> Connection | None:
        waiting: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout_at(ends):
                return await self._wait_for(waiting)
        except TimeoutError:
            raise NotSent(f"All {self._limit} connections to '{self._origin}' were busy until the deadline.") from None

    async def _wait_for(self, waiting: "asyncio.Future[Connection | None]") -> Connection | None:
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._give_back(waiting.result())
            raise

    def _give_back(self, handed: Connection | None) -> None:
        if handed is None:
            self._free_slot()
        else:
            self._freed(handed)

    async def _open_one(self, ends: float) -> Connection:
        """Make a connection in a slot that is already counted; the slot is free again if that fails."""
        try:
            sock = await self._dial(ends)
        except BaseException:
            self._free_slot()
            raise
        connection = Connection(self._origin, sock, self._limits, self._freed, self._lost)
        self._live.add(connection)
        try:
            await self._dress(sock, connection, ends)
        except BaseException:
            connection.abandon()
            raise
        if self._is_closed:
            connection.abandon()
        return connection


def write_request(request: Request, start: str, agent: str) -> bytes:
    """
    Write head and body in one piece, so that a small request is one packet.

    Raises:
        Unsendable: a header would break out of its line, or is one that the transport writes itself.
    """
    method, body = request.method, request.body
    if method not in METHODS:
        raise Unsendable(f"'{method[:20]}' is not a method; these are: {', '.join(sorted(METHODS))}.")
    parts = [method, start]
    for name, value in request.headers:
        lower = header_key(name)
        if lower == "accept-encoding":
            continue  # Ours stands: an answer is never decompressed.
        if lower == "user-agent":
            agent = ""
        if not value.isprintable():
            check_value(name, value)
        parts.append(f"{name}: {value}\r\n")
    if body or method in _BODY_EXPECTED:
        parts.append(f"Content-Length: {len(body)}\r\n")
    parts += (agent, "\r\n")
    return "".join(parts).encode() + body


@lru_cache(_MOST_REMEMBERED)
def header_key(name: str) -> str:
    """
    Return a header's name in lower case.

    Raises:
        Unsendable: it is no name, or one that the transport writes itself.
    """
    if not _TOKEN.fullmatch(name):
        raise Unsendable("A header's name may hold letters, digits and !#$%&'*+.^_`|~- only.")
    lower = name.lower()
    if lower in _OURS:
        raise Unsendable(f"The header '{name}' belongs to the connection and cannot be set.")
    return lower


def check_value(name: str, value: str) -> None:
    """
    Refuse a header's value that would break out of its line.

    Raises:
        Unsendable: it holds a line break or another control character.
    """
    if _BAD_IN_VALUE.search(value):
        raise Unsendable(f"The value of the header '{name}' holds a line break or a control character.")


def _why_tls_failed(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate was refused: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "the connection was not secured in time"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'unknown reason').lower().replace('_', ' ')}"
    return "it ended the connection before it was secured"
