"""One process of Headrace, as ``app.py`` makes it, on what is simulated: its disk, its line, its clock, its time."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring
from headrace.connect.retry import RetryPolicy
from headrace.connect.transport import Transport
from headrace.events import Event
from headrace.model.message import Group
from headrace.render.destination import CompiledDestination, Composed
from headrace.render.recipe import Recipe
from headrace.services.applying_consent import ApplyingConsent
from headrace.services.consent_policies import KIND as APPLY_CONSENT
from headrace.services.erased import Erased
from headrace.services.erasing import Erasing
from headrace.services.erasures import KIND as ERASURE
from headrace.services.erasures import Erasures
from headrace.services.ingestion import Ingestion
from headrace.services.keeping import Kept
from headrace.services.live import LiveDataflows
from headrace.services.partners import Partners
from headrace.services.presence import Presence
from headrace.services.reaching import BlockedTargets, Reaching
from headrace.services.runs import Pace, Runs
from headrace.services.tokens import Tokens
from headrace.store import dataflows
from headrace.store.keys import StoredKeys
from headrace.testkit.simulation.disk import Disk, SimulatedStore
from headrace.testkit.simulation.durable import Memory, Remembering
from headrace.testkit.simulation.loop import Life, Loop
from headrace.worker import Worker

#: The moment at which histories begin.
START = 1_774_000_000_000
#: Seconds that a request may take.
DEADLINE = 30.0
_RUNS = Pace(look=30.0, beat=5.0, dead=30.0, idle=float("inf"), tidy=float("inf"))


class Clock:
    """The clock of one process: it goes with the loop, and may have ``jumped`` by so many milliseconds."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.jumped = 0

    def now(self) -> int:
        return START + int(self._loop.time() * 1000) + self.jumped

    def monotonic(self) -> float:
        return self._loop.time()


class Renderer:
    """Renders as the child processes do, here: what is compiled is shared by all histories."""

    _compiled: dict[str, CompiledDestination] = {}  # noqa: RUF012 - of all, and bounded

    def __init__(self, luck: Random) -> None:
        self._luck = luck

    async def compose(self, recipe: Recipe, group: Group) -> Composed:
        await asyncio.sleep(self._luck.random() * 0.01)
        compiled = self._compiled.get(recipe.id)
        if compiled is None:
            if len(self._compiled) > 256:
                self._compiled.clear()
            compiled = self._compiled[recipe.id] = CompiledDestination(recipe)
        return compiled.compose(group)


@dataclass(frozen=True, slots=True)
class Around:
    """What the processes of a history share."""

    loop: Loop
    disk: Disk
    luck: Random
    key_file: Path
    steps: tuple[float, ...]
    remembered: Memory
    announce: Callable[[Event], None]


class Process:
    """A process. ``ended`` is done once it was killed."""

    def __init__(self, around: Around, number: int, line: Callable[[Life], Transport]) -> None:
        self.life = Life(f"process {number}")
        self.around = around
        self.clock = Clock(around.loop)
        self.store = SimulatedStore(around.disk)
        self.ended: asyncio.Future[None] = around.loop.create_future()
        announce, store, clock = around.announce, self.store, self.clock
        self.keyring = Keyring(LocalKeyFile(around.key_file), StoredKeys(store), clock)
        reaching = Reaching(line(self.life), BlockedTargets(store, clock), clock, announce)
        tokens = Tokens(store, clock, self.keyring, reaching, announce, self.wake_all, deadline=DEADLINE)
        partners = Partners(self.keyring, reaching, tokens, DEADLINE)
        self.live = LiveDataflows(partners, Renderer(around.luck), clock, announce)
        self.presence = Presence(store, clock, announce, name=self.life.name)
        self.worker = Worker(
            store,
            clock,
            self.live,
            announce,
            policy=RetryPolicy(tuple(timedelta(seconds=step) for step in around.steps)),
            deadline=DEADLINE,
            requests_per_account=3,
            presence=self.presence,
            kept=Kept(hours=90, history=30),
            jitter=around.luck,
        )
        erased = Erased(self.keyring)
        self.ingestion = Ingestion(store, clock, self.live, announce, self.worker.wake, erased)
        self.erasures = Erasures(store, clock, erased)
        self.runs = Runs(store, clock, announce, lambda name: Remembering(name, around.remembered), pace=_RUNS)
        self._register(erased)

    def _register(self, erased: Erased) -> None:
        applying = ApplyingConsent(self.store, self.clock, self.live, self._wake)
        self.runs.register(APPLY_CONSENT, applying.carry, at_once=1)
        erasing = Erasing(self.store, self.clock, self.live, erased, self._wake, _no_copies, _no_lists)
        self.runs.register(ERASURE, erasing.carry)

    def _wake(self, tenant: int, numbers: Iterable[int]) -> None:
        self.worker.wake(tenant, numbers)

    async def start(self) -> None:
        """Begin, as ``app.py`` does."""
        await self.presence.begin()
        await self.worker.start()
        await self.runs.start()

    async def wake_all(self, tenant: int) -> None:
        """Look again at every dataflow of a sandbox whose configuration has changed."""
        known = await self.store.read(lambda tx: dataflows.all_of(tx, tenant))
        self.worker.wake(tenant, [flow.dataflow for flow in known])
        self.runs.wake()

    def kill(self) -> None:
        """End it where it is: its memory is gone, and nothing it had begun is gone on with (SIGKILL)."""
        self.around.loop.end(self.life)
        self.store.close()
        if not self.ended.done():
            self.ended.set_result(None)


async def _no_copies(tenant: int) -> None:
    del tenant


async def _no_lists(tenant: int, since: int) -> bool:
    del tenant, since
    return True
