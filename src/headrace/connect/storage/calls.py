"""
Requests to one storage: to its own origins and nowhere else, signed anew for each try.

They leave by our own transport, which knows no proxy, no credentials and no settings but the operator's.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from headrace.connect.http import HttpTransport
from headrace.connect.storage.storage import PASSES, Cause, NotStored, Way
from headrace.connect.transport import Distrusted, Garbled, NotSent, Transport, Unanswered
from headrace.connect.url import parse_url
from headrace.errors import EgressError
from headrace.model.http import Request, Response

#: Seconds for one request; a part of a file has more.
WITHIN = 60.0
#: How many connections one storage has.
CONNECTIONS = 4

Sign = Callable[[Request], Awaitable[Request]]
Judge = Callable[[Response], NotStored | None]


class Lost(NotStored):
    """It was asked for, and nobody knows whether it was done."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often something is tried that may pass, and the seconds between."""

    tries: int = 5
    first: float = 0.2
    most: float = 5.0

    def waits(self) -> Iterator[float]:
        """Yield how long to wait before each try: twice as long each time, by luck a little less."""
        yield 0.0
        for attempt in range(self.tries - 1):
            yield min(self.most, self.first * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - luck, not secrecy


def waits() -> Iterator[float]:
    """Yield how long to wait before each try."""
    return Patience().waits()


class Calls:
    """Sends requests; ``sign`` makes each one ours, ``judge`` says what is wrong with an answer, if anything."""

    def __init__(
        self,
        transport: Transport,
        origins: frozenset[str],
        sign: Sign,
        judge: Judge,
        patience: Patience | None = None,
    ) -> None:
        self._transport = transport
        self._origins = origins
        self._sign = sign
        self._judge = judge
        self._patience = patience or Patience()

    async def ask(self, request: Request, *, within: float = WITHIN, again: bool = True) -> Response:
        """
        Return the answer with which nothing is wrong; asked once more where that may pass, unless not ``again``.

        Raises:
            Lost: there is none, or a later try was refused and an earlier one may have been done.
            NotStored: it was refused, or certainly not done.
        """
        is_lost = False
        failure = NotStored("unreached", "It was not tried.")
        for wait in self._patience.waits():
            await asyncio.sleep(wait)
            try:
                return await self._ask_once(request, within)
            except NotStored as error:
                failure, is_lost = error, is_lost or isinstance(error, Lost)
                if not (again and error.cause in PASSES):
                    break
        raise (Lost if is_lost else NotStored)(failure.cause, failure.message) from None

    async def _ask_once(self, request: Request, within: float) -> Response:
        origin = parse_url(request.url).origin
        if origin not in self._origins:
            raise NotStored("refused", f"'{origin}' is not where this storage is.")
        answer = await self._send(await self._sign(request), origin, within)
        wrong = self._judge(answer)
        if wrong is not None:
            raise (Lost if answer.status >= 500 else NotStored)(wrong.cause, wrong.message)
        return answer

    async def _send(self, request: Request, origin: str, within: float) -> Response:
        try:
            return await self._transport.send(request, deadline=within, pool="storage")
        except (Unanswered, Garbled) as error:
            raise Lost("unreached", error.message) from None
        except Distrusted as error:
            raise NotStored("distrusted", error.message) from None
        except (NotSent, EgressError):  # Why may tell what the network is like from inside.
            raise NotStored("unreached", f"'{origin}' was not reached; see that it is there.") from None


@asynccontextmanager
async def opened(way: Way) -> AsyncIterator[Transport]:
    """Lend a transport that is held to the operator's egress and trust, and has no connection to share with anyone."""
    async with HttpTransport(way.egress, tls=way.tls, connections=CONNECTIONS) as transport:
        yield transport


@dataclass(frozen=True, slots=True)
class Told:
    """
    Says for people what a storage refused; ``place`` is such as ``the bucket 'people'``, and ``of_credentials`` what is
    known of them that may be why they are refused.
    """

    origin: str
    place: str
    of_credentials: str = ""

    def refused(self, cause: Cause, said: str) -> NotStored:
        """Make the error: ``said`` is the storage's own code, or the status."""
        sentence = _SENTENCES[cause].format(origin=self.origin, place=self.place, said=said)
        return NotStored(cause, f"{sentence} {self.of_credentials}".strip() if cause == "denied" else sentence)


_SENTENCES: dict[Cause, str] = {
    "no-place": "'{origin}' has not got {place} ({said}); name one that exists, or have it made.",
    "denied": (
        "'{origin}' does not take these credentials for {place} ({said}); see that they are right and still good, and "
        "which rights are needed."
    ),
    "exists": "There is a file of this name in {place} already ({said}).",
    "gone": "'{origin}' no longer has what was begun in {place} ({said}).",
    "full": "'{origin}' has no room left for {place} ({said}).",
    "busy": "'{origin}' is too busy, or out of order ({said}).",
    "refused": "'{origin}' refused this in {place} ({said}).",
}


def cause_of_status(status: int) -> Cause:
    """Say what a status means where the storage says no more."""
    if status in (401, 403):
        return "denied"
    if status == 507:
        return "full"
    if status in (408, 429) or status >= 500:
        return "busy"
    return {404: "gone", 409: "exists", 412: "exists"}.get(status, "refused")  # type: ignore[return-value]
