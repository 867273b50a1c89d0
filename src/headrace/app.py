"""
The composition root: the one place that chooses store, clock, transport and keys, and hands them out.

Everyone else is given what they need, by name, and only that. ``Engine`` is Headrace without a door: it takes people,
delivers and carries runs. ``server.py`` gives it the REST API.
"""

import asyncio
import gc
import pkgutil
from collections.abc import AsyncIterator, Collection, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from headrace.clock import SystemClock
from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring
from headrace.connect.retry import RetryPolicy
from headrace.connect.secrets import Veil
from headrace.errors import OperationError
from headrace.events import (
    AccountRecovered,
    AccountStopped,
    Board,
    DataflowHeld,
    PartnerBack,
    PartnerDown,
    RequestAnswered,
    WorkerFailed,
)
from headrace.from_settings import (
    buckets_of,
    erasure_log_of,
    ground_of,
    landing_of,
    mailer_of,
    quota_of,
    retry_policy,
    runs_url,
    signer_of,
    storage_way,
    traces_for,
    transport_of,
)
from headrace.orchestrate.port import Orchestrator
from headrace.render.pool import RenderPool
from headrace.services.alerts.evidence import Evidence
from headrace.services.alerts.notices import KIND as ALERT
from headrace.services.alerts.sending import Sending
from headrace.services.alerts.watching import Watching
from headrace.services.applying_consent import ApplyingConsent
from headrace.services.at_partner.carrying import AudienceCalls
from headrace.services.at_partner.notifying import KIND as NOTIFY
from headrace.services.at_partner.notifying import Notices
from headrace.services.at_partner.wanting import KIND as AUDIENCE
from headrace.services.audiences.acting import Acting
from headrace.services.audiences.asking import EVALUATE, note_cancelled
from headrace.services.audiences.declaring import Declaring
from headrace.services.audiences.evaluating import Evaluating
from headrace.services.audiences.expiring import Expiring
from headrace.services.audiences.forgetting import Forgetting
from headrace.services.backing_up import BackingUp
from headrace.services.consent_policies import KIND as APPLY_CONSENT
from headrace.services.datasets import LOAD, TAKE, Datasets, Ground
from headrace.services.erased import Erased
from headrace.services.erasing import Erasing
from headrace.services.erasure_log import ErasureLog
from headrace.services.erasures import KIND as ERASURE
from headrace.services.exports.carrying import Exporting
from headrace.services.exports.carrying_datasets import ExportingDatasets
from headrace.services.exports.due import KIND as EXPORT
from headrace.services.exports.due import writes_datasets
from headrace.services.gauges import Gauges
from headrace.services.hearing import Hearing
from headrace.services.ingestion import Ingestion
from headrace.services.keeping import Kept
from headrace.services.landing.room import LandingRoom
from headrace.services.landing.tidying import keep_tidy
from headrace.services.live import LiveDataflows
from headrace.services.loading import Loading
from headrace.services.partners import Partners
from headrace.services.presence import Presence
from headrace.services.quotas import Quotas
from headrace.services.reaching import BlockedTargets, Reaching
from headrace.services.restoring import refuse_half_restored
from headrace.services.resyncing import Resyncing
from headrace.services.resyncs import KIND as RESYNC
from headrace.services.revocations import KIND as REVOCATION
from headrace.services.revocations import forget
from headrace.services.runs import Runs
from headrace.services.space import keep_room
from headrace.services.steps import HeldSteps
from headrace.services.storages import Storages
from headrace.services.taking_snapshots import TakingSnapshots
from headrace.services.telling import Telling
from headrace.services.tokens import Tokens
from headrace.settings import Settings
from headrace.store import dataflows
from headrace.store.backup import files
from headrace.store.database import Store
from headrace.store.keys import StoredKeys
from headrace.store.migrate import hold, migrate
from headrace.store.reserve import Reserve
from headrace.store.runs import Run
from headrace.worker import Worker

#: How many objects come to be before the collector looks at them: a request of five hundred people is some 15,000.
_OBJECTS_BEFORE_A_COLLECTION = 25_000

#: What a process is for: everything but delivery, where that is left to others; or delivery alone.
SERVE, WORKER = "serve", "worker"


