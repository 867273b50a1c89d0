"""
A journey that may be interrupted: people with a history, two partners that are never killed, and what holds at last.

Every state of a person has a number, which both examples' messages show: as points of loyalty, or as the time of a
membership. So the partners' record alone says what was told twice, what came out of order, and what was never true.
"""

import contextlib
import http.client
import itertools
import shutil
import sqlite3
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from headrace.cli.client import Client
from headrace.cli.demo import TOKEN, Connected, connect
from headrace.testkit.oracle import Truth, compare
from headrace.testkit.partner import Partner, Received
from headrace.testkit.profiles import AUDIENCES, generate
from postgres import Database
from support import PATIENCE, Server, eventually

PEOPLE = 300
BATCH = 20
NAMES = ("moviestar", "lighthouse")
_AUDIENCES = {audience.name: audience for audience in AUDIENCES}
_BY_LIST = {audience.name.lower().replace(" ", "-"): audience for audience in AUDIENCES}
_BEGIN = datetime(2026, 7, 1, tzinfo=UTC)
#: Waits that are short, and enough of them: a death costs an attempt.
SETTINGS = {"retry_steps": "0.1,0.2,0.3,0.5,0.5,1,1,1,2,2,2", "request_deadline": "10", "probe_after": "0.1"}

State = dict[str, Any]


def history(people: int = PEOPLE, start: int = 0) -> list[State]:
    """Return everybody's states in the order in which they are sent: in; every third out of one; half of those back."""
    first = [_state(person, 1) for person in generate(people, seed=7, start=start)]
    second = [_moved(state, 2) for state in first[::3]]
    third = [_moved(state, 3) for state in second[::2]]
    return first + second + third


def _state(person: State, number: int) -> State:
    loyalty = {**person.get("loyalty", {"tier": "bronze"}), "points": number}
    return {**person, "loyalty": loyalty}


def _moved(state: State, number: int) -> State:
    """Return the next state of a person: the first audience is left, or entered again."""
    since = (_BEGIN + timedelta(minutes=number)).isoformat().replace("+00:00", "Z")
    moved: dict[str, Any] = orjson.loads(orjson.dumps(_state(state, number)))
    for audiences in moved["segmentMembership"].values():
        for membership in audiences.values():
            status = "exited" if membership["status"] == "realized" else "realized"
            membership.update(status=status, lastQualificationTime=since)
            return moved
    return moved


@dataclass
class UnderWay:
    """What had been claimed and not settled when a process died: messages and entries, by dataflow."""

    messages: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)


@dataclass
class Journey:
    """Both examples on one server that may die at any time; whoever sends tries again until it is answered."""

    server: Server
    partners: dict[str, Partner]
    client: Client
    connected: list[Connected] = field(default_factory=list)
    truth: Truth = field(default_factory=Truth)
    sent: list[State] = field(default_factory=list)
    deaths: list[int] = field(default_factory=list)
    under_way: UnderWay = field(default_factory=UnderWay)
    kill_at: set[int] = field(default_factory=set)
    read_what_died: Callable[[str], list[tuple[Any, ...]]] = field(kw_only=True)

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        return self.server.process

    def note(self, _received: Received) -> None:
        """Kill the process at the moment when one of these requests has come, counted over both partners."""
        if sum(partner.count for partner in self.partners.values()) in self.kill_at:
            self.process.kill()

    def send(self, states: list[State]) -> None:
        """Send a batch until it is answered with success, and take what it says for true."""
        lines = [orjson.dumps(state) for state in states]
        receipt = self._persist(
            lambda client: client.send("POST", "/ingest/profiles", b"\n".join(lines), "application/x-ndjson")
        )
        assert receipt == {"accepted": len(lines), "rejected": []}
        self.truth.take(lines)
        self.sent += states

    def send_all(self, states: list[State], after_each: Callable[[], None] = lambda: None) -> None:
        for start in range(0, len(states), BATCH):
            self.send(states[start : start + BATCH])
            after_each()

    def ledger(self, item: Connected) -> dict[str, int]:
        ledger: dict[str, int] = self._persist(lambda client: client.get(f"/dataflows/{item.dataflow}/ledger"))
        return ledger

    def wait_until_settled(self) -> None:
        eventually("nothing is pending", lambda: all(self.ledger(item)["pending"] == 0 for item in self.connected))

    def restart(self) -> None:
        """Note how the process ended and what it left, and start the next one without the crash point."""
        self.client.close()
        self.deaths.append(self.process.wait(PATIENCE))
        for dataflow, messages, entries in self.read_what_died(_UNDER_WAY):
            self.under_way.messages[dataflow] += messages
            self.under_way.entries[dataflow] += entries
        self.client = self.server.start()

    def statuses(self) -> "Counter[int | None]":
        """Count what both partners have answered."""
        return sum((partner.statuses for partner in self.partners.values()), Counter())

    def duplicates(self) -> int:
        """Count the messages that were taken more than once."""
        return sum(_repeated(item) for item in self.connected)

    def _persist(self, call: Callable[[Client], Any]) -> Any:
        while True:
            try:
                return call(self.client)
            except (OSError, http.client.HTTPException):
                self.restart()


