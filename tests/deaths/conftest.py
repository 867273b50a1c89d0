"""The process that all lives are forks of."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from acceptance.journey import check_ids
from headrace.testkit.partner import Partner
from support import environment
from unit.services.house import person

_UNDER_WAY = """
    SELECT count(DISTINCT g.claim_group) FROM groups g WHERE g.lease_until IS NOT NULL
"""
SETTINGS = {"retry_steps": "0.05,0.05,0.1,0.1,0.2,0.2,0.2,0.5,0.5,0.5", "request_deadline": 10, "renderers": 1}
#: How many times as much the campaigns do.
MORE = int(os.environ.get("HEADRACE_MORE", "1"))


@pytest.fixture(scope="session")
def mother(tmp_path_factory):
    """Starts the process with everything imported; it ends when nobody writes to it any more."""
    home = tmp_path_factory.mktemp("mother")
    program = [sys.executable, str(Path(__file__).with_name("lives.py"))]
    env = {**environment(home), "HEADRACE_CRASH_AT": ""}
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True) as process:
        yield process
        process.stdin.close()


def have_lived(mother, job):
    """Have somebody live once, and return how it ended."""
    mother.stdin.write(json.dumps(job) + "\n")
    mother.stdin.flush()
    return int(mother.stdout.readline())


@pytest.fixture
def lived(mother, tmp_path):
    """Has a function of a module called in a life of its own, which may end at a crash point; returns how it ended."""

    def live(call, *given, crash_at=""):
        job = {"work": "call", "call": call, "given": given, "crash_at": crash_at, "log": str(tmp_path / "log")}
        status = have_lived(mother, job)
        assert crash_at or status == 0, (tmp_path / "log").read_text()[-12000:]
        return status

    return live


class Story:
    """One data directory through many lives, a partner that outlives them, and what is true."""

    def __init__(self, mother, home, partner, **given):
        self.mother, self.home, self.partner = mother, home, partner
        self.given = {"url": partner.url, "batches": [], **given}
        self.deaths, self.under_way, self.states = {}, 0, {}
        self.settings = {
            "data_dir": str(home / "data"),
            "key_file": str(home / "master.key"),
            "egress_allow": partner.origin,
            **SETTINGS,
        }
        self.live("begin" if given.get("is_begun", True) else "nothing")

    def tell(self, *states):
        """Have something told in the next life: one batch."""
        self.given["batches"].append(list(states))
        for state in states:
            self.states.setdefault(state["identityMap"]["crmId"][0]["id"], []).append(state)

    def live(self, work, crash_at="", answers=(), **constants):
        """Live once; return how it ended."""
        self.partner._script.clear()
        self.partner._script.extend(answers)
        job = {
            "settings": self.settings,
            "given": self.given,
            "work": work,
            "crash_at": crash_at,
            "constants": constants,
            "log": str(self.home / "log"),
        }
        status = have_lived(self.mother, job)
        if crash_at:
            self.deaths[crash_at] = status
            if status == -signal.SIGKILL and work in ("deliver", "claim"):
                self.under_way += self.count(_UNDER_WAY)
        else:
            assert status == 0, (status, self.left(), self.log)
        return status

    def die(self, work, crash_at, *answers, is_sure=True, **constants):
        """Live up to a point, which must be reached, or if it is not sure may be passed less often; say if it was."""
        status = self.live(work, crash_at, answers, **constants)
        assert status == -signal.SIGKILL or (status == 0 and not is_sure), (
            crash_at,
            status,
            self.log,
        )
        return status != 0

    def left(self):
        """Return what a life has left that was given up: groups, and runs that have not ended."""
        with contextlib.closing(sqlite3.connect(self.home / "data" / "headrace.db")) as store:
            groups = store.execute("SELECT * FROM groups").fetchall()
            return groups, store.execute("SELECT kind, state FROM runs WHERE ended_at IS NULL").fetchall()

    @property
    def log(self):
        return (self.home / "log").read_text()[-12000:]

    def count(self, query):
        with contextlib.closing(sqlite3.connect(self.home / "data" / "headrace.db")) as store:
            return store.execute(query).fetchone()[0]

    @property
    def notes(self):
        return json.loads((self.home / "notes.json").read_text())

    # -- what must hold ---------------------------------------------------------------------------------------------

    def told(self, *, all_=False):
        """Yield what was told of whom, in order: (person, number, status of each audience)."""
        for request in list(self.partner.received):
            if all_ or (request.answered is not None and 200 <= request.answered < 300):
                for someone in request.json()["people"]:
                    statuses = {
                        id_: item["status"] for id_, item in someone.get("segmentMembership", {}).get("ups", {}).items()
                    }
                    yield someone["identityMap"]["id"][0]["id"], _number(someone), statuses

    def believed(self):
        """Return whom the partner takes for members."""
        last = {}
        for who, _, statuses in self.told():
            last[who] = last.get(who, {}) | statuses
        return {who for who, statuses in last.items() if statuses.get("a") == "realized"}

    def lose(self):
        """Lose the data directory."""
        (self.home / "data").rename(self.home / "lost")

    def judge(self, parked=(), *, twice=False):
        """Hold the partner's record and the books against what is true."""
        last = {}
        for who, _, statuses in self.told():
            last.setdefault(who, {}).update(statuses)
        newest = Counter()
        for who, number, _ in self.told(all_=True):
            if number is None:  # They were erased, and nothing is known of them but that they leave.
                continue
            assert number >= newest[who], f"{who} is told of {number} after {newest[who]}"
            newest[who] = number
            true = {int(state["city"]): state for state in self.states[who]}
            assert number in true, f"{who} never had the state {number}"
        for who, states in self.states.items():
            if who not in parked:
                is_member = states[-1]["segmentMembership"]["ups"]["a"]["status"] == "realized"
                assert (last.get(who, {}).get("a") == "realized") == is_member, f"{who}: {last.get(who)}"
        check_ids(list(self.partner.received))
        if not twice:
            self.judge_duplicates()
        self.judge_books()

    def judge_duplicates(self):
        """A message is taken twice only where nobody knew of the first time, and then with the same id."""
        ids = Counter(
            request.headers["idempotency-key"] for request in self.partner.received if request.answered == 200
        )
        assert sum(count - 1 for count in ids.values()) <= self.under_way

    def judge_books(self):
        for book in self.notes["books"].values():
            settled = sum(book.get(name, 0) for name in ("delivered", "superseded", "withheld", "parked"))
            assert book.get("pending", 0) == 0
            assert book["accepted"] == settled


def _number(someone):
    city = someone["attributes"].get("city", {}).get("value")
    return None if city is None else int(city)


@pytest.fixture
def story(mother, tmp_path):
    """Begins stories: each has a partner of its own."""
    with contextlib.ExitStack() as open_:

        def begin(**given):
            partner = open_.enter_context(Partner.in_thread())
            return Story(mother, tmp_path, partner, **given)

        yield begin


def people(number, count=12):
    """Return everybody's state of a number: every third has left in every other of them."""
    return [
        person(who, minute=number, city=str(number), a=not (who % 3 == 0 and number % 2 == 0))
        for who in range(1, count + 1)
    ]
