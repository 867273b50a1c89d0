"""Headrace as a worker: the engine without the REST API, which delivers what others take in."""

import asyncio
import contextlib
import hmac
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import uvicorn
import uvloop

from headrace.api.loopback import is_loopback
from headrace.app import WORKER, Engine, spare_the_collector
from headrace.connect.listener import listen
from headrace.errors import OperationError
from headrace.events import Libraries, WorkerStarted
from headrace.settings import Settings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"


def work(settings: Settings, name: str = "", metrics_port: int | None = None) -> None:
    """
    Deliver until told to stop (SIGINT, SIGTERM); told a second time, end at once.

    Raises:
        OperationError: a setting, the data directory or the key file is not right, or there is no PostgreSQL.
    """
    engine = Engine(settings, kind=WORKER, name=name)
    logging.getLogger().addHandler(Libraries(engine.board))
    spare_the_collector()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_deliver(engine, metrics_port))


async def _deliver(engine: Engine, metrics_port: int | None) -> None:
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, _note, told, number)
    async with engine.running():
        engine.board(WorkerStarted(process=engine.presence.name))
        async with _door(engine, metrics_port):
            await told.wait()
            engine.worker.close()


def _note(told: asyncio.Event, number: int) -> None:
    if told.is_set():
        os._exit(128 + number)
    told.set()


@contextlib.asynccontextmanager
async def _door(engine: Engine, port: int | None) -> AsyncIterator[None]:
    """Serve whether the process works, and its metrics, on a port if one is given."""
    if port is None:
        yield
        return
    with listen(engine.settings.host, port) as listener:
        config = uvicorn.Config(Door(engine), lifespan="off", log_config=None, access_log=False, ws="none")
        server = _Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        yield
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """A server that leaves signals alone: they are the worker's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Door:
    """The small door of a worker: ``/healthz`` and ``/metrics``, as ``serve`` has them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(
        self, scope: dict[str, Any], _receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        status, kind, body = await self._answer(scope)
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: dict[str, Any]) -> tuple[int, bytes, bytes]:
        if scope["path"] == "/healthz":
            return await self._health()
        if scope["path"] == "/metrics":
            return self._metrics(dict(scope["headers"]).get(b"authorization", b""))
        return 404, _TEXT, b"a worker has /healthz and /metrics\n"

    async def _health(self) -> tuple[int, bytes, bytes]:
        try:
            await self._engine.store.read(lambda tx: tx.run("SELECT 1").fetchone())
        except OperationError as error:
            return 503, _TEXT, f"{error.message}\n".encode()
        return 200, b"application/json", b'{"status":"ok"}'

    def _metrics(self, authorization: bytes) -> tuple[int, bytes, bytes]:
        wanted = self._engine.settings.metrics_token
        if wanted and not hmac.compare_digest(authorization.removeprefix(b"Bearer "), wanted.encode()):
            return 401, _TEXT, b"metrics need their token\n"
        if not wanted and not is_loopback(self._engine.settings.host):
            return 403, _TEXT, b"set HEADRACE_METRICS_TOKEN to serve metrics on this address\n"
        return 200, _TEXT, self._engine.board.exposition()
