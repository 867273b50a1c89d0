"""
The composition root: the one place that chooses store, clock, transport and keys, and hands them out.

Everyone else is given what they need, by name, and only that.
"""

import asyncio
import gc
import json
import logging
import os
import pkgutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from headrace.api.application import application
from headrace.api.doors import Doors
from headrace.clock import SystemClock
from headrace.connect.buckets import Buckets
from headrace.connect.egress import AllowList, Egress
from headrace.connect.http import HttpTransport
from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring
from headrace.connect.listener import listen
from headrace.connect.proxy import Proxy
from headrace.connect.reqwest import ReqwestTransport
from headrace.connect.retry import RetryPolicy
from headrace.connect.secrets import Veil
from headrace.connect.tls import Tls
from headrace.datasets.places import Places
from headrace.datasets.sources import Sources
from headrace.errors import OperationError
from headrace.events import Board, Libraries, Started, WorkerFailed
from headrace.orchestrate.port import Orchestrator
from headrace.render.pool import RenderPool
from headrace.services import access
from headrace.services.access import FirstClient
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
from headrace.services.call_limit import CallLimit
from headrace.services.consent_policies import KIND as APPLY_CONSENT
from headrace.services.datasets import LOAD, TAKE, Datasets, Ground
from headrace.services.erased import Erased
from headrace.services.erasing import Erasing
from headrace.services.erasure_log import FILE as ERASURE_LOG
from headrace.services.erasure_log import ErasureLog
from headrace.services.erasures import KIND as ERASURE
from headrace.services.erasures import Erasures
from headrace.services.ingestion import Ingestion
from headrace.services.live import LiveDataflows
from headrace.services.loading import Loading
from headrace.services.looking_up import LookUps
from headrace.services.partners import Partners
from headrace.services.passwords import Passwords
from headrace.services.quotas import Quotas
from headrace.services.reaching import BlockedTargets, Reaching
from headrace.services.restoring import refuse_half_restored
from headrace.services.resyncing import Resyncing
from headrace.services.resyncs import KIND as RESYNC
from headrace.services.revocations import KIND as REVOCATION
from headrace.services.revocations import forget
from headrace.services.revoking import Revoking
from headrace.services.runs import Runs
from headrace.services.space import keep_room
from headrace.services.taking_snapshots import TakingSnapshots
from headrace.services.telling import Telling
from headrace.services.tokens import Tokens
from headrace.settings import Settings
from headrace.store import dataflows
from headrace.store.backup import files
from headrace.store.database import Store
from headrace.store.keys import StoredKeys
from headrace.store.migrate import migrate
from headrace.store.quotas import Quota
from headrace.store.reserve import Reserve
from headrace.worker import Worker

#: How many objects come to be before the collector looks at them: a request of five hundred people is some 15,000.
_OBJECTS_BEFORE_A_COLLECTION = 25_000