class Engine:
    """What takes people, delivers and carries runs, made from settings: all of Headrace but its doors."""

    def __init__(self, settings: Settings, *, kind: str = SERVE, name: str = "") -> None:
        """
        Open the store and build what stands on it. ``kind`` is what the process is for.

        Raises:
            OperationError: a setting, the data directory or the key file is not right.
        """
        self.delivers = settings.deliver or kind == WORKER
        if kind == WORKER or not self.delivers:
            _refuse_without_postgresql(settings, kind)
        self.carries_runs = kind == SERVE
        self.settings = settings
        self.clock = SystemClock()
        veil = Veil()
        self.buckets = buckets_of(settings)
        ground = ground_of(settings, self.buckets)
        self._announce(veil, ground)
        policy = retry_policy(settings)
        self.transport = transport_of(settings)
        self._open_store(veil)
        self.renderers = RenderPool(settings.renderers or None)
        self._be_there(kind, name)
        self._reach_partners()
        self._deliver(policy)
        self._take_people(ground)
        self._register_runs()
        self._register_exports()
        self._watch()
        self.gauges = Gauges.of(self.store, self.clock, settings.data_dir, self.worker.under_way)
        self.backing_up = BackingUp(self.store, self.clock, self.board, self.keyring)

    def _announce(self, veil: Veil, ground: Ground) -> None:
        """Make what everything is said to; no secret of the settings is."""
        for secret in (*self.settings.secrets(), *ground.sources.secrets()):
            veil.note(secret)
        self.board = Board(self.settings.log_format, veil.redact)
        self.traces = traces_for(self.board)

    def _open_store(self, veil: Veil) -> None:
        """Open the store, in the newest form, and the keys to what is sealed in it."""
        settings = self.settings
        key_file = LocalKeyFile(settings.key_file)
        refuse_half_restored(settings.data_dir)
        self.store = Store.open(settings.data_dir, settings.database_url, remembers=settings.history_days > 0)
        if not settings.database_url:
            self.store.reserve = Reserve(settings.data_dir, settings.reserve_bytes)
            self.store.reserve.make()
        migrate(self.store)
        hold(self.store)
        files.unlink(settings.data_dir)
        self.erasure_log = ErasureLog(erasure_log_of(settings), self.board)
        self.keyring = Keyring(key_file, StoredKeys(self.store), self.clock, veil.note)

    def _be_there(self, kind: str, name: str) -> None:
        """Make what carries runs, and what says to other processes that this one is there."""
        self.runs = Runs(self.store, self.clock, self.board, self._orchestrator, is_alone=not self.store.is_shared)
        self.presence = Presence(
            self.store,
            self.clock,
            self.board,
            kind=kind,
            name=name,
            delivers=self.delivers,
            executor=self.runs.executor if self.carries_runs else None,
        )

    def _reach_partners(self) -> None:
        """Make the ways to partners and their storages, behind the one that knows which of them may not be reached."""
        blocked = BlockedTargets(self.store, self.clock)
        self._at_once = Reaching(self.transport, blocked, self.clock, self.board)
        told_after = self.settings.unreached_after
        reaching = Reaching(self.transport, blocked, self.clock, self.board, told_after=told_after)
        self.tokens = Tokens(
            self.store,
            self.clock,
            self.keyring,
            reaching,
            self.board,
            self.wake_all,
            deadline=self.settings.request_deadline,
            moment=self.presence.moment,
        )
        self.partners = self._partners(reaching)
        self.landing = landing_of(self.settings, self.store, self.clock, self.keyring)
        self.quotas = Quotas(self.store, self.clock, self.board, quota_of(self.settings), self.landing.directory)
        room = LandingRoom(self.store, self.quotas, self.landing.directory_of)
        way, signer = storage_way(self.settings, self.buckets), signer_of(self.settings)
        self.storages = Storages(self.keyring, self.clock, way, signer, room, reaching)

    def _partners(self, reaching: Reaching) -> Partners:
        deadline, grant = self.settings.request_deadline, self.settings.allow_password_grant
        return Partners(self.keyring, reaching, self.tokens, deadline, password_grant=grant)

    def _deliver(self, policy: RetryPolicy) -> None:
        """Make what delivers messages, and what tells it of that which other processes have done."""
        settings = self.settings
        self.live = LiveDataflows(self._partners(self._at_once), self.renderers, self.clock, self.board)
        self.worker = Worker(
            self.store,
            self.clock,
            self.live,
            self.board,
            policy=policy,
            deadline=settings.request_deadline,
            requests_per_account=settings.requests_per_account,
            probe_after=settings.probe_after,
            presence=self.presence,
            kept=Kept(settings.hours_days, settings.history_days),
        )
        self.hearing = Hearing(self.store, self.board, self.tokens, self.worker.wake)

    def _take_people(self, ground: Ground) -> None:
        """Make what takes people in, at the door and from datasets, and what audiences are made of."""
        stored, wake = (self.store, self.clock), self.worker.wake
        self.erased = Erased(self.keyring)
        self.ingestion = Ingestion(*stored, self.live, self.board, wake, self.erased, self.quotas)
        self.expiring = Expiring(*stored, self.ingestion, self.board)
        self.datasets = Datasets(*stored, ground)
        declaring = Declaring(*stored, self._lists)
        self._evaluating = Evaluating(declaring, self.datasets, self.ingestion, self.board)
        self.audiences = Acting(*stored, declaring, self._evaluating, self.ingestion)

    @property
    def _lists(self) -> Path:
        """Where lists of members are kept that were uploaded."""
        return self.settings.data_dir.absolute() / "audiences"

    def _register_runs(self) -> None:
        """Say what is done for each kind of run."""
        stored, wake = (self.store, self.clock), self.worker.wake
        self.runs.register(AUDIENCE, AudienceCalls(*stored, self.partners, self.wake_all).carry)
        self.runs.register(NOTIFY, Notices(*stored, self.partners).carry)
        self.runs.register(REVOCATION, Telling(*stored, self.keyring, self.partners).carry, on_cancel=forget)
        self.runs.register(APPLY_CONSENT, ApplyingConsent(*stored, self.live, wake).carry, at_once=1)
        self.runs.register(RESYNC, Resyncing(*stored, self.live, wake).carry)
        copies, lists = self.datasets.forget_copies, Forgetting(*stored, self.erased, self._lists).forget
        erasing = Erasing(*stored, self.live, self.erased, wake, copies, lists, self.erasure_log)
        self.runs.register(ERASURE, erasing.carry)
        self.runs.register(TAKE, TakingSnapshots(self.datasets).carry)
        self.runs.register(LOAD, Loading(self.datasets, self.ingestion, self.board).carry, at_once=1)
        self.runs.register(EVALUATE, self._evaluating.carry, at_once=1, on_cancel=note_cancelled)
        self.runs.register(ALERT, Sending(*stored, self.keyring, self._at_once, mailer_of(self.settings)).carry)

    def _register_exports(self) -> None:
        """Say what is done for runs that write files, of people or of datasets."""
        stored, scratch = (self.store, self.clock, self.storages), self.settings.data_dir.absolute() / "exports"
        of_people = Exporting(*stored, self.store.people, self._lists, scratch, self.board)
        of_datasets = ExportingDatasets(*stored, self.datasets, self.erased, scratch, self.board)

        async def carry(run: Run, steps: HeldSteps) -> None:
            await (of_datasets if writes_datasets(run) else of_people).carry(run, steps)

        self.runs.register(EXPORT, carry, at_once=2)

    def _watch(self) -> None:
        """Make what looks for alerts: it looks soon where something happens that they are about."""
        evidence, settings = Evidence(self.clock), self.settings
        where, least_free = settings.data_dir, settings.alert_free_megabytes
        self.watching = Watching(self.store, self.clock, self.board, evidence, where, least_free, self.runs.wake)
        self.board.hear(RequestAnswered, evidence.hear)
        for kind in (DataflowHeld, AccountStopped, AccountRecovered, PartnerDown, PartnerBack):
            self.board.hear(kind, self.watching.hear)

    async def wake_all(self, tenant: int) -> None:
        """Look again at every dataflow of a sandbox whose configuration has changed."""
        known = await self.store.read(lambda tx: dataflows.all_of(tx, tenant))
        self.worker.wake(tenant, [flow.dataflow for flow in known])
        self.runs.wake()

    def _orchestrator(self, executor: str) -> Orchestrator:
        """Make what carries runs, when the first one is there: to import DBOS takes a second."""
        make = pkgutil.resolve_name("headrace.orchestrate.dbos:DbosOrchestrator")

        def complain(error: str) -> None:
            self.board(WorkerFailed(step="orchestrate", error=error))

        made: Orchestrator = make(runs_url(self.settings), executor, complain)
        return made

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start everything, and end it in good order."""
        await asyncio.to_thread(self.erasure_log.catch_up, self.store)
        await self.renderers.start()
        await self.presence.begin()
        if self.delivers:
            await self.worker.start()
        await self.buckets.start()
        if self.carries_runs:
            await self.runs.start()
        beside = [asyncio.create_task(work) for work in self._beside()]
        yield
        being_there, *others = beside
        await _ended(others)
        await self.watching.end()
        await self.runs.stop()
        await self.buckets.stop()
        await self.worker.stop()
        await _ended([being_there])
        await self.presence.end()
        await self.renderers.stop()
        await self.transport.close()
        self.store.close()
        if self.traces is not None:
            await asyncio.to_thread(self.traces.close)
        self.board.close()

    def _beside(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield what goes on beside all else; that the process is there is said to the last."""
        yield self.presence.keep()
        yield self.hearing.keep_listening()
        if self.carries_runs:
            yield self.tokens.keep_trying()
            yield self.expiring.keep_going()
            yield self.watching.keep_going()
            yield keep_tidy(self.landing, self.board)
        yield keep_room(self.store, self.board)


async def _ended(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _refuse_without_postgresql(settings: Settings, kind: str) -> None:
    if not settings.database_url:
        what = "'headrace worker'" if kind == WORKER else "'headrace serve' that leaves delivery to others"
        raise OperationError(
            f"{what} shares its store with other processes, which needs PostgreSQL: set HEADRACE_DATABASE_URL to its "
            "address; on SQLite one 'headrace serve' does everything"
        )


def spare_the_collector() -> None:
    """
    Keep the collector of garbage from looking through everything again for every few people that are read.

    What is there when the engine begins stays. People are trees, and go without it: it is for what is in cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BEFORE_A_COLLECTION, 20, 20)