@contextlib.contextmanager
def journey(home: Path, database: Database | None = None, **settings: str) -> Iterator[Journey]:
    """
    Start both partners and a server, and connect the examples; ``settings`` are for the first process alone.

    ``database`` is the PostgreSQL that holds the store; without one it is in the data directory.
    """
    noted: list[Journey] = []
    options: dict[str, Any] = {"delay": 0.002, "on_received": lambda received: noted[0].note(received)}
    with (
        Partner.in_thread(token=TOKEN, default=now_and_then_503(31), **options) as first,
        Partner.in_thread(token=TOKEN, default=now_and_then_503(7), **options) as second,
    ):
        partners = dict(zip(NAMES, (first, second), strict=True))
        allow = ",".join(partner.origin for partner in partners.values())
        where = {} if database is None else {"database_url": database.address}
        with Server(home, **{"egress_allow": allow, **SETTINGS, **where}) as server:
            read = database.read if database is not None else lambda query: _read_copy(server.data, query)
            travelling = Journey(server, partners, server.start(**settings), read_what_died=read)
            noted.append(travelling)
            try:
                travelling.connected = [connect(travelling.client, name, partners[name]) for name in NAMES]
                yield travelling
            finally:
                travelling.client.close()


def check_everything(travelled: Journey) -> None:
    """Everything that must hold once nothing is pending, by the partners' record and the ledger."""
    for item in travelled.connected:
        received = list(item.partner.received)
        assert compare(item.name, travelled.truth, received, parked=set()) == []
        check_ledger(travelled, item)
        told = [(request, state) for request in received for state in READERS[item.name](request)]
        check_nothing_was_made_up(told, travelled.sent, item.name)
        check_nothing_went_backwards(told)
        _check_duplicates(travelled, item, told)
        check_ids(received)
    log = travelled.server.log.read_text()
    assert "Traceback" not in log
    assert "worker_failed" not in log


@dataclass(frozen=True)
class Told:
    """One entry of a message: what a partner was told of whom, in which of their states."""

    lane: tuple[str, ...]
    order: str
    joined: tuple[str, ...]
    left: tuple[str, ...]


def _read_moviestar(request: Received) -> Iterator[Told]:
    body = request.json()
    joined, left = tuple(sorted(body["joined"])), tuple(sorted(body["left"]))
    yield Told((body["ids"]["customer"],), str(body["about"]["points"]), joined, left)


def _read_lighthouse(request: Received) -> Iterator[Told]:
    body = request.json()
    name = _BY_LIST[body["list"]].name
    for member in body["members"]:
        joined = (name,) if member["member"] else ()
        yield Told((member["customer"], name), _moment(member["since"]), joined, () if member["member"] else (name,))


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


READERS: dict[str, Callable[[Received], Iterator[Told]]] = {
    "moviestar": _read_moviestar,
    "lighthouse": _read_lighthouse,
}


def check_ledger(travelled: Journey, item: Connected) -> None:
    ledger = travelled.ledger(item)
    parts = ("delivered", "superseded", "withheld", "parked", "pending")
    assert ledger["accepted"] == sum(ledger[part] for part in parts)
    assert (ledger["parked"], ledger["withheld"], ledger["pending"]) == (0, 0, 0)
    assert ledger["accepted"] == expected_changes(travelled.sent, counts_attributes=item.name == "moviestar")