class Headrace:
    """Everything in one process: the store, the doors and the worker, made from settings."""

    def __init__(self, settings: Settings) -> None:
        """
        Open the store and build what stands on it.

        Raises:
            OperationError: a setting, the data directory or the key file is not right.
        """
        self.settings = settings
        self.clock = SystemClock()
        veil = Veil()
        self.buckets = buckets_of(settings)
        ground = ground_of(settings, self.buckets)
        for secret in (*settings.secrets(), *ground.sources.secrets()):
            veil.note(secret)
        self.board = Board(settings.log_format, veil.redact)
        policy = retry_policy(settings)
        self.transport = transport_of(settings)
        key_file = LocalKeyFile(settings.key_file)
        refuse_half_restored(settings.data_dir)
        self.store = Store.open(settings.data_dir, settings.database_url)
        if not settings.database_url:
            self.store.reserve = Reserve(settings.data_dir, settings.reserve_bytes)
            self.store.reserve.make()
        migrate(self.store)
        files.unlink(settings.data_dir)
        self.erasure_log = ErasureLog(erasure_log_of(settings), self.board)
        keyring = Keyring(key_file, StoredKeys(self.store), self.clock, veil.note)
        self.renderers = RenderPool(settings.renderers or None)
        deadline = settings.request_deadline
        blocked = BlockedTargets(self.store, self.clock)
        at_once = Reaching(self.transport, blocked, self.clock, self.board)
        reaching = Reaching(self.transport, blocked, self.clock, self.board, told_after=settings.unreached_after)
        self.tokens = Tokens(self.store, self.clock, keyring, reaching, self.board, self.wake_all, deadline=deadline)
        grant = settings.allow_password_grant
        self.partners = Partners(keyring, reaching, self.tokens, deadline, password_grant=grant)
        for_messages = Partners(keyring, at_once, self.tokens, deadline, password_grant=grant)
        self.live = LiveDataflows(for_messages, self.renderers, self.clock, self.board)
        self.worker = Worker(
            self.store,
            self.clock,
            self.live,
            self.board,
            policy=policy,
            deadline=settings.request_deadline,
            requests_per_account=settings.requests_per_account,
        )
        erased = Erased(keyring)
        quotas = Quotas(self.store, self.clock, self.board, quota_of(settings))
        ingestion = Ingestion(self.store, self.clock, self.live, self.board, self.worker.wake, erased, quotas)
        self.expiring = Expiring(self.store, self.clock, ingestion, self.board)
        self.runs = Runs(self.store, self.clock, self.board, self._orchestrator)
        datasets = Datasets(self.store, self.clock, ground)
        audiences = self._audiences(datasets, ingestion)
        self._register_runs(keyring, datasets, ingestion, erased)
        self.passwords = Passwords()
        call_limit = CallLimit(self.store, self.clock, settings.calls_per_minute)
        doors = Doors(
            self.store,
            self.clock,
            keyring,
            self.passwords,
            self.partners,
            self.tokens,
            ingestion,
            self.runs,
            self.board,
            settings,
            self.wake_all,
            LookUps(self.partners, self.clock, call_limit),
            call_limit,
            Revoking(self.store, self.clock, keyring, self.partners, self.tokens),
            datasets,
            self.renderers,
            Erasures(self.store, self.clock, erased, self.erasure_log),
            audiences,
            BackingUp(self.store, self.clock, self.board, keyring),
            quotas,
        )
        self.app = application(doors, self._lifespan)

    def _audiences(self, datasets: Datasets, ingestion: Ingestion) -> Acting:
        """Make what people do with audiences, and say what is done for runs that evaluate them: one after another."""
        declaring = Declaring(self.store, self.clock, self.settings.data_dir.absolute() / "audiences")
        evaluating = Evaluating(declaring, datasets, ingestion, self.board)
        self.runs.register(EVALUATE, evaluating.carry, at_once=1, on_cancel=note_cancelled)
        return Acting(self.store, self.clock, declaring, evaluating, ingestion)

    def _register_runs(self, keyring: Keyring, datasets: Datasets, ingestion: Ingestion, erased: Erased) -> None:
        """Say what is done for each kind of run."""
        calls = AudienceCalls(self.store, self.clock, self.partners, self.wake_all)
        self.runs.register(AUDIENCE, calls.carry)
        self.runs.register(NOTIFY, Notices(self.store, self.clock, self.partners).carry)
        telling = Telling(self.store, self.clock, keyring, self.partners)
        self.runs.register(REVOCATION, telling.carry, on_cancel=forget)
        applying = ApplyingConsent(self.store, self.clock, self.live, self.worker.wake)
        self.runs.register(APPLY_CONSENT, applying.carry, at_once=1)
        resyncing = Resyncing(self.store, self.clock, self.live, self.worker.wake)
        self.runs.register(RESYNC, resyncing.carry)
        copies, wake = datasets.forget_copies, self.worker.wake
        lists = Forgetting(self.store, self.clock, erased, self.settings.data_dir.absolute() / "audiences").forget
        erasing = Erasing(self.store, self.clock, self.live, erased, wake, copies, lists, self.erasure_log)
        self.runs.register(ERASURE, erasing.carry)
        self.runs.register(TAKE, TakingSnapshots(datasets).carry)
        self.runs.register(LOAD, Loading(datasets, ingestion, self.board).carry, at_once=1)

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
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        now = self.clock.now()
        # Inside the transaction: whoever dies between the two would leave a store that nobody can sign in to.
        await self.store.write(lambda tx: write_credentials(self.settings, access.begin(tx, now)))
        await asyncio.to_thread(self.erasure_log.catch_up, self.store)
        await self.renderers.start()
        await self.worker.start()
        await self.buckets.start()
        await self.runs.start()
        mending = asyncio.create_task(self.tokens.keep_trying())
        expiring = asyncio.create_task(self.expiring.keep_going())
        room = asyncio.create_task(keep_room(self.store, self.board))
        self.board(Started(url=url_of(self.settings), data_dir=str(self.settings.data_dir)))
        yield
        mending.cancel()
        expiring.cancel()
        room.cancel()
        await self.runs.stop()
        await self.buckets.stop()
        await self.worker.stop()
        await self.renderers.stop()
        await self.transport.close()
        self.passwords.close()
        self.store.close()
        self.board.close()


def serve(settings: Settings) -> None:
    """
    Run everything in this process until it is told to stop (SIGINT, SIGTERM).

    Raises:
        OperationError: a setting, the data directory, the key file or the address is not right.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    with listen(settings.host, settings.port) as listener:
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        headrace = Headrace(settings)
        logging.getLogger().addHandler(Libraries(headrace.board))
        config = uvicorn.Config(
            headrace.app,
            loop="uvloop",
            http="httptools",
            log_level="warning",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=10,
        )
        spare_the_collector()
        uvicorn.Server(config).run(sockets=[listener])


def spare_the_collector() -> None:
    """
    Keep the collector of garbage from looking through everything again for every few people that are read.

    What is there when the server begins stays. People are trees, and go without it: it is for what is in cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BEFORE_A_COLLECTION, 20, 20)


def _end(*_: object) -> None:
    """End well when asked to; uvicorn hands a signal on when it has shut down, and by default that is a death."""
    sys.exit(0)


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


def quota_of(settings: Settings) -> Quota:
    """Return how much a sandbox may have of which nothing else was said."""
    return Quota(settings.quota_waiting, settings.quota_people, settings.quota_requests, settings.quota_bytes)


def url_of(settings: Settings) -> str:
    """Return the address under which the REST API of these settings is reached."""
    return settings.own_url


def write_credentials(settings: Settings, first: FirstClient | None) -> None:
    """Write how to sign in to ``credentials.json`` in the data directory, for its owner's eyes only."""
    path = settings.data_dir / "credentials.json"
    if first is not None:
        content = {
            "url": url_of(settings),
            "org": first.organization,
            "sandbox": first.sandbox,
            "client_id": first.client_id,
            "client_secret": first.client_secret,
        }
    elif path.exists():
        content = json.loads(path.read_text()) | {"url": url_of(settings)}
    else:
        return
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(json.dumps(content, indent=2) + "\n")
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
