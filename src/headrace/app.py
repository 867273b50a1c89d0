"""
The composition root: the one place that chooses store, clock, transport and keys, and hands them out.

Everyone else is given what they need, by name, and only that. ``Engine`` is Headrace without a door: it takes people,
delivers and carries runs. ``server.py`` gives it the REST API.
"""

import asyncio
import gc
import os
import pkgutil
from collections.abc import AsyncIterator, Collection, Coroutine, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from headrace.clock import Clock, SystemClock
from headrace.connect.buckets import Buckets
from headrace.connect.egress import AllowList, Egress
from headrace.connect.http import HttpTransport
from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring
from headrace.connect.mail import Mailer, MailServer
from headrace.connect.pgp import Signer, read_signer
from headrace.connect.proxy import Proxy
from headrace.connect.reqwest import ReqwestTransport
from headrace.connect.retry import RetryPolicy
from headrace.connect.secrets import Veil
from headrace.connect.storage import House, Way
from headrace.connect.tls import Tls
from headrace.datasets.places import Places
from headrace.datasets.sources import Sources
from headrace.errors import HeadraceError, OperationError
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
from headrace.services.erasure_log import FILE as ERASURE_LOG
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
from headrace.services.landing.zones import LandingZones
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
from headrace.store.quotas import Quota
from headrace.store.reserve import Reserve
from headrace.store.runs import Run
from headrace.worker import Worker

#: How many objects come to be before the collector looks at them: a request of five hundred people is some 15,000.
_OBJECTS_BEFORE_A_COLLECTION = 25_000

