"""
One HTTP/1.1 connection: a request is written on it, an answer is read from it, one at a time.

The parser is llhttp in its strict mode. What an answer may cost is bounded on every side: its head, its body, its
trailers and padding together, its interim answers, and above all its time.
"""

import asyncio
import select
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import httptools

from headrace.connect.transport import Garbled, NotSent, Unanswered
from headrace.crashpoints import crashpoint, die, is_reached
from headrace.model.http import Response

_MOST_INTERIM = 16
#: As ``SO_LINGER``: what has not been sent when the socket is closed is dropped, and the other side is told (RST).
_NOT_AT_ALL = struct.pack("ii", 1, 0)
MOST_HEADERS = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer may cost. ``idle`` is how many seconds a connection is kept without a request."""

    head: int = 64 * 1024
    body: int = 64 * 1024
    idle: float = 30.0


class Connection(asyncio.Protocol):
    """
    A connection that carries one exchange after the other.

    When an answer is complete and the connection can carry another, ``freed`` is called with it before the answer is
    handed over; when it has ended for whatever reason, ``lost`` is, exactly once. One lazy timer serves both the
    deadline and the idle time: it is set anew only when it fires, so an exchange usually costs no timer at all.
    """

    __slots__ = (
        "_answer",
        "_ends",
        "_freed",
        "_has_ended",
        "_head",
        "_headers",
        "_idle_since",
        "_interim",
        "_is_complete",
        "_is_head_request",
        "_is_reusable",
        "_is_truncated",
        "_limits",
        "_loop",
        "_lost",
        "_origin",
        "_parser",
        "_pieces",
        "_poll",
        "_seen",
        "_size",
        "_socket",
        "_status",
        "_timer",
        "_timer_at",
        "_transport",
    )

    def __init__(
        self,
        origin: str,
        sock: socket.socket,
        limits: Limits,
        freed: Callable[["Connection"], None],
        lost: Callable[["Connection"], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._origin = origin
        self._socket = sock
        self._limits = limits
        self._freed = freed
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._ends = 0.0
        self._idle_since = self._loop.time()
        self._has_ended = False
        self._status = self._seen = self._size = self._interim = 0
        self._headers: list[tuple[str, str]] = []
        self._head: list[tuple[str, str]] = []
        self._pieces: list[bytes] = []
        self._is_head_request = self._is_complete = self._is_truncated = self._is_reusable = False
        self._parser = httptools.HttpResponseParser(self)

    # --- what the pool does with it

    def exchange(self, message: bytes, ends: float, method: str) -> asyncio.Future[Response]:
        """Write one request; its answer, or what is known instead, is in the future by the loop's time ``ends``."""
        answer: asyncio.Future[Response] = self._loop.create_future()
        transport = self._transport
        if transport is None:
            answer.set_exception(NotSent(f"'{self._origin}' ended the connection."))
            return answer
        if self._loop.time() >= ends:  # The process may have been stopped since it was allowed to send.
            answer.set_exception(NotSent(f"'{self._origin}' was not asked before the deadline."))
            self.abandon()
            return answer
        self._answer = answer
        self._status = self._seen = self._size = self._interim = 0
        self._pieces = []
        self._is_head_request = method == "HEAD"
        self._is_complete = self._is_truncated = False
        self._is_reusable = True
        self._ends = ends
        if is_reached("half_request"):
            transport.write(message[: len(message) // 2])
            die()
        transport.write(message)
        crashpoint("after_request")
        if self._timer is None or ends < self._timer_at:
            self._set_timer(min(ends, self._loop.time() + self._limits.idle))
        return answer

    def is_alive(self) -> bool:
        """
        Whether a request may be written on this idle connection.

        The partner may have closed it a moment ago without the event loop having noticed. A request written then would
        be lost with an unknown outcome; seen before, it costs nothing. Any unread byte disqualifies as well, for
        nobody has asked for one.
        """
        if self._transport is None or self._transport.is_closing():
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._socket.fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def give_up(self, answer: "asyncio.Future[Response]") -> None:
        """Cut the connection if it still carries the exchange of this answer, which nobody awaits any longer."""
        if self._answer is answer:
            self._leave_unsent()
            self.abandon()

    def abandon(self) -> None:
        """Cut the connection, on which nobody awaits an answer."""
        self._answer = None
        self._cut()

    def fail_by_closing(self) -> None:
        """Cut the connection because the transport closes; an answer that is awaited stays unknown."""
        if self._answer is None:
            self._cut()
        else:
            self._fail(Unanswered(f"The transport was closed before '{self._origin}' answered."))

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self._cut()
            return
        self._seen += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._stop_parsing(error)
        else:
            if self._is_complete:
                self._finish()
            elif self._is_truncated or self._seen > self._limits.head:
                self._check_size()

    def eof_received(self) -> None:
        if self._answer is None:
            self._cut()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._answer is not None:
            self._end_early(exc)
        self._end()

    # --- what the parser calls

    def on_message_begin(self) -> None:
        if self._is_complete:
            raise _Stop("sends more than one answer")
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1"), value.rstrip().decode("latin-1")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._skip_interim(status)
            return
        self._status = status
        self._head, self._headers = self._headers, []  # Trailers go to the new list, which is thrown away.
        self._is_reusable = self._is_reusable and self._parser.should_keep_alive()
        if self._seen > self._limits.head or len(self._head) > MOST_HEADERS:
            self._check_head()
        if self._is_head_request:
            self._is_complete = True
            raise _Stop("ends with its head, while the parser would wait for the body that the head speaks of")

    def on_body(self, data: bytes) -> None:
        left = self._limits.body - self._size
        self._size += len(data)
        if left >= len(data):
            self._pieces.append(data)
        else:
            self._is_truncated = True
            if left > 0:
                self._pieces.append(data[:left])

    def on_message_complete(self) -> None:
        if self._status:
            self._is_complete = True

    # --- the course of an exchange

    def _skip_interim(self, status: int) -> None:
        self._interim += 1
        if status == 101 or status < 100:
            raise _Stop(f"answered with status {status}, which was not asked for")
        if self._interim > _MOST_INTERIM:
            raise _Stop("sends interim answers without end")

    def _check_head(self) -> None:
        size = sum(len(name) + len(value) + 4 for name, value in self._head)
        if size > self._limits.head or len(self._head) > MOST_HEADERS:
            raise _Stop("answered with a head that is too large")

    def _check_size(self) -> None:
        """End an answer that has grown too large: without a head it is none, with one the head is what counts."""
        if not self._status:
            self._fail(Garbled(f"'{self._origin}' answered with a head that is too large."))
        elif self._is_truncated or self._seen > self._limits.head + 8 * self._limits.body:
            self._is_truncated, self._is_reusable = True, False
            self._finish()

    def _stop_parsing(self, error: Exception) -> None:
        if self._is_complete:
            self._is_reusable = False
            self._finish()
        elif isinstance(error.__context__, _Stop):
            self._fail(Garbled(f"'{self._origin}' {error.__context__}."))
        else:
            self._fail(Garbled(f"What '{self._origin}' answered is not HTTP."))

    def _finish(self) -> None:
        answer, self._answer = self._answer, None
        pieces, transport = self._pieces, self._transport
        response = Response(
            self._status,
            tuple(self._head),
            pieces[0] if len(pieces) == 1 else b"".join(pieces),
            self._is_truncated,
        )
        if self._is_reusable and transport is not None and not transport.get_write_buffer_size():
            self._idle_since = self._loop.time()
            self._freed(self)
        else:
            self._cut()
        if answer is not None and not answer.done():
            answer.set_result(response)

    def _end_early(self, exc: Exception | None) -> None:
        if self._status and exc is None and self._is_delimited_by_closing():
            self._is_reusable = False
            self._finish()
            return
        how = "reset the connection" if exc is not None else "closed the connection"
        when = f"in the middle of its answer {self._status}" if self._status else "without an answer"
        self._fail(Unanswered(f"'{self._origin}' {how} {when}."))

    def _is_delimited_by_closing(self) -> bool:
        return not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in self._head)

    def _fail(self, error: Exception) -> None:
        answer, self._answer = self._answer, None
        self._leave_unsent()
        self._cut()
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _leave_unsent(self) -> None:
        """
        Have the connection break off, so that what has not left yet never does.

        The system would go on sending it, and a state that is given up would arrive after a newer one.
        """
        if self._transport is not None and not self._transport.is_closing():
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOT_AT_ALL)

    def _cut(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._end()

    def _end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._lost(self)

    # --- time

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._loop.call_at(when, self._look_at_the_time)

    def _look_at_the_time(self) -> None:
        self._timer = None
        now = self._loop.time()
        if self._answer is None:
            if now >= self._idle_since + self._limits.idle:
                self._cut()
            else:
                self._set_timer(self._idle_since + self._limits.idle)
        elif now >= self._ends:
            reached = f"its answer {self._status} was not complete" if self._status else "it had not answered"
            self._fail(Unanswered(f"'{self._origin}' took too long: {reached} at the deadline."))
        else:
            self._set_timer(min(self._ends, now + self._limits.idle))


class _Stop(Exception):
    """Raised in a callback: the parser is to read no further, for this reason."""
