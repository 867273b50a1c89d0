"""
The world of one history: processes that come and go, senders, operators, weather, and whatever goes wrong.

Each seed draws which kinds of trouble there are at all: a history with all of them at once hides what two of them do to
each other.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any, TypeVar

from headrace.errors import HeadraceError
from headrace.events import Event, MessageDelivered, WorkerFailed
from headrace.model.profile import identity_of
from headrace.services import activation, authoring, backfills, consent_policies, sending_again
from headrace.services.consent_policies import CONSENT_POLICY
from headrace.services.consent_policies import KIND as APPLY_CONSENT
from headrace.services.erasures import KIND as ERASURE
from headrace.store import audiences, dataflows, documents, erasures, ledger, parked, runs
from headrace.store.database import StoreUnavailable, Transaction
from headrace.store.erasures import Receipt
from headrace.testkit.simulation.disk import Disk
from headrace.testkit.simulation.ground import AUDIENCES, SELECTORS, Ground, memory, selector, server_document
from headrace.testkit.simulation.loop import Loop
from headrace.testkit.simulation.network import FAIR, Attempt, Network
from headrace.testkit.simulation.oracle import Oracle
from headrace.testkit.simulation.people import People, Person
from headrace.testkit.simulation.process import START, Around, Process

T = TypeVar("T")

#: Kinds of trouble, and how likely a history has each.
TROUBLES = {
    "crash": 0.5,
    "freeze": 0.4,
    "clock": 0.25,
    "disk": 0.35,
    "weather": 0.85,
    "poison": 0.3,
    "edit": 0.3,
    "pause": 0.3,
    "map": 0.3,
    "consent": 0.3,
    "erase": 0.2,
    "again": 0.1,
    "bulk": 0.2,
}
#: What the partner and the way to it are like for a while.
WEATHERS: dict[str, tuple[dict[str, float], float]] = {
    "fair": (FAIR, 0.05),
    "slow": (FAIR, 8.0),
    "throttling": ({"answered": 1, "429": 2}, 0.05),
    "failing": ({"answered": 1, "503": 2, "500": 1}, 0.2),
    "down": ({"refused": 1}, 0.01),
    "hanging": ({"answered": 1, "hanging": 2, "silent": 1}, 0.1),
    "lossy": ({"answered": 2, "lost before": 1, "lost after": 1, "garbled": 0.5}, 0.3),
    "late": ({"answered": 2, "late": 1}, 0.5),
    "partial": ({"answered": 1, "partial": 2}, 0.1),
    "busy": ({"answered": 2, "busy": 1}, 0.1),
}
#: Weather in which the partner refuses what is right; changes are parked then.
REFUSING: dict[str, tuple[dict[str, float], float]] = {
    "refusing": ({"answered": 1, "400": 1}, 0.05),
    "forbidding": ({"answered": 1, "403": 1}, 0.05),
}

#: How far clocks jump, in milliseconds: ahead also by more than a lease, whose claims are still under way.
JUMPS = (-3_600_000, -60_000, -2000, 500, 2000, 5000, 31_000, 61_000, 90_000, 600_000, 3_600_000)


class Died(Exception):
    """The process that was asked is not there any more: what became of it is not known."""


class World:
    """Everything of one history."""

    def __init__(self, loop: Loop, seed: int, ground: Ground) -> None:
        self.loop, self.ground, self.seed = loop, ground, seed
        self.luck = self._luck("world")
        self.troubles = {name for name, chance in TROUBLES.items() if self.luck.random() < chance}
        self.people = People(self._luck("people"), self.luck.randint(2, 7))
        self.oracle = Oracle(loop, self.people)
        self.counts: Counter[str] = Counter()
        self.disk = Disk(memory(), self._luck("disk"))
        self.disk.memory.load(ground.image)
        self.disk.on_commit = self._judge_books
        self.network = Network(loop, self._luck("network"), tells_each=ground.policy == "answered one by one")
        self.network.on_sent, self.network.on_applied = self._guarded(self.oracle.sent), self.oracle.applied
        steps = (5.0,) * 400 if self.luck.random() < 0.9 else (5.0,) * 4
        self.oracle.is_refused = len(steps) < 10
        self.around = Around(loop, self.disk, self._luck("processes"), ground.key_file, steps, {}, self._announce)
        self.processes: list[Process] = []
        self.calm = asyncio.Event()
        self.policy: str | None = None
        self.flow = self.disk.look(lambda tx: dataflows.all_of(tx, ground.caller.number))[0].dataflow
        self._accepted = 0
        self._erasures: dict[str, str] = {}

    def _luck(self, name: str) -> Random:
        return Random(f"{self.seed} {name}")  # noqa: S311 - to be repeated, not to be secret

    def _guarded(self, judge: Callable[[Attempt], None]) -> Callable[[Attempt], None]:
        """Have a fault of the oracle's be found, which would be one of the sender's where it is asked."""

        def guarded(attempt: Attempt) -> None:
            try:
                judge(attempt)
            except Exception as error:
                self.oracle.accuse("oracle", f"{type(error).__name__}: {error}: {attempt.body!r}")

        return guarded

    # -- the whole ----------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Let everything happen, then let all trouble end, and judge what is left."""
        if "poison" in self.troubles:
            self.network.poison = {self.luck.choice([*self.people.by_name])}
            self.oracle.is_refused = True
        self.begin()
        names = [*self.people.by_name]
        senders = [self.loop.start(None, self._send(names[place::2], place)) for place in range(2)]
        trouble = [self.loop.start(None, happen()) for happen in self._happenings()]
        await asyncio.wait(senders)
        self.calm.set()
        await asyncio.gather(*senders, *trouble)
        await self._calm_down()
        await self._come_to_rest()
        self._judge_end()

    def _happenings(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        all_ = {"crash": self._crash, "freeze": self._freeze, "clock": self._jump, "disk": self._spoil}
        all_ |= {"weather": self._change_weather, "edit": self._edit, "pause": self._pause, "map": self._map}
        all_ |= {"consent": self._change_policy, "erase": self._erase, "again": self._send_again}
        return [happen for name, happen in all_.items() if name in self.troubles]

    # -- processes ----------------------------------------------------------------------------------------------------

    @property
    def process(self) -> Process:
        return self.processes[-1]

    def begin(self) -> None:
        """Start a process."""
        process = Process(self.around, len(self.processes) + 1, self.network.line)
        self.processes.append(process)
        self.oracle.note("start", process.life.name)
        self.loop.start(process.life, self._start(process))

    async def _start(self, process: Process) -> None:
        """Start; one that fails at it ends, and another is started, as whoever looks after processes does."""
        try:
            await process.start()
        except StoreUnavailable:
            self.loop.start(None, self._start_another(process))

    async def _start_another(self, failed: Process) -> None:
        failed.kill()
        await asyncio.sleep(1)
        if self.process is failed:
            self.begin()

    async def ask(self, what: Callable[[Process], Coroutine[Any, Any, T]]) -> T:
        """
        Have the process that is there do something, and return what it answers.

        Raises:
            Died: it was killed meanwhile.
        """
        process = self.process
        if process.ended.done():
            raise Died
        task = self.loop.start(process.life, what(process))
        waited: set[asyncio.Future[Any]] = {task, process.ended}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Died
        return task.result()

    async def insist(self, what: Callable[[Process], Coroutine[Any, Any, T]]) -> T | None:
        """Ask again until there is an answer; ``None``: it was refused."""
        while True:
            try:
                return await self.ask(what)
            except (Died, StoreUnavailable):
                await asyncio.sleep(0.5 + self.luck.random())
            except HeadraceError as error:
                self.counts[f"refused {error.code}"] += 1
                return None

    # -- senders ------------------------------------------------------------------------------------------------------

    async def _send(self, names: list[str], place: int) -> None:
        """Send records of some people, each until it is acknowledged; nobody else sends records of theirs."""
        luck = self._luck(f"sender {place}")
        for number in range(luck.randint(5, 16) if names else 0):
            await asyncio.sleep(luck.choice((0, 0.01, 0.5, 3, 15)))
            is_bulk = "bulk" in self.troubles and luck.random() < 0.15
            count = luck.randint(5, 15) if is_bulk else luck.choice((1, 1, 1, 2, 3))
            chosen = [self.people.by_name[luck.choice(names)] for _ in range(count)]
            key = f"{place}-{number}" if luck.random() < 0.5 else None
            await self._send_some(chosen, key)
            self.counts["bulk requests"] += is_bulk

    async def _send_some(self, chosen: list[Person], key: str | None) -> None:
        moment = START / 1000 + self.loop.time()
        withdraws = "consent" in self.troubles
        made = []
        for place, person in enumerate(chosen):
            body = self.people.record(person, moment + place * 0.01, now=self.loop.time(), withdraws=withdraws)
            made.append((person, person.states[-1].number, body))
        lines = b"\n".join(body for _, _, body in made)
        receipt = await self.insist(lambda one: one.ingestion.take(self.ground.caller, lines, lines=True, key=key))
        assert receipt is not None
        for person, number, _ in made:
            person.acknowledged[number] = self.loop.time()
        self.counts["records"] += len(made)
        self.oracle.note("accepted", [number for _, number, _ in made], receipt.accepted, len(receipt.rejected))
        self._judge_receipt(made, receipt.rejected)

    def _judge_receipt(self, made: list[tuple[Person, int, bytes]], rejected: list[Any]) -> None:
        for item in rejected:
            person = made[item.line - 1][0]
            if item.code != "erased" or person.erased_at is None:
                self.oracle.accuse("I1", f"a record of {person.name} was rejected: {item.code}")

    # -- trouble with processes ---------------------------------------------------------------------------------------

    async def _every(self, seconds: float) -> bool:
        """Wait about so long; say whether trouble goes on."""
        until = self.loop.time() + self.luck.expovariate(1 / seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self.calm.wait()
        return not self.calm.is_set()

    async def _crash(self) -> None:
        while await self._every(25):
            await self._kill(self.luck.choice((0, 0.1, 3, 20)))

    async def _kill(self, pause: float) -> None:
        process = self.process
        self.counts["crashes"] += 1
        under_way = any(a.life is process.life and a.heard is None for a in self.network.attempts)
        self.counts["crashes with a request under way"] += under_way
        self.oracle.note("kill", process.life.name)
        process.kill()
        await asyncio.sleep(pause)
        if self.process is process:  # Else another was started already: there is one at a time.
            self.begin()

    async def _freeze(self) -> None:
        while await self._every(40):
            process, seconds = self.process, self.luck.choice((0.5, 10, 70, 200))
            begun = self.loop.time()
            self.counts["freezes"] += 1
            self.oracle.note("freeze", process.life.name)
            self.loop.freeze(process.life)
            await asyncio.sleep(seconds)
            self.oracle.note("thaw", process.life.name)
            self.oracle.asleep.setdefault(process.life, []).append((begun, self.loop.time()))
            self.loop.thaw(process.life)

    async def _jump(self) -> None:
        while await self._every(30):
            self.process.clock.jumped += self.luck.choice(JUMPS)
            self.counts["clock jumps"] += 1
            self.oracle.note("clock", self.process.clock.jumped)

    async def _spoil(self) -> None:
        """Let the disk be full, slow, or fail at times."""
        while await self._every(20):
            kind = self.luck.choice(("full", "failing", "lost", "slow"))
            self.counts[f"disk {kind}"] += 1
            self.oracle.note("disk", kind)
            disk = self.disk
            disk.is_full = kind == "full"
            disk.failing, disk.lost = 0.3 * (kind == "failing"), 0.3 * (kind == "lost")
            disk.slowness = 2.0 if kind == "slow" else 0.004
            await asyncio.sleep(self.luck.choice((0.1, 3, 10, 45)))
            disk.is_full, disk.failing, disk.lost, disk.slowness = False, 0.0, 0.0, 0.004

    async def _change_weather(self) -> None:
        known = WEATHERS | (REFUSING if self.luck.random() < 0.15 else {})
        self.oracle.is_refused |= len(known) > len(WEATHERS)
        while not self.calm.is_set():
            name = self.luck.choice([*known])
            self.counts[f"weather {name}"] += 1
            self.oracle.note("weather", name)
            self.network.weather.chances, self.network.weather.latency = known[name]
            await self._every(25 if name != "down" else self.luck.choice((10, 10, 1000)))

    # -- what operators do --------------------------------------------------------------------------------------------

    async def _edit(self) -> None:
        while await self._every(30):
            self.oracle.editions.append(self.loop.time())
            document = server_document(self.ground.policy, len(self.oracle.editions))
            self.oracle.note("edit", len(self.oracle.editions))
            await self.insist(lambda one, wanted=document: self._save(one, wanted))  # type: ignore[misc]
            self.counts["template edits"] += 1

    async def _save(self, one: Process, document: dict[str, Any]) -> None:
        await authoring.save(
            one.store, one.clock, one.keyring, self.ground.caller, authoring.SERVER, document, id_=self.ground.server
        )
        await one.wake_all(self.ground.caller.number)

    async def _pause(self) -> None:
        while await self._every(40):
            await self.insist(lambda one: self._switch(one, on=False))
            self.oracle.note("paused")
            self.counts["pauses"] += 1
            await asyncio.sleep(self.luck.choice((1, 10, 60)))
            await self.insist(lambda one: self._switch(one, on=True))

    async def _switch(self, one: Process, *, on: bool) -> None:
        await activation.switch(one.store, one.clock, self.ground.caller, self.ground.flow, on=on)
        await one.wake_all(self.ground.caller.number)

    async def _map(self) -> None:
        """Take audiences out, and map them again: their members leave as a backfill."""
        while await self._every(30):
            self.oracle.is_remapped = True
            await self.insist(self._remap)
            self.counts["mappings"] += 1

    async def _remap(self, one: Process) -> None:
        stored = await activation.get(one.store, self.ground.caller, self.ground.flow)
        params = stored.document["transformations"][0]["params"]
        chosen = [item["value"]["id"] for item in params["segmentSelectors"]["selectors"]]
        missing = [audience for audience in AUDIENCES if audience not in chosen]
        if len(chosen) == 1 or (missing and self.luck.random() < 0.6):
            operation = {"op": "add", "path": f"{SELECTORS}/-", "value": selector(self.luck.choice(missing))}
        else:
            operation = {"op": "remove", "path": f"{SELECTORS}/{self.luck.randrange(len(chosen))}"}
        self.oracle.note("map", operation["op"], operation["path"])
        await activation.patch(
            one.store,
            one.clock,
            self.ground.caller,
            stored.id,
            activation.etag(stored),
            [operation],
            exits=self.luck.random() < 0.5,
        )
        await one.wake_all(self.ground.caller.number)

    async def _change_policy(self) -> None:
        """Have a policy of consent from time to time."""
        self.oracle.is_bound = self.oracle.is_remapped = True
        goes_on = True
        while goes_on:
            self.oracle.policy_since = None
            await self.insist(self._toggle_policy)
            self.counts["policies"] += 1
            self.oracle.policy_since = self.loop.time() if self._is_bound_now() else None
            self.oracle.note("policy", self.oracle.policy_since)
            goes_on = await self._every(60)

    async def _toggle_policy(self, one: Process) -> None:
        caller, known = self.ground.caller, await one.store.read(self._policy)
        if known is None:
            document = {"name": "email", "conditions": [{"path": "consents.email.val", "values": ["y"]}]}
            await consent_policies.create(one.store, one.clock, caller, document)
        else:
            await consent_policies.delete(one.store, one.clock, caller, known, None)
        await one.wake_all(caller.number)

    def _policy(self, tx: Transaction) -> str | None:
        return next((item.id for item in documents.all_of(tx, self.ground.caller.number, CONSENT_POLICY)), None)

    def _is_bound_now(self) -> bool:
        return self.disk.look(self._policy) is not None

    async def _erase(self) -> None:
        self.oracle.is_bound = self.oracle.is_remapped = True
        for _ in range(2):
            if not await self._every(60):
                return
            person = self.people.by_name[self.luck.choice([*self.people.by_name])]
            if person.erased_at is None:
                person.erased_at = float("inf")
                document = {"profile": f"crmId:{person.name}"}
                report = await self.insist(lambda one, wanted=document: self._ask_to_erase(one, wanted))  # type: ignore[misc]
                self.counts["erasures"] += 1
                self._erasures[person.name] = report if report is not None else ""
                self.oracle.note("erase", person.name)

    async def _ask_to_erase(self, one: Process, document: dict[str, Any]) -> str:
        report = await one.erasures.ask(self.ground.caller, document)
        one.runs.wake()
        return report.erasure.erasure

    async def _send_again(self) -> None:
        while await self._every(60):
            self.oracle.is_remapped = True
            await self.insist(self._ask_again)
            self.counts["sent again"] += 1

    async def _ask_again(self, one: Process) -> None:
        await sending_again.send_again(one.store, one.clock, self.ground.caller, self.ground.flow)

    # -- the end ------------------------------------------------------------------------------------------------------

    async def _calm_down(self) -> None:
        """Let all trouble end: from now on everything answers, and whoever was down is up."""
        self.oracle.note("calm")
        self.network.weather.chances, self.network.weather.latency = FAIR, 0.05
        self.process.clock.jumped = 0
        await self.insist(lambda one: self._switch(one, on=True))

    async def _come_to_rest(self) -> None:
        """Let time pass until nothing waits and nothing is under way."""
        began = self.loop.time()
        await asyncio.sleep(350 if self.network.counts["late"] else 20)  # What comes late has come by then.
        while self.disk.look(self._is_busy) and self.loop.time() - began < 4 * 3600:  # noqa: ASYNC110
            await asyncio.sleep(20)
        self.oracle.note("at rest", int(self.loop.time() - began))

    def _is_busy(self, tx: Transaction) -> bool:
        kinds = (backfills.KIND, APPLY_CONSENT, ERASURE)
        return bool(self._pending(tx)) or any(runs.unended(tx, kind) for kind in kinds)

    def _pending(self, tx: Transaction) -> int:
        return ledger.waiting(tx, self.ground.caller.number, self.flow)

    def _judge_end(self) -> None:
        self.disk.look(self._judge_books)
        open_, laid_aside, pending = self.disk.look(self._left)
        receipts = self.disk.look(self._receipts)
        self.oracle.judge_end(self.network.attempts, open_, laid_aside, pending, receipts)
        for fault in self.loop.faults:
            self.oracle.accuse("fault", fault)
        states = self.disk.look(lambda tx: dataflows.all_of(tx, self.ground.caller.number))
        if states[0].state != "enabled":
            self.oracle.accuse("end", f"the dataflow is {states[0].state}: {states[0].reason}")

    def _left(self, tx: Transaction) -> tuple[set[str], set[tuple[str, str]], int]:
        tenant = self.ground.caller.number
        names = {item.audience: item.id for item in audiences.all_of(tx, tenant).values()}
        mapped = dataflows.mapped_audiences(tx, tenant, self.flow)
        open_ = {names[number] for number, row in mapped.items() if row.ended_at is None and row.leaving is None}
        laid_aside = {
            (identity_of(item.profile)[1], names.get(item.audience, ""))
            for item in parked.latest(tx, tenant, self.flow, 10_000)
        }
        return open_, laid_aside, self._pending(tx)

    def _receipts(self, tx: Transaction) -> dict[str, Receipt]:
        """
        Return what is said of telling the partner of those who were erased; one who was not known has nothing.

        Whoever asked and was not answered asked again: then an erasure before that, which nobody heard of, found them.
        """
        tenant, heard = self.ground.caller.number, {*self._erasures.values()}
        unheard = [item.erasure for item in erasures.latest(tx, tenant, 100) if item.erasure not in heard]
        before = [receipt for id_ in unheard for receipt in erasures.receipts(tx, tenant, id_) if receipt.profile]
        found = {}
        for name, id_ in self._erasures.items():
            for receipt in erasures.receipts(tx, tenant, id_) if id_ else ():
                found[name] = receipt if receipt.profile or not before else _together(before)
        return found

    # -- judging on the way -------------------------------------------------------------------------------------------

    def _judge_books(self, tx: Transaction) -> None:
        """Every accepted change has one outcome, or still waits: after each commit."""
        tenant = self.ground.caller.number
        rows = ledger.balance(tx, tenant, self.flow)
        total: Counter[str] = Counter()
        for audience, row in rows.items():
            total.update(row)
            if row["pending"] < 0:
                self.oracle.accuse("I1", f"the ledger of audience {audience} has {row}")
        waiting = ledger.waiting(tx, tenant, self.flow)
        if total["pending"] != waiting:
            self.oracle.accuse("I1", f"the ledger says {total['pending']} wait, and {waiting} do")
        if total["accepted"] < self._accepted:
            self.oracle.accuse("I1", "the ledger forgets what was accepted")
        self._accepted = total["accepted"]
        self._note_erased(tx)

    def _note_erased(self, tx: Transaction) -> None:
        """Note who is gone, from whatever is ours, since this commit."""
        for person in self.people.by_name.values():
            id_ = self._erasures.get(person.name)
            if id_ is not None and person.erased_at == float("inf"):
                erasure = erasures.get(tx, self.ground.caller.number, id_)
                if erasure is not None and erasure.state != "asked":
                    person.erased_at = self.loop.time()

    def _announce(self, event: Event) -> None:
        self.counts[type(event).__name__] += 1
        if isinstance(event, MessageDelivered):
            self.oracle.delivered(event.message)
        elif isinstance(event, WorkerFailed):
            self.oracle.note("failed", event.step, event.error)


def _together(receipts: Sequence[Receipt]) -> Receipt:
    """Return what several receipts admit, as one."""
    worst = min(receipts, key=lambda receipt: ("failed", "telling", "cannot-be-told").count(receipt.state) == 0)
    return replace(worst, left_in=tuple(sorted({name for receipt in receipts for name in receipt.left_in})))
