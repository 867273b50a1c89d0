"""Runs go on where they were, whoever dies, and no step that was done is done again."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.store import access, runs
from headrace.store.database import Store
from stores import open_new
from support import PATIENCE, environment, eventually

PROGRAM = Path(__file__).with_name("program.py")


class Theatre:
    """A store, and processes that carry its runs."""

    def __init__(self, folder, database_url):
        self.folder = folder
        self.database_url = database_url
        self.steps = folder / "steps"
        self.processes = []

    def start(self, name, *, die="", dead=2.0, alone=True, data="data", **more):
        """Start a process; one that is not alone has a data directory of its own."""
        options = {
            "directory": str(self.folder / data),
            "steps": str(self.steps),
            "database_url": self.database_url,
            "die": die,
            "dead": dead,
            "alone": alone,
            "name_of_process": name,
            **more,
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", str(PROGRAM), json.dumps(options)],
                env=environment(self.folder),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def ask(self):
        """Ask for a run of ten steps, before any process is there."""
        store = open_new(self.folder / ("asking" if self.database_url else "data"), self.database_url)

        def work(tx):
            organization = access.add_organization(tx, "house")
            tenant = access.add_tenant(tx, organization, "prod", "id")
            return runs.ask(tx, getattr(tenant, "tenant", tenant), "ten", {}, "client:a", 0).run

        run = store.write_now(work)
        store.close()
        return run

    def row(self, run):
        """Return the row of a run, once no process has the store."""
        store = Store.open(self.folder / "asking", self.database_url) if self.database_url else self._open()
        row = store.read_now(lambda tx: runs.get(tx, run))
        store.close()
        return row

    def _open(self):
        return Store.open(self.folder / "data")

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def wait_for(self, name, words):
        try:
            eventually(f"{name} says {words!r}", lambda: words in self.log(name), 30)
        except AssertionError:
            raise AssertionError(self.log(name)) from None

    def wait_until_stopped(self, process):
        """Wait until a process is stopped, as by SIGSTOP."""
        status = Path(f"/proc/{process.pid}/stat")
        eventually("the process is stopped", lambda: status.read_text().rpartition(")")[2].split()[0] == "T")

    def done(self):
        """Return the numbers of the steps that were done, in order."""
        return [int(line.split()[0]) for line in self.steps.read_text().splitlines()]

    def by(self):
        return [line.split()[1] for line in self.steps.read_text().splitlines()]

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait(PATIENCE)


@pytest.fixture
def theatre(tmp_path, lend_database):
    with lend_database() as database_url:
        opened = Theatre(tmp_path, database_url)
        yield opened
        opened.close()


@pytest.mark.parametrize(
    ("die", "before"),
    [
        pytest.param("in step 5", 5, id="in the fifth step"),
        # What lies between the row and the steps is proved in tests/deaths, too.
        pytest.param("before begin", 0, id="between the row's commit and the beginning", marks=pytest.mark.campaign),
        pytest.param(
            "after the last step", 10, id="between the last step and the row's end", marks=pytest.mark.campaign
        ),
    ],
)
def test_a_run_goes_on_where_it_was_after_the_process_is_killed(theatre, die, before):
    run = theatre.ask()
    assert theatre.start("first", die=die).wait(20) == -signal.SIGKILL, theatre.log("first")
    assert len(theatre.steps.read_text().splitlines()) == before

    second = theatre.start("second")
    theatre.wait_for("second", "RunEnded:")
    theatre.end(second)

    assert theatre.done() == list(range(10))
    assert theatre.by() == ["first"] * before + ["second"] * (10 - before)
    assert theatre.row(run).state == "succeeded"
    assert theatre.log("second").count("RunTakenOver:") == 1
    assert "DBOS:" not in theatre.log("second")


def test_a_run_that_the_orchestrator_has_forgotten_is_begun_again(theatre):
    run = theatre.ask()
    theatre.start("first", die="in step 5").wait(20)
    if theatre.database_url:
        store = Store.open(theatre.folder / "asking", theatre.database_url)
        store.write_now(lambda tx: tx.run("DROP SCHEMA dbos CASCADE"))
        store.close()
    else:
        (theatre.folder / "data" / "runs.db").unlink()

    second = theatre.start("second")
    theatre.wait_for("second", "RunEnded:")
    theatre.end(second)

    assert theatre.done() == [*range(5), *range(10)]
    assert theatre.row(run).state == "succeeded"


def test_an_upgrade_that_does_the_work_in_the_same_steps_goes_on_with_it(theatre):
    run = theatre.ask()
    theatre.start("old", die="in step 5").wait(20)
    new = theatre.start("new", steps_in_all=12)
    theatre.wait_for("new", "RunEnded:")
    theatre.end(new)

    assert theatre.done() == list(range(12))
    assert theatre.row(run).state == "succeeded"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"version": "2"}, "was begun by another version of Headrace", id="and says so by its number"),
        pytest.param({"step_name": "stage"}, "does the work in other steps", id="and forgot to say so"),
    ],
)
def test_an_upgrade_that_does_the_work_in_other_steps_refuses_to_go_on(theatre, change, reason):
    run = theatre.ask()
    theatre.start("old", die="in step 5").wait(20)
    new = theatre.start("new", **change)
    theatre.wait_for("new", "RunFailed:")
    theatre.end(new)

    assert theatre.done() == list(range(5))
    assert theatre.row(run).state == "failed"
    assert reason in theatre.row(run).reason


def test_a_process_that_is_asked_to_stop_leaves_its_runs_to_the_next(theatre):
    run = theatre.ask()
    first = theatre.start("first", step_seconds=0.3)
    eventually("some steps are done", lambda: theatre.steps.exists() and len(theatre.done()) >= 3)
    theatre.end(first)
    before = theatre.done()
    second = theatre.start("second")
    theatre.wait_for("second", "RunEnded:")
    theatre.end(second)

    assert 3 <= len(before) < 10
    assert theatre.done() == list(range(10))
    assert theatre.row(run).state == "succeeded"


class TestTwoProcesses:
    """Two processes on one database, each with a data directory of its own and without the lock of the store."""

    @pytest.fixture
    def theatre(self, tmp_path, postgres):
        with postgres.lent() as database_url:
            opened = Theatre(tmp_path, database_url)
            yield opened
            opened.close()

    @pytest.mark.campaign
    def test_the_living_one_takes_the_run_of_the_dead_one_over(self, theatre):
        run = theatre.ask()
        theatre.start("first", die="in step 5", alone=False, data="one").wait(20)
        second = theatre.start("second", alone=False, data="two")
        theatre.wait_for("second", "RunEnded:")
        theatre.end(second)

        assert theatre.done() == list(range(10))
        assert theatre.by() == ["first"] * 5 + ["second"] * 5
        assert theatre.log("second").count("RunTakenOver:") == 1
        assert theatre.row(run).state == "succeeded"

    def test_one_that_was_thought_dead_and_wakes_up_does_no_further_step(self, theatre):
        run = theatre.ask()
        zombie = theatre.start("zombie", die="stop before 5", alone=False, data="one")
        theatre.wait_until_stopped(zombie)
        second = theatre.start("second", alone=False, data="two", step_seconds=0.5)
        theatre.wait_for("second", "RunTakenOver:")
        eventually("the second goes on", lambda: "second" in theatre.by())
        zombie.send_signal(signal.SIGCONT)
        theatre.wait_for("second", "RunEnded:")
        theatre.end(zombie)
        theatre.end(second)

        assert theatre.done() == list(range(10))
        assert theatre.by() == ["zombie"] * 5 + ["second"] * 5
        assert "RunEnded:" not in theatre.log("zombie")
        assert theatre.row(run).state == "succeeded"
