"""
The way to the partner, and the partner: what may become of a request between two machines.

It keeps to what TCP and our transport promise, and to no more. A request that was written arrives at most once. One
that is given up before it has arrived never does, for the connection is broken off (``connect/wire.py``). But a partner
may have read it already and apply it late, after one that was sent later on another connection: that nobody can prevent
who speaks HTTP, and the oracle counts it by itself.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson

from headrace.connect.transport import Garbled, NotReached, NotSent, Unanswered
from headrace.model.http import Request, Response
from headrace.testkit.simulation.loop import Life, Loop

#: Seconds after its deadline within which a partner may still apply what it has read.
_LATEST = 300.0


@dataclass(slots=True)
class Attempt:
    """
    One request, and what became of it.

    ``applied_at`` is when the partner took it in, ``status`` its answer, ``taken`` the people of it that it took.
    ``heard`` is what the sender knows in the end: the answer's status, or ``unknown``; nothing where it died.
    ``settled_at``: the sender has written down that it was delivered; ``is_unrecorded``: it was sent again before that.
    """

    number: int
    life: Life
    sent_at: float
    body: bytes
    said: dict[str, Any]
    applied_at: float | None = None
    status: int | None = None
    taken: frozenset[str] = frozenset()
    heard: int | str | None = None
    settled_at: float | None = None
    is_unrecorded: bool = False

    @property
    def id(self) -> str:
        return str(self.said["message"])

    @property
    def is_taken(self) -> bool:
        """Whether the partner took it in, at least in part."""
        return bool(self.taken)


#: What may become of a request, with how much of it there is in fair weather.
FAIR = {"answered": 1.0}


@dataclass(slots=True)
class Weather:
    """How likely what is, and how long a request takes."""

    chances: dict[str, float] = field(default_factory=lambda: dict(FAIR))
    latency: float = 0.05


class Network:
    """All requests of a history. ``poison`` are people whom the partner never takes."""

    def __init__(self, loop: Loop, luck: Random, *, tells_each: bool) -> None:
        self.loop = loop
        self.luck = luck
        self.weather = Weather()
        self.poison: set[str] = set()
        self.attempts: list[Attempt] = []
        self.counts: Counter[str] = Counter()
        self.on_sent: Callable[[Attempt], None] = lambda _: None
        self.on_applied: Callable[[Attempt], None] = lambda _: None
        self._tells_each = tells_each

    def line(self, life: Life) -> "Line":
        """Return the transport of a process."""
        return Line(self, life)

    def draw(self) -> str:
        """Say what becomes of a request."""
        chances = self.weather.chances
        (drawn,) = self.luck.choices([*chances], [*chances.values()])
        self.counts[drawn] += 1
        return drawn

    def later(self, seconds: float, what: Callable[..., None], *arguments: Any) -> None:
        """Have the world do something later, whatever becomes of who sent it."""
        self.loop.call_later(seconds, what, *arguments, context=Context())

    def apply(self, attempt: Attempt, drawn: str) -> Response:
        """Have the partner take a request in, and return its answer."""
        answer = self._answer(attempt, drawn)
        attempt.applied_at, attempt.status = self.loop.time(), answer.status
        self.counts[f"answered {answer.status}"] += 1
        self.on_applied(attempt)
        return answer

    def _answer(self, attempt: Attempt, drawn: str) -> Response:
        if drawn in ("429", "420", "500", "503", "400", "403"):
            wait = str(int(self.luck.random() * 20)) if self.luck.random() < 0.7 else "soon"
            asked = (("Retry-After", wait),) if drawn in ("429", "503") else ()
            return Response(int(drawn), asked)
        people = [person["identityMap"]["id"][0]["id"] for person in attempt.said["people"]]
        if self._tells_each:
            return self._answer_each(attempt, people, drawn)
        if not self.poison.isdisjoint(people):
            return Response(400)
        attempt.taken = frozenset(people)
        return Response(200)

    def _answer_each(self, attempt: Attempt, people: list[str], drawn: str) -> Response:
        """Answer for each person in turn; in bad weather some are put off."""
        told = {}
        for person in people:
            is_put_off = drawn == "partial" and self.luck.random() < 0.5
            told[person] = "no" if person in self.poison else "later" if is_put_off else "yes"
        attempt.taken = frozenset(person for person, word in told.items() if word == "yes")
        results = [{"id": person, "taken": word} for person, word in told.items()]
        return Response(200, (("Content-Type", "application/json"),), orjson.dumps({"results": results}))


class Line:
    """The transport of one process."""

    def __init__(self, network: Network, life: Life) -> None:
        self._network = network
        self._life = life

    async def send(self, request: Request, *, deadline: float, pool: str) -> Response:
        del pool
        network = self._network
        drawn = network.draw()
        luck, latency = network.luck, network.weather.latency
        if drawn == "refused":
            await asyncio.sleep(luck.random() * latency)
            raise NotReached("nothing takes connections there")
        if drawn == "busy":
            await asyncio.sleep(deadline)
            raise NotSent("all connections were busy until the deadline")
        said = orjson.loads(request.body)
        attempt = Attempt(len(network.attempts), self._life, network.loop.time(), request.body, said)
        network.attempts.append(attempt)
        network.on_sent(attempt)
        try:
            answer = await _Exchange(network, attempt, drawn).carry(deadline)
        except BaseException:  # It may be given up as well, by whoever sends.
            attempt.heard = "unknown"
            raise
        attempt.heard = answer.status
        return answer


class _Exchange:
    """A request that is carried there, and its answer that is carried back, as far as they come."""

    def __init__(self, network: Network, attempt: Attempt, drawn: str) -> None:
        self._network = network
        self._attempt = attempt
        self._drawn = drawn
        self._answer: asyncio.Future[Response] = network.loop.create_future()
        self._is_given_up = False

    async def carry(self, deadline: float) -> Response:
        self._set_out(deadline)
        try:
            async with asyncio.timeout(deadline):
                return await self._answer
        except TimeoutError:
            raise Unanswered("it took too long") from None
        finally:
            self._is_given_up = True

    def _set_out(self, deadline: float) -> None:
        if self._drawn == "late":
            self._network.later(deadline + self._network.luck.random() * _LATEST, self._arrive)
        elif self._drawn == "lost before":
            self._network.later(self._a_moment(), self._fail, Unanswered("the connection was reset"))
        elif self._drawn != "hanging":
            self._network.later(self._a_moment(), self._arrive)

    def _arrive(self) -> None:
        if self._is_given_up and self._drawn != "late":
            return  # The connection was broken off before it arrived.
        response = self._network.apply(self._attempt, self._drawn)
        if self._drawn == "lost after":
            self._network.later(self._a_moment(), self._fail, Unanswered("the connection was reset"))
        elif self._drawn == "garbled":
            self._network.later(self._a_moment(), self._fail, Garbled("what was answered is not HTTP"))
        elif self._drawn not in ("late", "silent"):
            self._network.later(self._a_moment(), self._come, response)

    def _come(self, response: Response) -> None:
        if not self._answer.done():
            self._answer.set_result(response)

    def _fail(self, error: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)

    def _a_moment(self) -> float:
        return self._network.luck.random() * self._network.weather.latency
