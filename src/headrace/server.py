"""Headrace with its doors: the engine, and the REST API before it."""

import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from headrace.api.application import application
from headrace.api.doors import Doors
from headrace.app import Engine, spare_the_collector
from headrace.connect.listener import listen
from headrace.events import Libraries, Started
from headrace.services import access
from headrace.services.access import FirstClient
from headrace.services.call_limit import CallLimit
from headrace.services.erasures import Erasures
from headrace.services.looking_up import LookUps
from headrace.services.passwords import Passwords
from headrace.services.revoking import Revoking
from headrace.services.storage_trials import StorageTrials
from headrace.settings import Settings


class Headrace(Engine):
    """Everything in one process: the engine, and the doors to it."""

    def __init__(self, settings: Settings, passwords: Passwords | None = None) -> None:
        """
        Open the store and build what stands on it.

        Raises:
            OperationError: a setting, the data directory or the key file is not right.
        """
        super().__init__(settings)
        self.passwords = passwords or Passwords()
        self.app = application(self._doors(), self._lifespan)

    def _doors(self) -> Doors:
        call_limit = CallLimit(self.store, self.clock, self.settings.calls_per_minute)
        return Doors(
            self.store,
            self.clock,
            self.keyring,
            self.passwords,
            self.partners,
            self.tokens,
            self.ingestion,
            self.runs,
            self.board,
            self.settings,
            self.wake_all,
            LookUps(self.partners, self.clock, call_limit),
            call_limit,
            Revoking(self.store, self.clock, self.keyring, self.partners, self.tokens),
            self.datasets,
            self.renderers,
            Erasures(self.store, self.clock, self.erased, self.erasure_log),
            self.audiences,
            self.live,
            self.gauges,
            self.backing_up,
            self.quotas,
            self._trials(call_limit),
            self.landing,
        )

    def _trials(self, call_limit: CallLimit) -> StorageTrials:
        """Make what asks storages for people who wait for the answer."""
        within, told_after = self.settings.request_deadline, self.settings.unreached_after
        return StorageTrials(self.storages, call_limit, self.clock, within=within, told_after=told_after)

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        now = self.clock.now()
        # Inside the transaction: whoever dies between the two would leave a store that nobody can sign in to.
        await self.store.write(lambda tx: write_credentials(self.settings, access.begin(tx, now)))
        async with self.running():
            self.board(Started(url=url_of(self.settings), data_dir=str(self.settings.data_dir)))
            yield
        self.passwords.close()


class _Server(uvicorn.Server):
    """The server, which claims nothing more as soon as it is told to stop, and ends at once when told again."""

    def __init__(self, config: uvicorn.Config, headrace: Headrace) -> None:
        super().__init__(config)
        self._headrace = headrace

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(128 + sig)
        self._headrace.worker.close()
        super().handle_exit(sig, frame)


def serve(settings: Settings) -> None:
    """
    Run everything in this process until it is told to stop (SIGINT, SIGTERM); told a second time, end at once.

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
        _Server(config, headrace).run(sockets=[listener])


def _end(*_: object) -> None:
    """End well when asked to; uvicorn hands a signal on when it has shut down, and by default that is a death."""
    sys.exit(0)


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
