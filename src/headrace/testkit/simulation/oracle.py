"""
The oracle of a history: it knows every record and every request, and says which promise was broken.

| promise | what is looked at |
|---|---|
| I1 nothing is lost | the ledger's equation after every commit; in the end nothing waits, and the partner knows all |
| I2 no phantom | whatever is sent says what a record has made true, word for word; one id always has the same bytes |
| I3 order | of a lane never an older state after a newer one was sent |
| I4 duplicates | what was recorded as delivered never goes again; else as often as outcomes were unknown |
| I5 consent, erasure | nobody is told to be a member a moment after it is known that they withdrew, or were erased |
| I5 receipts | whoever was erased is in nothing at the partner but what the receipt says that they are left in |

What a partner applies in another order than it was sent nobody can prevent; it is counted, and the sender must have
given up the older one.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from headrace.model.profile import instant
from headrace.store.erasures import Receipt
from headrace.testkit.simulation.loop import Life, Loop
from headrace.testkit.simulation.network import Attempt
from headrace.testkit.simulation.people import People, Person, State

#: Seconds within which a withdrawal that was acknowledged may not have reached a message that leaves.
GRACE = 2.0
#: So for a policy: what was claimed before it is not held against it any more.
GRACE_OF_POLICIES = 120.0
Lane = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """What a message says of one person: which record it was made of, and each membership."""

    who: str
    number: int | None
    memberships: dict[str, tuple[str, str | None]]
    lane: Lane

    @property
    def is_member(self) -> bool:
        return any(status == "realized" for status, _ in self.memberships.values())


def said_by(attempt: Attempt) -> list[Said]:
    """Return what a message says of each person."""
    key = attempt.said["key"].get("segmentId", "")
    return [_said(person, key) for person in attempt.said["people"]]


def _said(person: dict[str, Any], key: str) -> Said:
    who = person["identityMap"]["id"][0]["id"]
    city = person["attributes"].get("city", {}).get("value")
    number = None if city is None else int(city)
    held = person["segmentMembership"].get("ups", {})
    told = {id_: (item["status"], item.get("lastQualificationTime")) for id_, item in held.items()}
    return Said(who, number, told, (who, key))


@dataclass(slots=True)
class Oracle:
    """
    What is known of a history so far, and what was broken.

    ``is_remapped``, ``is_bound`` and ``is_refused`` say what has happened at all: audiences were mapped anew, policies
    or erasures have taken people out, the partner has refused what it should not have.
    """

    loop: Loop
    people: People
    broken: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    editions: list[float] = field(default_factory=lambda: [0.0])
    is_remapped: bool = False
    is_bound: bool = False
    is_refused: bool = False
    policy_since: float | None = None
    asleep: dict[Life, list[tuple[float, float]]] = field(default_factory=dict)
    _newest: dict[Lane, tuple[int, int]] = field(default_factory=dict)
    _applied: dict[Lane, tuple[int, Attempt]] = field(default_factory=dict)
    _by_id: dict[str, list[Attempt]] = field(default_factory=dict)
    _by_content: dict[bytes, str] = field(default_factory=dict)
    _trace: Any = field(default_factory=hashlib.sha256)
    diary: list[str] | None = None

    # -- what is noted ------------------------------------------------------------------------------------------------

    def note(self, *what: object) -> None:
        """Write something into the trace, and into the diary if one is kept."""
        line = f"{self.loop.time():.6f} {' '.join(map(str, what))}"
        self._trace.update(line.encode())
        if self.diary is not None:
            self.diary.append(line)

    @property
    def trace(self) -> str:
        """The fingerprint of all that has happened."""
        return str(self._trace.hexdigest()[:16])

    def accuse(self, promise: str, what: str) -> None:
        """Note that a promise was broken."""
        line = f"{promise} at {self.loop.time():.3f}: {what}"
        self.broken.append(line)
        self.note("BROKEN", line)

    # -- requests -----------------------------------------------------------------------------------------------------

    def sent(self, attempt: Attempt) -> None:
        """Judge a request that leaves."""
        said = said_by(attempt)
        self.note("sent", attempt.number, attempt.life.name, attempt.id, *map(_short, said))
        for item in said:
            self._judge_content(item)
            self._judge_order(item, attempt)
            self._judge_consent(item, attempt)
        self._judge_repeat(attempt)
        edition = attempt.said["edition"]
        if not 1 <= edition <= len(self.editions):
            self.accuse("I2", f"edition {edition} of the template never was")

    def applied(self, attempt: Attempt) -> None:
        """Note what a partner takes in, and where it is overtaken."""
        self.note("applied", attempt.number, attempt.status)
        if not attempt.is_taken:
            return
        for item in said_by(attempt):
            known = self._applied.get(item.lane)
            if known is not None and known[0] > attempt.number:
                self.counts["overtaken at the partner"] += 1
                if attempt.heard not in ("unknown", None) or (attempt.heard is None and not attempt.life.is_over):
                    self.accuse("I3", f"message {attempt.number} was overtaken although nobody had given it up")
            else:
                self._applied[item.lane] = (attempt.number, attempt)

    def delivered(self, id_: str) -> None:
        """Note that a message was recorded as delivered."""
        self.note("settled", id_)
        attempts = self._by_id.get(id_, [])
        taken = [attempt for attempt in attempts if attempt.is_taken]
        if not taken:
            self.accuse("I1", f"message {id_} was recorded as delivered, and the partner never took it")
        for attempt in attempts:
            attempt.settled_at = self.loop.time()

    def _judge_content(self, item: Said) -> None:
        """What is said of a person must be what one of their records has made true."""
        person = self.people.by_name.get(item.who)
        if person is None:
            return self.accuse("I2", f"there is no person {item.who}")
        if item.number is None:
            if item.is_member or not self.is_bound:
                self.accuse("I2", f"{item.who} is told of without what they are mapped by")
            return None
        state = person.state(item.number)
        if state is None:
            return self.accuse("I2", f"{item.who} never had the state {item.number}")
        for audience, told in item.memberships.items():
            self._judge_membership(item, audience, told, state)
        return None

    def _judge_membership(self, item: Said, audience: str, told: tuple[str, str | None], state: State) -> None:
        status, time = told
        true = state.memberships.get(audience)
        is_same = true is not None and true[0] == status and time is not None and instant(time) == instant(true[1])
        if is_same or (status == "exited" and (self.is_remapped or self.is_bound)):
            return
        self.accuse(
            "I2", f"{item.who} is told to be {status} in {audience} at {time}, and record {item.number}: {true}"
        )

    def _judge_order(self, item: Said, attempt: Attempt) -> None:
        number = item.number if item.number is not None else 1 << 60
        newest, by = self._newest.get(item.lane, (0, -1))
        if number < newest:
            self.accuse("I3", f"{item.lane}: message {attempt.number} has state {number}, {by} had {newest} before it")
        else:
            self._newest[item.lane] = (number, attempt.number)

    def _judge_repeat(self, attempt: Attempt) -> None:
        before = self._by_id.setdefault(attempt.id, [])
        if before:
            self.counts["messages sent again"] += 1
            if any(other.body != attempt.body for other in before):
                self.accuse("I2", f"message {attempt.id} was sent with other bytes than before")
            if any(other.settled_at is not None for other in before):
                self.accuse("I4", f"message {attempt.id} was sent again after it was recorded as delivered")
            for other in before:
                other.is_unrecorded |= other.settled_at is None
        before.append(attempt)
        content = attempt.body.replace(attempt.id.encode(), b"", 1)
        known = self._by_content.setdefault(content, attempt.id)
        if known != attempt.id and not self.is_remapped:
            self.accuse("I4", f"message {attempt.id} has the content of {known}, by which nobody can recognise it")

    # -- consent and erasure ------------------------------------------------------------------------------------------

    def _judge_consent(self, item: Said, attempt: Attempt) -> None:
        person = self.people.by_name.get(item.who)
        if person is None or not item.is_member:
            return
        if person.erased_at is not None and self._is_late(attempt, person.erased_at, GRACE):
            self.accuse("I5", f"{item.who} was erased, and message {attempt.number} tells of them")
        if self.policy_since is None:
            return
        state = person.state(item.number) if item.number is not None else None
        if state is not None and not state.consents and state.made_at > self.policy_since:
            self.accuse("I5", f"message {attempt.number} tells of {item.who} as the record {state.number} forbids")
        since = self._withdrawn_since(person)
        if since is None:
            return
        if self._is_late(attempt, since, GRACE) and self._is_late(attempt, self.policy_since, GRACE_OF_POLICIES):
            self.accuse("I5", f"{item.who} has withdrawn, and message {attempt.number} tells of them")

    def _withdrawn_since(self, person: Person) -> float | None:
        """Return since when it is acknowledged that a person may not be told of; ``None``: they may."""
        since = None
        for state in reversed(person.states):
            if state.consents:
                return since
            since = person.acknowledged.get(state.number, since)
        return since

    def _is_late(self, attempt: Attempt, since: float, grace: float) -> bool:
        """Say whether its sender was awake longer than a grace between a moment and now."""
        asleep = sum(
            max(0.0, min(until, self.loop.time()) - max(begun, since))
            for begun, until in self.asleep.get(attempt.life, ())
        )
        return self.loop.time() - since - asleep > grace

    # -- the end ------------------------------------------------------------------------------------------------------

    def told(self, attempts: list[Attempt]) -> dict[tuple[str, str], tuple[str, int | None]]:
        """Return the partner's last word on each person and audience, in the order in which they were sent."""
        told: dict[tuple[str, str], tuple[str, int | None]] = {}
        for attempt in attempts:
            if attempt.is_taken:
                for item in said_by(attempt):
                    if item.who in attempt.taken:
                        told |= {
                            (item.who, audience): (status, item.number)
                            for audience, (status, _) in item.memberships.items()
                        }
        return told

    def judge_end(
        self,
        attempts: list[Attempt],
        open_: set[str],
        parked: set[tuple[str, str]],
        pending: int,
        receipts: dict[str, Receipt],
    ) -> None:
        """Judge what is left when everything has come to rest; ``receipts`` are of those who were erased, by name."""
        self.note("end", pending, sorted(open_), sorted(parked))
        if pending:
            self.accuse("I1", f"{pending} changes still wait though nothing keeps them")
        if parked and not self.is_refused and not self.is_remapped:
            self.accuse("I1", f"parked without a reason: {sorted(parked)}")
        told = self.told(attempts)
        for person in self.people.by_name.values():
            if (receipt := receipts.get(person.name)) is not None:
                self._judge_receipt(person, receipt, told)
                continue
            for audience in sorted(open_):
                self._judge_last_word(person, audience, told.get((person.name, audience)), parked)
        self._judge_duplicates(attempts)

    def _judge_receipt(
        self, person: Person, receipt: Receipt, told: dict[tuple[str, str], tuple[str, int | None]]
    ) -> None:
        """Whoever was erased is in nothing at the partner but what the receipt says that they are left in."""
        self.note("receipt", person.name, receipt.state, receipt.left_in)
        if receipt.state not in ("told", "unknown", "cannot-be-told") and not self.is_refused:
            self.accuse("I5", f"the receipt of {person.name} is {receipt.state} though nothing keeps it")
        self.counts[f"erasures {receipt.state}"] += 1
        for (who, audience), (status, number) in told.items():
            if who == person.name and status == "realized" and not _is_admitted(receipt, audience):
                self.accuse("I5", f"the receipt of {who} is {receipt.state}, and {audience} has them as of {number}")

    def _judge_last_word(
        self, person: Person, audience: str, told: tuple[str, int | None] | None, parked: set[tuple[str, str]]
    ) -> None:
        if (person.name, audience) in parked or (person.name, "") in parked:
            return
        state = person.now
        is_member = state is not None and state.memberships.get(audience, ("", ""))[0] == "realized"
        if person.erased_at is not None or (state is not None and self.policy_since is not None and not state.consents):
            is_member = False
        is_told = told is not None and told[0] == "realized"
        if is_told != is_member:
            self.accuse("I1", f"{person.name} is {'' if is_member else 'not '}in {audience}, and the partner: {told}")
        elif is_told and told is not None and state is not None and told[1] != state.number and not self.is_remapped:
            self.accuse("I1", f"{person.name} has the state {state.number}, and the partner knows {told[1]}")

    def _judge_duplicates(self, attempts: list[Attempt]) -> None:
        """What was taken twice must be owed to outcomes that nobody knew; backfills tell again what is known."""
        taken = [attempt for attempt in attempts if attempt.is_taken]
        repeats = Counter(attempt.id for attempt in taken)
        duplicates = sum(count - 1 for count in repeats.values())
        self.counts["duplicates"] += duplicates
        unknown = [attempt for attempt in taken if not _is_known(attempt)]
        if duplicates > len(unknown):
            self.accuse("I4", f"{duplicates} messages were taken twice, and {len(unknown)} were unknown")
        if self.is_remapped or self.is_bound:
            return
        entries = Counter(_name(item) for attempt in taken for item in said_by(attempt) if item.who in attempt.taken)
        twice = sum(count - 1 for count in entries.values())
        owed = sum(len(attempt.said["people"]) for attempt in unknown)
        self.counts["duplicate entries"] += twice
        if twice > owed:
            self.accuse("I4", f"{twice} entries were taken twice; unknown outcomes account for {owed}")


def _is_admitted(receipt: Receipt, audience: str) -> bool:
    """Say whether a receipt admits that somebody may be left in an audience; what was given up may be of any."""
    left_in = {name.partition(":")[2] for name in receipt.left_in}
    return receipt.state == "failed" or (receipt.state == "cannot-be-told" and (not left_in or audience in left_in))


def _is_known(attempt: Attempt) -> bool:
    """Say whether the sender heard the answer and lived to write it down."""
    return isinstance(attempt.heard, int) and attempt.settled_at is not None and not attempt.is_unrecorded


def _name(item: Said) -> str:
    return orjson.dumps([*item.lane, item.number, sorted(item.memberships.items())]).decode()


def _short(item: Said) -> str:
    told = ",".join(
        f"{audience}{'+' if status == 'realized' else '-'}" for audience, (status, _) in item.memberships.items()
    )
    return f"{item.who}/{item.lane[1]}#{item.number}[{told}]"
