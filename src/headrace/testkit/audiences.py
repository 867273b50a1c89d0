"""
A partner's API of audiences, to stand behind a :class:`headrace.testkit.partner.Partner`.

    book = AudienceBook()
    async with Partner(default=book) as partner:
        book.lose("POST")                   # the next audience is made, and the answer is lost
        ...
    assert book.names() == ["Shoppers"]

``POST /audiences`` makes one, ``GET /audiences?ref=`` looks one up, ``GET /audiences`` lists them, ``PATCH`` and
``DELETE /audiences/{id}`` rename and delete one. Whatever else arrives goes to ``messages``.
"""

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

import orjson

from headrace.testkit.partner import Answer, Received


@dataclass(slots=True)
class KeptAudience:
    """One audience at the partner. ``ref`` is what whoever made it calls it."""

    id: str
    name: str
    ref: str


@dataclass
class AudienceBook:
    """
    The audiences that a partner has, and the requests about them that arrived, as (method, path).

    ``fail`` and ``lose`` script what becomes of the next request of a method; the others are carried out.
    """

    messages: Callable[[Received], "int | Answer"] = lambda _: 200
    kept: dict[str, KeptAudience] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    _faults: deque[tuple[str, Answer | None]] = field(default_factory=deque)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def fail(self, method: str, *answers: "int | Answer") -> None:
        """Refuse the next requests of a method, each with one of these; nothing is done."""
        for answer in answers:
            refusal = {"error": {"message": "not now"}}
            self._faults.append((method, answer if isinstance(answer, Answer) else _json(answer, refusal)))

    def lose(self, method: str) -> None:
        """Carry out the next request of a method, and break the connection off instead of answering."""
        self._faults.append((method, None))

    def names(self) -> list[str]:
        """Return the names of the audiences, in order."""
        return sorted(item.name for item in self.kept.values())

    def make(self, name: str, ref: str) -> KeptAudience:
        """Make an audience, as somebody at the partner does by hand."""
        made = KeptAudience(f"partner-{next(self._numbers)}", name, ref)
        self.kept[made.id] = made
        return made

    def __call__(self, received: Received) -> "int | Answer":
        """Answer a request."""
        if not received.path.startswith("/audiences"):
            return self.messages(received)
        self.asked.append((received.method, received.path))
        fault = next((fault for fault in self._faults if fault[0] == received.method), None)
        if fault is not None:
            self._faults.remove(fault)
            if fault[1] is not None:
                return fault[1]
        answer = self._carry_out(received)
        return answer if fault is None else Answer(reset=True)

    def _carry_out(self, received: Received) -> Answer:
        id_ = unquote(received.path.removeprefix("/audiences").removeprefix("/"))
        if received.method == "GET":
            return self._list(parse_qs(received.query).get("ref"))
        if received.method == "POST":
            wanted = received.json()
            return _json(201, {"audience": {"id": self.make(wanted["name"], wanted.get("ref", "")).id}})
        if id_ not in self.kept:
            return _json(404, {"error": {"message": f"there is no audience {id_}"}})
        if received.method == "PATCH":
            self.kept[id_].name = received.json()["name"]
            return _json(200, {"audience": {"id": id_}})
        del self.kept[id_]
        return Answer(204)

    def _list(self, refs: list[str] | None) -> Answer:
        found = [item for item in self.kept.values() if refs is None or item.ref in refs]
        return _json(200, {"audiences": [{"id": item.id, "name": item.name} for item in found]})


def _json(status: int, body: object) -> Answer:
    return Answer(status, (("Content-Type", "application/json"),), orjson.dumps(body))