#: Where the operator says that traces go; without one there are none.
_TRACED_TO = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


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
        self.settings = settings
        self.clock = SystemClock()
        veil = Veil()
        self.buckets = buckets_of(settings)
        ground = ground_of(settings, self.buckets)
        for secret in (*settings.secrets(), *ground.sources.secrets()):
            veil.note(secret)
        self.board = Board(settings.log_format, veil.redact)
        self.traces = traces_for(self.board)
        policy = retry_policy(settings)
        self.transport = transport_of(settings)
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
        self.renderers = RenderPool(settings.renderers or None)
        deadline = settings.request_deadline
        blocked = BlockedTargets(self.store, self.clock)
        at_once = Reaching(self.transport, blocked, self.clock, self.board)
        reaching = Reaching(self.transport, blocked, self.clock, self.board, told_after=settings.unreached_after)
        self.runs = Runs(self.store, self.clock, self.board, self._orchestrator, is_alone=not self.store.is_shared)
        self.carries_runs = kind == SERVE
        self.presence = Presence(
            self.store,
            self.clock,
            self.board,
            kind=kind,
            name=name,
            delivers=self.delivers,
            executor=self.runs.executor if self.carries_runs else None,
        )
        self.tokens = Tokens(
            self.store,
            self.clock,
            self.keyring,
            reaching,
            self.board,
            self.wake_all,
            deadline=deadline,
            moment=self.presence.moment,
        )
        grant = settings.allow_password_grant
        self.partners = Partners(self.keyring, reaching, self.tokens, deadline, password_grant=grant)
        self.landing = landing_of(settings, self.store, self.clock, self.keyring)
        self.quotas = Quotas(self.store, self.clock, self.board, quota_of(settings), self.landing.directory)
        way, room = storage_way(settings, self.buckets), LandingRoom(self.store, self.quotas, self.landing.directory_of)
        self.storages = Storages(self.keyring, self.clock, way, signer_of(settings), room, reaching)
        for_messages = Partners(self.keyring, at_once, self.tokens, deadline, password_grant=grant)
        self.live = LiveDataflows(for_messages, self.renderers, self.clock, self.board)
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
        self.erased = Erased(self.keyring)
        self.ingestion = Ingestion(
            self.store, self.clock, self.live, self.board, self.worker.wake, self.erased, self.quotas
        )
        self.expiring = Expiring(self.store, self.clock, self.ingestion, self.board)
        self.datasets = Datasets(self.store, self.clock, ground)
        self.audiences = self._audiences()
        self._register_runs()
        self._register_exports()
        self.watching = self._watch()
        self.runs.register(ALERT, Sending(self.store, self.clock, self.keyring, at_once, mailer_of(settings)).carry)
        self.gauges = Gauges.of(self.store, self.clock, settings.data_dir, self.worker.under_way)
        self.backing_up = BackingUp(self.store, self.clock, self.board, self.keyring)

    def _watch(self) -> Watching:
        """Make what looks for alerts: it looks soon where something happens that they are about."""
        evidence, directory = Evidence(self.clock), self.settings.data_dir
        least_free = self.settings.alert_free_megabytes
        watching = Watching(self.store, self.clock, self.board, evidence, directory, least_free, self.runs.wake)
        self.board.hear(RequestAnswered, evidence.hear)
        for kind in (DataflowHeld, AccountStopped, AccountRecovered, PartnerDown, PartnerBack):
            self.board.hear(kind, watching.hear)
        return watching

    def _audiences(self) -> Acting:
        """Make what people do with audiences, and say what is done for runs that evaluate them: one after another."""
        declaring = Declaring(self.store, self.clock, self.settings.data_dir.absolute() / "audiences")
        evaluating = Evaluating(declaring, self.datasets, self.ingestion, self.board)
        self.runs.register(EVALUATE, evaluating.carry, at_once=1, on_cancel=note_cancelled)
        return Acting(self.store, self.clock, declaring, evaluating, self.ingestion)

    def _register_runs(self) -> None:
        """Say what is done for each kind of run."""
        calls = AudienceCalls(self.store, self.clock, self.partners, self.wake_all)
        self.runs.register(AUDIENCE, calls.carry)
        self.runs.register(NOTIFY, Notices(self.store, self.clock, self.partners).carry)
        telling = Telling(self.store, self.clock, self.keyring, self.partners)
        self.runs.register(REVOCATION, telling.carry, on_cancel=forget)
        applying = ApplyingConsent(self.store, self.clock, self.live, self.worker.wake)
        self.runs.register(APPLY_CONSENT, applying.carry, at_once=1)
        resyncing = Resyncing(self.store, self.clock, self.live, self.worker.wake)
        self.runs.register(RESYNC, resyncing.carry)
        copies, wake = self.datasets.forget_copies, self.worker.wake
        lists = Forgetting(self.store, self.clock, self.erased, self.settings.data_dir.absolute() / "audiences").forget
        erasing = Erasing(self.store, self.clock, self.live, self.erased, wake, copies, lists, self.erasure_log)
        self.runs.register(ERASURE, erasing.carry)
        self.runs.register(TAKE, TakingSnapshots(self.datasets).carry)
        self.runs.register(LOAD, Loading(self.datasets, self.ingestion, self.board).carry, at_once=1)

    def _register_exports(self) -> None:
        """Say what is done for runs that write files, of people or of datasets."""
        data, stored = self.settings.data_dir.absolute(), (self.store, self.clock, self.storages)
        scratch = data / "exports"
        of_people = Exporting(*stored, self.store.people, data / "audiences", scratch, self.board)
        of_datasets = ExportingDatasets(*stored, self.datasets, self.erased, scratch, self.board)

        async def carry(run: Run, steps: HeldSteps) -> None:
            await (of_datasets if writes_datasets(run) else of_people).carry(run, steps)

        self.runs.register(EXPORT, carry, at_once=2)

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


def retry_policy(settings: Settings) -> RetryPolicy:
    """
    Return the schedule of waits that the operator has set.

    Raises:
        OperationError: a step is not a time to wait.
    """
    try:
        return RetryPolicy(tuple(timedelta(seconds=step) for step in settings.retry_steps))
    except (ValueError, OverflowError):
        raise OperationError("HEADRACE_RETRY_STEPS: a step is a number of seconds from 0 on, and has an end") from None


def transport_of(settings: Settings) -> HttpTransport | ReqwestTransport:
    """
    Make the transport that the operator chose, behind the way out that the operator allows.

    Raises:
        OperationError: one of its settings is not right.
    """
    egress, tls = _way_out(settings)
    kind = ReqwestTransport if settings.transport == "pyreqwest" else HttpTransport
    return kind(egress, tls=tls, connections=max(32, settings.requests_per_account))


def buckets_of(settings: Settings) -> Buckets:
    """
    Make the way to object storage, behind the way out that the operator allows.

    Raises:
        OperationError: one of its settings is not right.
    """
    return Buckets(*_way_out(settings))