def expected_changes(sent: list[State], *, counts_attributes: bool) -> int:
    """Count the changes that a history makes: who enters and leaves what, and attributes of those who are somewhere."""
    inside: dict[str, set[str]] = {}
    changes = 0
    for state in sent:
        customer = state["identityMap"]["crmId"][0]["id"]
        now = {
            audience
            for audiences in state["segmentMembership"].values()
            for audience, membership in audiences.items()
            if membership["status"] == "realized"
        }
        changes += len(now ^ inside.get(customer, set()))
        changes += counts_attributes and customer in inside and bool(now)
        inside[customer] = now
    return changes


def check_nothing_was_made_up(told: list[tuple[Received, Told]], sent: list[State], name: str) -> None:
    """Every entry agrees with a state of that person that was sent."""
    states: dict[str, list[State]] = {}
    for state in sent:
        states.setdefault(state["identityMap"]["crmId"][0]["id"], []).append(state)
    for _, entry in told:
        assert any(_agrees(entry, state, name) for state in states[entry.lane[0]]), entry


def _agrees(entry: Told, state: State, name: str) -> bool:
    statuses = {
        (audience.name, membership["status"])
        for audience in AUDIENCES
        if (membership := state["segmentMembership"].get(audience.namespace, {}).get(audience.id))
    }
    claimed = {(audience, "realized") for audience in entry.joined} | {(audience, "exited") for audience in entry.left}
    if name == "moviestar":
        return claimed <= statuses and entry.order == str(state["loyalty"]["points"])
    audience = _AUDIENCES[entry.lane[1]]
    since = state["segmentMembership"].get(audience.namespace, {}).get(audience.id, {}).get("lastQualificationTime")
    return claimed <= statuses and since is not None and entry.order == _moment(since)


def check_nothing_went_backwards(told: list[tuple[Received, Told]]) -> None:
    """No lane is told an older state after a newer one, whatever the answers were."""
    newest: dict[tuple[str, ...], str] = {}
    for _, entry in told:
        assert entry.order >= newest.get(entry.lane, ""), entry
        newest[entry.lane] = entry.order


def _check_duplicates(travelled: Journey, item: Connected, told: list[tuple[Received, Told]]) -> None:
    """What was taken twice had been under way when a process died: messages, and their entries."""
    taken = Counter(entry for request, entry in told if request.answered == 200)
    repeated = sum(count - 1 for count in taken.values())
    assert repeated <= travelled.under_way.entries[item.dataflow], [entry for entry in taken if taken[entry] > 1]
    assert _repeated(item) <= travelled.under_way.messages[item.dataflow]


def _repeated(item: Connected) -> int:
    taken = Counter((request.path, request.body) for request in item.partner.received if request.answered == 200)
    return sum(count - 1 for count in taken.values())


def check_ids(received: list[Received]) -> None:
    """The same id is the same content, and other content has another id."""
    bodies: dict[str, set[bytes]] = {}
    for request in received:
        if "idempotency-key" in request.headers:
            bodies.setdefault(request.headers["idempotency-key"], set()).add(request.body)
    assert all(len(contents) == 1 for contents in bodies.values())


#: What was claimed, and not settled, when the process died.
_UNDER_WAY = """
    SELECT d.id, count(DISTINCT g.claim_group), count(*) FROM groups g
    JOIN dataflows d ON d.tenant = g.tenant AND d.dataflow = g.dataflow
    JOIN lanes l ON l.tenant = g.tenant AND l.claim_group = g.claim_group
    WHERE g.lease_until IS NOT NULL GROUP BY d.id
"""


def _read_copy(data: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask a copy of a store in a data directory, which is left as the dead process left it."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("headrace.db", "headrace.db-wal"):
            if (data / name).exists():
                shutil.copy(data / name, folder)
        with contextlib.closing(sqlite3.connect(Path(folder) / "headrace.db")) as store:
            return store.execute(query).fetchall()


def now_and_then_503(every: int) -> Callable[[Received], int]:
    count = itertools.count(1)
    return lambda _received: 503 if next(count) % every == 0 else 200
