"""Several processes deliver from one PostgreSQL, are killed, stopped, asked to end: nothing is lost or out of order."""

import contextlib
import signal
import subprocess
import time

import pytest

from headrace.testkit.partner import Answer
from postgres import Database
from support import PATIENCE, command, environment, eventually, run

from .journey import _UNDER_WAY, SETTINGS, check_everything, history, journey


class Fleet:
    """A server that leaves delivery to workers, the workers, and the journey on which they are."""

    def __init__(self, home, travelling, address):
        self.home = home
        self.travelling = travelling
        allow = ",".join(partner.origin for partner in travelling.partners.values())
        self._settings = {"key_file": str(home / "master.key"), "database_url": address, "egress_allow": allow}
        self._settings |= SETTINGS
        self.workers = {}

    def start(self, name, **settings):
        """Start a worker, and wait until it is there."""
        line = command("worker", "--name", name, "--data-dir", str(self.home / "data"))
        with self.log(name).open("ab") as log:
            given = environment(self.home, **{**self._settings, **settings})
            self.workers[name] = subprocess.Popen(line, env=given, cwd=self.home, stdout=log, stderr=log)
        eventually(
            f"the worker {name} starts",
            lambda: "worker_started" in self.log(name).read_text() or self.workers[name].poll() is not None,
        )
        assert self.workers[name].poll() is None, self.log(name).read_text()

    def log(self, name):
        return self.home / f"{name}.log"

    def signal(self, name, number):
        """Send a signal to a worker, and note what was under way then."""
        self.workers[name].send_signal(number)
        if number in (signal.SIGKILL, signal.SIGSTOP):
            for dataflow, messages, entries in self.travelling.read_what_died(_UNDER_WAY):
                self.travelling.under_way.messages[dataflow] += messages
                self.travelling.under_way.entries[dataflow] += entries

    def when_received(self, count, what):
        """Do something once, as soon as the partners have received so many requests; they are told at that moment."""
        left = [what]

        def note(_received):
            if left and sum(partner.count for partner in self.travelling.partners.values()) >= count:
                left.pop()()

        self.travelling.note = note

    def check(self, *, stopped=()):
        """Check everything; who was stopped may have been cut off by the database, and have said so."""
        check_everything(self.travelling)
        for name in self.workers:
            assert "Traceback" not in self.log(name).read_text()
            assert name in stopped or "worker_failed" not in self.log(name).read_text(), self.log(name).read_text()

    def stop(self):
        for process in self.workers.values():
            process.kill()
            process.wait(PATIENCE)


@pytest.fixture
def fleet(tmp_path, postgres):
    with (
        postgres.lent() as address,
        journey(tmp_path, Database(postgres, address), deliver="false") as travelling,
        contextlib.closing(contextlib.ExitStack()) as last,
    ):
        fleet = Fleet(tmp_path, travelling, address)
        last.callback(fleet.stop)
        yield fleet


def test_what_a_killed_worker_had_goes_on_at_another_which_ends_well_when_asked(fleet):
    fleet.start("one")
    fleet.start("two")
    fleet.when_received(30, lambda: fleet.signal("one", signal.SIGKILL))
    fleet.travelling.send_all(history(60))
    began = time.monotonic()
    fleet.travelling.wait_until_settled()

    assert fleet.workers["one"].wait(PATIENCE) == -signal.SIGKILL
    assert time.monotonic() - began < 35, "nobody waited for the leases to end"
    fleet.check()
    fleet.signal("two", signal.SIGTERM)
    assert fleet.workers["two"].wait(PATIENCE) == 0


@pytest.mark.campaign
def test_a_worker_that_is_stopped_for_too_long_does_no_harm_when_it_goes_on(fleet):
    for name in ("one", "two", "three"):
        fleet.start(name)
    for partner in fleet.travelling.partners.values():
        partner.delay = 0.05
    states = history(120)
    fleet.when_received(60, lambda: fleet.signal("one", signal.SIGSTOP))
    fleet.travelling.send_all(states[: len(states) // 2])
    fleet.travelling.send_all(states[len(states) // 2 :])
    fleet.travelling.wait_until_settled()
    fleet.signal("one", signal.SIGCONT)
    time.sleep(3)

    fleet.travelling.wait_until_settled()
    assert fleet.workers["one"].poll() is None
    fleet.check(stopped=["one"])


@pytest.mark.campaign
def test_workers_that_are_killed_and_begin_again_and_again_lose_nothing(fleet):
    for name in ("one", "two", "three"):
        fleet.start(name)
    states = history(200)
    for number, start in enumerate(range(0, len(states), 70)):
        name = ("one", "two", "three")[number % 3]
        fleet.travelling.send_all(states[start : start + 70])
        fleet.signal(name, signal.SIGKILL)
        fleet.workers[name].wait(PATIENCE)
        fleet.start(name)
    fleet.travelling.wait_until_settled()

    fleet.check()


@pytest.mark.campaign
def test_a_worker_that_is_asked_to_end_gives_back_what_it_has_not_sent(fleet):
    """Its partners hang; the other worker, which begins later, sends everything, and no attempt is counted."""
    scripts = {name: partner._default for name, partner in fleet.travelling.partners.items()}
    for partner in fleet.travelling.partners.values():
        partner._default = Answer(hang=True)
    fleet.start("one", request_deadline="2")
    fleet.travelling.send_all(history(40))
    eventually("requests are under way", lambda: sum(p.count for p in fleet.travelling.partners.values()) >= 4)
    fleet.signal("one", signal.SIGTERM)
    assert fleet.workers["one"].wait(PATIENCE) == 0
    for name, partner in fleet.travelling.partners.items():
        partner._default = scripts[name]
    fleet.start("two")
    fleet.travelling.wait_until_settled()

    fleet.check()


@pytest.mark.campaign
def test_a_worker_that_is_told_twice_to_end_ends_at_once(fleet):
    for partner in fleet.travelling.partners.values():
        partner._default = Answer(hang=True)
    fleet.start("one")
    fleet.travelling.send_all(history(20))
    eventually("requests are under way", lambda: sum(p.count for p in fleet.travelling.partners.values()) >= 2)
    fleet.signal("one", signal.SIGTERM)
    time.sleep(0.5)
    assert fleet.workers["one"].poll() is None
    fleet.signal("one", signal.SIGTERM)

    assert fleet.workers["one"].wait(3) == 128 + signal.SIGTERM


def test_a_worker_on_sqlite_refuses_and_names_postgresql(tmp_path):
    ended = run(tmp_path, "worker", "--data-dir", str(tmp_path / "data"))

    assert ended.returncode == 2
    assert ended.stderr.startswith("headrace: 'headrace worker' shares its store with other processes")
    assert "HEADRACE_DATABASE_URL" in ended.stderr
    assert not (tmp_path / "data").exists()
