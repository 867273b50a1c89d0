"""
The second transport: ``pyreqwest``, which speaks HTTP/2 as well.

It dials by itself, so it is given the guard as its proxy and has no other way out. It keeps the contract of the first
one. What it cannot tell, whether a request left before its connection broke or its time was up, is ``Unanswered``.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from hmac import compare_digest
from types import TracebackType
from typing import Self

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, PyreqwestError
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response as Answer

from headrace.connect.egress import Egress
from headrace.connect.guard import MARK, Guard, Pass
from headrace.connect.http import METHODS, check_value, header_key
from headrace.connect.tls import Tls
from headrace.connect.transport import Garbled, NotReached, NotSent, Unanswered, Unsendable
from headrace.connect.url import Target
from headrace.connect.wire import MOST_HEADERS, Limits
from headrace.errors import HeadraceError
from headrace.model.http import Request, Response

# hyper's words. ``ConnectError`` and ``ConnectTimeoutError`` say less than their names: a connection that broke after
# the request had been written is a ``ConnectError`` too, and so is a deadline that passed while the partner thought.
_NEVER_CONNECTED = "client error (Connect)"
_NOT_HTTP = ("parsed", "head is too large", "chunk", "unexpected message")
_HANDSHAKE_ENDED = "tls handshake eof"


@dataclass(slots=True, eq=False)
class _Member:
    """One client: its connections belong to one account, and to one certificate of ours."""

    client: Client
    holder: Pass
    places: asyncio.Semaphore
    under_way: int = 0
    used: float = 0.0
    is_retired: bool = False


@dataclass(slots=True)
class _Course:
    """How far an exchange has come, for saying what is known when it ends early."""

    sent: bool = False
    status: int = 0
    pieces: list[bytes] = field(default_factory=list)


class ReqwestTransport:
    """
    The ``Transport`` on ``pyreqwest``.

    There is a client for each account, made when it is first used and closed when it has been idle; at most
    ``connections`` requests of one are under way at a time. Of ``clients`` that nobody uses the oldest is closed.
    """

    def __init__(
        self,
        egress: Egress,
        *,
        tls: Tls | None = None,
        connections: int = 32,
        clients: int = 256,
        limits: Limits | None = None,
        user_agent: str = "headrace",
    ) -> None:
        self._egress = egress
        self._tls = tls if tls is not None else Tls()
        self._connections = connections
        self._most_clients = clients
        self._limits = limits if limits is not None else Limits()
        self._user_agent = user_agent
        self._guard = Guard(for_a_pass=connections)
        self._starting: asyncio.Task[None] | None = None
        self._members: dict[tuple[str, str], _Member] = {}
        self._is_closed = False

    async def send(self, request: Request, *, deadline: float, pool: str) -> Response:
        """Send one request once; see ``Transport``."""
        target = self._egress.admit(request.url)
        check(request)
        if deadline <= 0:
            raise NotSent(f"No time was left to call '{target.origin}'.")
        course = _Course()
        try:
            async with asyncio.timeout(deadline):
                return await self._exchange(request, target, pool, course)
        except TimeoutError:
            raise _too_late(target, course, self._connections) from None

    async def close(self) -> None:
        """End every connection. What is under way becomes ``Unanswered``; what is sent later is ``NotSent``."""
        self._is_closed = True
        if self._starting is not None:
            await asyncio.wait({self._starting})
        await self._guard.stop()
        members, self._members = list(self._members.values()), {}
        for member in members:
            await member.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def pools(self) -> int:
        """How many clients there are."""
        return len(self._members)

    async def _exchange(self, request: Request, target: Target, pool: str, course: _Course) -> Response:
        async with self._member(target, pool) as member, member.places:
            prepared = self._prepare(request, member.client)
            course.sent = True
            try:
                async with prepared as answer:
                    course.status = answer.status
                    return await self._read(answer, target, member, course)
            except (PyreqwestError, OSError) as error:
                raise self._what_is_known(error, target, member, course) from error
            except Garbled:
                self._retire(member)
                raise

    @asynccontextmanager
    async def _member(self, target: Target, pool: str) -> AsyncIterator[_Member]:
        await self._start()
        if self._is_closed:
            raise NotSent("The transport was closed.")
        key = (pool, target.origin if target.origin in self._tls.identities else "")
        member = self._members.get(key)
        if member is None:
            await self._make_room()
            member = self._members.setdefault(key, self._new_member(key[1]))
        member.under_way += 1
        try:
            yield member
        finally:
            member.under_way -= 1
            member.used = asyncio.get_running_loop().time()
            if member.is_retired and not member.under_way:
                await self._end(member)

    async def _start(self) -> None:
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._guard.start())
        try:
            await asyncio.shield(self._starting)
        except OSError:
            self._starting = None
            raise NotSent("The guard could not listen on loopback.") from None

    async def _make_room(self) -> None:
        """Close clients that have been idle for long, and the one idle for longest where there are too many."""
        now = asyncio.get_running_loop().time()
        idle = sorted(
            (key for key, member in self._members.items() if not member.under_way),
            key=lambda key: self._members[key].used,
        )
        surplus = len(self._members) + 1 - self._most_clients
        for place, key in enumerate(idle):
            if place < surplus or now - self._members[key].used > 2 * self._limits.idle:
                await self._end(self._members.pop(key))

    async def _end(self, member: _Member) -> None:
        self._guard.revoke(member.holder)
        await member.client.close()

    def _retire(self, retired: _Member) -> None:
        """Use a client no more: it may take up again a connection that cannot be trusted."""
        retired.is_retired = True
        for key, member in list(self._members.items()):
            if member is retired:
                del self._members[key]

    def _new_member(self, shown_to: str) -> _Member:
        holder = self._guard.issue(self._egress)
        proxy = ProxyBuilder.all(self._guard.url).custom_http_auth(holder.authorization).no_proxy(None)
        builder = (
            ClientBuilder()
            .proxy(proxy)
            .follow_redirects(False)
            .referer(False)
            .gzip(False)
            .brotli(False)
            .zstd(False)
            .deflate(False)
            .http2(True)
            .user_agent(self._user_agent)
            .pool_idle_timeout(timedelta(seconds=self._limits.idle))
            .pool_max_idle_per_host(self._connections)
            .http2_max_header_list_size(self._limits.head)
        )
        for authority in self._tls.authorities:
            builder = builder.add_root_certificate_pem(authority)
        if shown_to:
            builder = builder.identity_pem(self._tls.identities[shown_to])
        return _Member(builder.build(), holder, asyncio.Semaphore(self._connections))

    def _prepare(self, request: Request, client: Client) -> StreamRequest:
        try:
            builder = client.request(request.method, request.url).header("Accept-Encoding", "identity")
            for name, value in request.headers:
                if header_key(name) != "accept-encoding":  # Ours stands: an answer is never decompressed.
                    builder = builder.header(name, value)
            if request.body or request.method in ("POST", "PUT", "PATCH"):
                builder = builder.body_bytes(request.body)
            return builder.streamed_read_buffer_limit(self._limits.body).build_streamed()
        except (BuilderError, ValueError):
            raise Unsendable("The request cannot be written as HTTP.") from None

    async def _read(self, answer: Answer, target: Target, member: _Member, course: _Course) -> Response:
        headers = _headers_of(answer)
        mark = dict(headers).get(MARK)
        if mark is not None and compare_digest(mark.encode(), member.holder.mark.encode()):
            raise member.holder.refusals.pop(target.origin, NotReached(f"'{target.origin}' was not reached."))
        self._check_head(target, answer.status, headers)
        left, reader = self._limits.body, answer.body_reader
        while (piece := await reader.read_chunk()) is not None:
            course.pieces.append(bytes(memoryview(piece)[:left]))
            left -= len(piece)
            if left < 0:
                break
        return Response(answer.status, headers, b"".join(course.pieces), left < 0)

    def _check_head(self, target: Target, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        names = [name for name, _ in headers]
        if status < 200:
            raise Garbled(f"'{target.origin}' answered with status {status}, which was not asked for.")
        if len(names) > MOST_HEADERS or sum(len(name) + len(value) + 4 for name, value in headers) > self._limits.head:
            raise Garbled(f"'{target.origin}' answered with a head that is too large.")
        if "transfer-encoding" in names and "content-length" in names:
            raise Garbled(f"What '{target.origin}' answered is not HTTP.")

    def _what_is_known(self, error: Exception, target: Target, member: _Member, course: _Course) -> HeadraceError:
        causes = _causes(error)
        if _NEVER_CONNECTED in causes:
            return member.holder.refusals.pop(target.origin, None) or NotSent(_why_not_connected(target, causes))
        if any(words in cause and "EOF" not in cause for cause in causes for words in _NOT_HTTP):
            return Garbled(f"What '{target.origin}' answered is not HTTP.")
        if self._is_closed:
            return Unanswered(f"The transport was closed before '{target.origin}' answered.")
        when = f"in the middle of its answer {course.status}" if course.status else "without an answer"
        return Unanswered(f"'{target.origin}' closed the connection {when}.")


def check(request: Request) -> None:
    """
    Refuse what the first transport would refuse.

    Raises:
        Unsendable: a header would break out of its line, or is one that the transport writes itself.
    """
    if request.method not in METHODS:
        raise Unsendable(f"'{request.method[:20]}' is not a method; these are: {', '.join(sorted(METHODS))}.")
    for name, value in request.headers:
        header_key(name)
        check_value(name, value)


def _headers_of(answer: Answer) -> tuple[tuple[str, str], ...]:
    """Read the headers; the value of one that is not UTF-8 cannot be had from the library and is left out."""
    found: list[tuple[str, str]] = []
    for name in dict.fromkeys(answer.headers.keys()):
        try:
            found += [(name, value) for value in answer.get_header_all(name)]
        except ValueError:
            continue
    return tuple(found)


def _causes(error: Exception) -> list[str]:
    causes = error.details["causes"] if isinstance(error, DetailedPyreqwestError) else None
    return [cause["message"] for cause in causes or ()]


def _why_not_connected(target: Target, causes: list[str]) -> str:
    why = causes[-1]
    if "certificate" in why:
        return f"'{target.origin}': its certificate was refused: {why.removeprefix('invalid peer certificate: ')}."
    if why == _HANDSHAKE_ENDED:
        return f"'{target.origin}': it ended the connection before it was secured."
    return f"'{target.origin}' could not be reached: {why}."


def _too_late(target: Target, course: _Course, places: int) -> HeadraceError:
    if not course.sent:
        return NotSent(f"All {places} connections to '{target.origin}' were busy until the deadline.")
    reached = f"its answer {course.status} was not complete" if course.status else "it had not answered"
    return Unanswered(f"'{target.origin}' took too long: {reached} at the deadline.")
