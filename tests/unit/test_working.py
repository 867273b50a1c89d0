"""A worker: what it is made of, and its small door."""

import subprocess
import sys

import pytest

from headrace.app import WORKER, Engine
from headrace.errors import OperationError
from headrace.settings import Settings
from headrace.working import Door


def settings(folder, **more):
    return Settings(data_dir=folder / "data", key_file=folder / "master.key", renderers=1, **more)


@pytest.fixture
def make_door(tmp_path):
    made = []

    def make(**more):
        made.append(Engine(settings(tmp_path, **more)))
        return Door(made[-1])

    yield make
    for engine in made:
        engine.store.close()
        engine.board.close()


async def get(door, path, **headers):
    """Ask, and return the status and the body."""
    sent = []

    async def send(message):
        sent.append(message)

    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    await door({"type": "http", "path": path, "headers": given}, None, send)
    return sent[0]["status"], sent[1]["body"]


def test_the_engine_and_the_worker_start_without_a_web_framework():
    code = (
        "import sys, headrace.working; sys.exit(any(name in sys.modules for name in ('fastapi', 'starlette', 'dbos')))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_worker_says_whether_it_works_and_what_it_has_counted(make_door):
    door = make_door()

    assert await get(door, "/healthz") == (200, b'{"status":"ok"}')
    status, body = await get(door, "/metrics")
    assert (status, b"headrace_log_lines_dropped_total 0.0" in body) == (200, True)
    assert (await get(door, "/ingest/profiles"))[0] == 404


async def test_a_worker_is_not_well_whose_store_does_not_answer(make_door):
    door = make_door()

    async def fail(_):
        raise OperationError("the store cannot take anything now")

    door._engine.store.read = fail

    assert await get(door, "/healthz") == (503, b"the store cannot take anything now\n")


async def test_metrics_want_their_token_where_there_is_one(make_door):
    door = make_door(metrics_token="let-me-in")

    assert (await get(door, "/metrics"))[0] == 401
    assert (await get(door, "/metrics", authorization="Bearer let-me-in"))[0] == 200


async def test_without_a_token_metrics_are_for_this_machine_alone(make_door):
    door = make_door(host="0.0.0.0")

    assert (await get(door, "/metrics"))[0] == 403


@pytest.mark.parametrize(
    ("kind", "more", "named"),
    [(WORKER, {}, "'headrace worker'"), ("serve", {"deliver": False}, "leaves delivery to others")],
    ids=["worker", "no delivery"],
)
def test_what_needs_other_processes_needs_postgresql(tmp_path, kind, more, named):
    with pytest.raises(OperationError, match="needs PostgreSQL: set HEADRACE_DATABASE_URL") as raised:
        Engine(settings(tmp_path, **more), kind=kind)

    assert named in raised.value.message
    assert not (tmp_path / "data").exists()