def storage_way(settings: Settings, buckets: Buckets) -> Way:
    """
    Make the way to partners' storages, behind the way out that the operator allows.

    Raises:
        OperationError: one of its settings is not right.
    """
    key, secret, sts = settings.aws_access_key_id, settings.aws_secret_access_key, settings.aws_sts_url
    if bool(key) != bool(secret):
        raise OperationError("HEADRACE_AWS_ACCESS_KEY_ID and HEADRACE_AWS_SECRET_ACCESS_KEY go together; set both")
    house = House(key, secret, sts_url=sts) if key else None
    directories = tuple(Path(one.strip()) for one in settings.export_directories.split(",") if one.strip())
    egress, tls = _way_out(settings)
    authority = settings.azure_authority_url
    return Way(egress, buckets.guard, tls, house=house, directories=directories, authority=authority)


def signer_of(settings: Settings) -> Signer | None:
    """
    Read the key that the house signs encrypted files with; ``None``: it signs none.

    Raises:
        OperationError: the file cannot be read, or holds no such key.
    """
    file = settings.pgp_signing_key
    if file is None:
        return None
    try:
        return read_signer(file.read_text())
    except (OSError, ValueError):
        raise OperationError(f"HEADRACE_PGP_SIGNING_KEY: '{file}' cannot be read") from None
    except HeadraceError as error:
        raise OperationError(f"HEADRACE_PGP_SIGNING_KEY: {error.message}") from None


class Closed(Protocol):
    """What has something left to send when the process ends."""

    def close(self) -> None: ...


def traces_for(board: Board) -> Closed | None:
    """
    Make traces of what is announced, where the operator has set where to send them; ``None``: nobody has.

    Raises:
        OperationError: the extra is not installed.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or not any(map(os.environ.get, _TRACED_TO)):
        return None
    try:
        traces = pkgutil.resolve_name("headrace.connect.traces:Traces")()
    except ImportError:
        raise OperationError(f"{_TRACED_TO[0]}: to send traces, install `headrace[otel]`") from None
    traces.listen(board)
    closed: Closed = traces
    return closed


def mailer_of(settings: Settings) -> Mailer | None:
    """
    Make the way to the operator's mail server; ``None``: there is none.

    Raises:
        OperationError: one of its settings is not right.
    """
    user, password = settings.smtp_user, settings.smtp_password
    server = MailServer.parse(settings.smtp_url, settings.smtp_tls, user, password, settings.smtp_from)
    return Mailer(server, *_way_out(settings)) if server is not None else None


def _way_out(settings: Settings) -> tuple[Egress, Tls]:
    egress = Egress(AllowList.parse(settings.egress_allow), proxy=Proxy.parse(settings.egress_proxy))
    return egress, Tls.parse(settings.tls_ca_file, settings.tls_client_certificates)


def ground_of(settings: Settings, buckets: Buckets) -> Ground:
    """
    Read from where the operator allows datasets to be read.

    Raises:
        OperationError: a directory is not there, the file of sources is not right, or a bucket may not be reached.
    """
    places, sources = Places.parse(settings.dataset_directories), Sources.read(settings.dataset_sources)
    for source in sources.of_kind("s3"):
        buckets.admit(source.endpoint)
    return Ground(places, sources, settings.data_dir.absolute() / "datasets", buckets)


def runs_url(settings: Settings) -> str:
    """Return the database in which the steps of runs are remembered: a file beside the store, or the store's own."""
    if settings.database_url:
        return settings.database_url.replace("postgres", "postgresql", settings.database_url.startswith("postgres:"))
    return f"sqlite:///{settings.data_dir.absolute() / 'runs.db'}"


def erasure_log_of(settings: Settings) -> Path:
    """Return where the record of erasures is kept: in the data directory, if no other place is set."""
    return settings.erasure_log or settings.data_dir / ERASURE_LOG


def landing_of(settings: Settings, store: Store, clock: Clock, keyring: Keyring) -> LandingZones:
    """Make the landing zones of all sandboxes: in the data directory, if no other place is set."""
    directory = (settings.landing_directory or settings.data_dir / "landing").absolute()
    days, kept = settings.landing_credentials_days, settings.landing_days
    return LandingZones(store, clock, keyring, directory, settings.browser_url, days, kept)


def quota_of(settings: Settings) -> Quota:
    """Return how much a sandbox may have of which nothing else was said."""
    return Quota(settings.quota_waiting, settings.quota_people, settings.quota_requests, settings.quota_bytes)
