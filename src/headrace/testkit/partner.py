"""
A partner on loopback: a real HTTP/1.1 server with scripted answers.

    async with Partner(answers=[429, 503, 200]) as partner:
        ...                                  # send to partner.url
    assert [r.answered for r in partner.received] == [429, 503, 200]

It is as light as Python allows, for it also takes the load of our benchmarks.
"""

import asyncio
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hmac import compare_digest
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, cast

import httptools
import orjson


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What the partner does with one request.

    ``delay`` is in seconds, None for the partner's own. ``close`` ends the connection after the answer. ``hang`` never
    answers, ``reset`` breaks the connection off instead of answering.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay: float | None = None
    close: bool = False
    hang: bool = False
    reset: bool = False


@dataclass(slots=True)
class Received:
    """
    One request as it arrived. Header names are in lower case, repeated ones joined by a comma.

    ``at`` is the time since 1970 in seconds; ``answered`` is the status, None where the partner hung or reset.
    """

    at: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    answered: int | None = None

    def json(self) -> Any:
        """The body, read as JSON."""
        return orjson.loads(self.body)


Scripted = int | Answer | Callable[[Received], "int | Answer"]


class Partner:
    """
    A partner whose every answer is known beforehand.

    ``answers`` are given in order, then ``default`` for ever: a status, an ``Answer``, or a function of what was
    received. With a ``token``, or a function that knows good ones, whoever brings none gets 401 and uses up no answer.
    ``delay`` holds back every answer. ``gets`` are the answers to GET by path, as often as it is asked: they use up
    none of the others. With ``reads_only_head`` an answer is given as soon as the head has come, and then the
    connection is closed without reading the body. ``keep`` bounds how many requests are remembered.
    """

    def __init__(
        self,
        answers: Iterable[Scripted] = (),
        *,
        default: Scripted = 200,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | Callable[[str], bool] | None = None,
        delay: float = 0.0,
        reads_only_head: bool = False,
        keep: int | None = None,
        gets: Mapping[str, Scripted] | None = None,
        on_received: Callable[[Received], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.received: deque[Received] = deque(maxlen=keep)
        self.statuses: Counter[int | None] = Counter()
        self.clock = clock
        self.delay = delay
        self.reads_only_head = reads_only_head
        self._script = deque(answers)
        self._default = default
        self.gets: dict[str, Scripted] = dict(gets or {})
        self._host = host
        self._port = port
        self._token = token
        self._on_received = on_received
        self._written: dict[Answer, bytes] = {}
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    @classmethod
    @contextmanager
    def in_thread(cls, answers: Iterable[Scripted] = (), **options: Any) -> Iterator[Self]:
        """Run a partner in a thread of its own, for tests that have no event loop."""
        partner = cls(answers, **options)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="partner", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(partner.start(), loop).result()
            yield partner
        finally:
            asyncio.run_coroutine_threadsafe(partner.stop(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    @property
    def port(self) -> int:
        """The port it listens on; the one asked for until it is started."""
        if self._server is not None:
            self._port = self._server.sockets[0].getsockname()[1]
        return self._port

    @property
    def origin(self) -> str:
        """Scheme, host and port, as an entry of ``HEADRACE_EGRESS_ALLOW`` has it."""
        return f"http://{self._host}:{self.port}"

    @property
    def url(self) -> str:
        """Where to send requests."""
        return f"{self.origin}/"

    @property
    def count(self) -> int:
        """How many requests were received, remembered or not."""
        return self.statuses.total()

    @property
    def open_connections(self) -> int:
        """How many connections are open at this moment."""
        return len(self._connections)

    @property
    def is_listening(self) -> bool:
        """Whether it was started and not stopped."""
        return self._server is not None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self, self._connections), self._host, self._port)

    async def stop(self) -> None:
        """Stop listening and break off every connection."""
        if self._server is None:
            return
        self._port = self.port
        server, self._server = self._server, None
        server.close()
        for connection in list(self._connections):
            connection.break_off()
        await server.wait_closed()
        for _ in range(10):  # The event loop lets go of broken connections in its next rounds.
            await asyncio.sleep(0)

    def break_off(self) -> None:
        """Reset every open connection, as a partner does that restarts. May be called from another thread."""
        if self._server is not None:
            loop = self._server.get_loop()
            for connection in list(self._connections):
                loop.call_soon_threadsafe(connection.break_off)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def answer(self, received: Received) -> Answer:
        """Note what was received and say what to do with it."""
        answer = self._next_answer(received)
        received.answered = None if answer.hang or answer.reset else answer.status
        self.received.append(received)
        self.statuses[received.answered] += 1
        if self._on_received is not None:
            self._on_received(received)
        return answer

    def write(self, answer: Answer) -> bytes:
        """The bytes of an answer; written once for all that are alike."""
        written = self._written.get(answer)
        if written is None:
            if len(self._written) >= 256:
                self._written.clear()
            written = self._written[answer] = _write(answer)
        return written

    def _next_answer(self, received: Received) -> Answer:
        if self._token is not None and not self._is_signed_in(received):
            return _UNAUTHORIZED
        scripted = self.gets.get(received.path) if received.method == "GET" else None
        if scripted is None:
            scripted = self._script.popleft() if self._script else self._default
        if callable(scripted):
            scripted = scripted(received)
        return _BARE[scripted] if isinstance(scripted, int) else scripted

    def _is_signed_in(self, received: Received) -> bool:
        kind, _, shown = received.headers.get("authorization", "").partition(" ")
        if callable(self._token):
            return kind == "Bearer" and self._token(shown)
        return kind == "Bearer" and compare_digest(shown.encode(), (self._token or "").encode())


class _Connection(asyncio.Protocol):
    """One connection to the partner. Requests are answered in turn, however long one is held back."""

    def __init__(self, partner: Partner, connections: "set[_Connection]") -> None:
        self._partner = partner
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[tuple[Received, bool]] = deque()
        self._is_busy = self._is_over = False
        self._url: bytes = b""
        self._headers: dict[str, str] = {}
        self._pieces: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        if not self._partner.is_listening:  # Accepted just before the partner stopped.
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._is_over and self._transport is not None:
                self._is_over = True
                self._transport.write(_write(Answer(400, close=True)))
                self._transport.close()

    def break_off(self) -> None:
        if self._transport is not None:
            _reset(self._transport)

    def on_message_begin(self) -> None:
        self._url, self._headers, self._pieces = b"", {}, []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        if self._partner.reads_only_head:
            self._is_over = True
            self._take(keeps_alive=False)
            raise _HeadOnly
        if self._headers.get("expect") == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        self._take(keeps_alive=self._parser.should_keep_alive())

    def _take(self, *, keeps_alive: bool) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        method = self._parser.get_method().decode("latin-1")
        received = Received(self._partner.clock(), method, path, query, self._headers, body)
        if self._is_busy:
            self._waiting.append((received, keeps_alive))
        else:
            self._serve(received, keeps_alive)

    def _serve(self, received: Received, keeps_alive: bool) -> None:
        answer = self._partner.answer(received)
        delay = self._partner.delay if answer.delay is None else answer.delay
        if delay or answer.hang:
            self._is_busy = True
        if answer.hang:
            return
        if delay:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay, self._carry_out_late, answer, received.method, keeps_alive)
        else:
            self._carry_out(answer, received.method, keeps_alive)

    def _carry_out_late(self, answer: Answer, method: str, keeps_alive: bool) -> None:
        self._is_busy = False
        self._carry_out(answer, method, keeps_alive)
        while self._waiting and not self._is_busy:
            self._serve(*self._waiting.popleft())

    def _carry_out(self, answer: Answer, method: str, keeps_alive: bool) -> None:
        transport = self._transport
        if transport is None:
            return
        if answer.reset:
            self._is_over = True
            _reset(transport)
            return
        written = self._partner.write(answer)
        transport.write(written if method != "HEAD" else written.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        if answer.close or not keeps_alive:
            self._is_over = True
            transport.close()


class _HeadOnly(Exception):
    """Raised in a callback to stop the parser: the rest of the request is not read."""


def _write(answer: Answer) -> bytes:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {answer.status} {phrase}", *(f"{name}: {value}" for name, value in answer.headers)]
    given = {name.lower() for name, _ in answer.headers}
    has_body = answer.status >= 200 and answer.status not in (204, 304)
    if has_body and not given & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(answer.body)}")
    if answer.close and "connection" not in given:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (answer.body if has_body else b"")


def _reset(transport: asyncio.Transport) -> None:
    """Make the kernel send RST: nothing lingers when the socket is closed."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


_BARE = {status: Answer(status) for status in range(100, 1000)}
_UNAUTHORIZED = Answer(401, (("WWW-Authenticate", "Bearer"),), b'{"error":"invalid_token"}')
