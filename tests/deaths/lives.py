"""
Lives of the engine that end at a crash point. One process has everything imported; each life is a fork of it.

It is told what to do line by line on its standard input, as JSON, and answers with how the life ended. A life is the
whole engine without its door: store, delivery, runs, and the transport to real sockets; or a function of a test.
"""

import asyncio
import faulthandler
import gc
import json
import os
import pkgutil
import signal
import sys
import traceback
from contextlib import closing
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import headrace.orchestrate.dbos  # noqa: F401 - a life has no second to import it
from headrace import crashpoints, worker
from headrace.app import Engine
from headrace.clock import SystemClock
from headrace.connect import retry
from headrace.model.roles import PERMISSIONS
from headrace.services import access as letting_in
from headrace.services import backing_up, delivery, key_rotation, presence, restoring
from headrace.services.caller import Caller, Principal
from headrace.services.erasures import Erasures
from headrace.services.grants import Grants
from headrace.services.sealing import Safe
from headrace.settings import Settings
from headrace.store import access, documents, ledger, migrate
from headrace.store.backup import archive
from headrace.store.database import Store
from unit.services.house import House

#: After how many seconds a life is given up that neither dies nor ends; one that does not even hear that, soon after.
LONGEST = 30
SECRETS = ["account-1", "account-2", "account-3"]
#: Waits of the engine that would only make a life longer.
presence.BEAT = 0.2
worker.BACKFILLING = 0.1
worker.HOUSEKEEPING = 0.2
delivery.LONGEST_SLEEP = 0.5


async def until(look):
    """Look until there is something to see."""
    while not look():  # noqa: ASYNC110 - what is looked at is in a store
        await asyncio.sleep(0.005)


class Home(House):
    """The words of a house for an engine that runs in earnest."""

    def __init__(self, engine, given):
        self.engine, self.given = engine, given
        self.store, self.clock, self.keyring = engine.store, engine.clock, engine.keyring
        self.live, self.ingestion, self.runs = engine.live, engine.ingestion, engine.runs
        self.erasures = Erasures(engine.store, engine.clock, engine.erased, engine.erasure_log)
        self.store.write_now(lambda tx: letting_in.begin(tx, self.clock.now()))
        (tenant,) = self.store.read_now(access.all_tenants)
        self.caller = Caller("client:house", tenant, frozenset(PERMISSIONS))
        self.servers, self.destinations, self.flows = {}, {}, {}
        self._notes = engine.settings.data_dir.parent / "notes.json"
        self.notes = json.loads(self._notes.read_text()) if self._notes.exists() else {"acked": 0, "flows": {}}
        self.flows = self.notes["flows"]

    def note(self, **what):
        """Keep in mind what the next life has to know."""
        self.notes |= what
        whole = self._notes.with_suffix(".new")
        whole.write_text(json.dumps(self.notes))
        whole.replace(self._notes)

    def server_document(self, *body):
        document = super().server_document(*body)
        document["urlBasedDestination"]["url"]["value"] = self.given["url"]
        if "server" in self.given:
            document["httpTemplate"]["x-headrace"] |= self.given["server"]
        return document

    def destination_document(self, *name, **policy):
        return super().destination_document(*name, **policy) | self.given.get("destination", {})

    def _wake(self, tenant, numbers):
        self.engine.worker.wake(tenant, numbers)
        self.engine.runs.wake()

    async def feed(self):
        """Take in what was not acknowledged yet, as a sender does that tries again."""
        batches = self.given["batches"]
        while self.notes["acked"] < len(batches):
            batch = batches[self.notes["acked"]]
            receipt = await self.ingest(*(json.dumps(state).encode() for state in batch))
            assert receipt.accepted + sum(item.code == "erased" for item in receipt.rejected) == len(batch), receipt
            self.note(acked=self.notes["acked"] + 1)

    async def rest(self):
        """Wait until nothing is pending and no run is under way, and keep the books in mind."""
        await until(self.is_at_rest)
        self.note(books={name: await self.balance(name) for name in self.flows}, parked=len(self.parked()))

    def is_at_rest(self):
        return self._is_still() and not self.waiting()

    def held(self):
        """Return the names of dataflows that are held."""
        held = {id_ for (id_,) in self.rows("SELECT id FROM dataflows WHERE state = 'held'")}
        return [name for name, id_ in self.flows.items() if id_ in held]

    def whose(self):
        """Return of whom something is parked: (name of the dataflow, person)."""
        names = {id_: name for name, id_ in self.flows.items()}
        query = (
            "SELECT DISTINCT d.id, p.key FROM parked k "
            "JOIN profiles p ON p.tenant = k.tenant AND p.profile = k.profile "
            "JOIN dataflows d ON d.tenant = k.tenant AND d.dataflow = k.dataflow"
        )
        return [(names[id_], key.partition(":")[2]) for id_, key in self.rows(query)]

    def waiting(self):
        (tenant,) = self.store.read_now(access.all_tenants)
        numbers = range(1, len(self.flows) + 1)
        return self.store.read_now(lambda tx: sum(ledger.waiting(tx, tenant.tenant, number) for number in numbers))

    def _is_still(self):
        now = self.clock.now() + 1000
        return not self.rows("SELECT 1 FROM runs WHERE ended_at IS NULL AND due_at < :now", now=now)


# -- what is done in a life -------------------------------------------------------------------------------------------


async def begin(home):
    """Activate, unless a life before has, and have those told of who are there."""
    if "flow" not in home.flows:
        await home.activate("a", **home.given.get("policy", {}))
        home.note(flows=home.flows)
    await home.rest()


async def tell_many(home):
    """Activate a dataflow for each script, and tell; who is held is let go at once, as somebody does who has looked."""
    url, retry.LONGEST_ASKED = home.given["url"], timedelta(seconds=0.3)
    for name, reading in home.given["flows"].items():
        if name not in home.flows:
            home.given |= {"url": f"{url}{name}", "server": reading}
            await home.activate("a", name=name)
    home.note(flows=home.flows)
    await home.feed()
    while not home.is_at_rest():
        for name in home.held():
            await home.switch(True, name=name)
        await asyncio.sleep(0.05)
    home.note(books={name: await home.balance(name) for name in home.flows}, whose=home.whose())


async def linger(home):
    """Be there for long enough to keep house."""
    del home
    await asyncio.sleep(2)


async def nothing(home):
    del home


async def deliver(home):
    await home.feed()
    await home.rest()


async def claim(home):
    """Stop as soon as something is claimed: what was not sent is given back."""
    await home.feed()
    await until(lambda: home.rows("SELECT 1 FROM groups WHERE lease_until IS NOT NULL"))
    home.engine.worker.close()


async def replay(home, kind="replay"):
    if not home.rows("SELECT 1 FROM runs WHERE kind = :kind AND ended_at IS NULL", kind=kind):
        await home.ask(kind)
    await home.rest()


async def discard(home):
    await replay(home, "discard")


async def end_window(home):
    """Let the dates of an audience be over."""
    schedule = {"startDate": "2026-01-01", "endDate": "2026-01-02"}
    path = "/transformations/0/params/segmentSelectors/selectors/0/value/schedule"
    if not home.rows("SELECT 1 FROM dataflows WHERE window_at IS NOT NULL"):
        await home.patch({"op": "add", "path": path, "value": schedule})
        home.store.write_now(lambda tx: tx.run("UPDATE dataflows SET window_at = 1"))
    await asyncio.sleep(1)


async def age(home):
    """Have what is remembered be of long ago."""

    def work(tx):
        tx.run("UPDATE ledger_hours SET hour = 1")
        tx.run("UPDATE history SET day = 1")

    await asyncio.sleep(0.5)
    home.store.write_now(work)


async def forbid(home):
    """Declare that nobody may be told of who has not agreed, which nobody has."""
    if not home.notes.get("policy"):
        home.note(policy=await home.consent())
    home.runs.wake()
    await home.rest()


async def erase(home):
    if not home.notes.get("erasure"):
        asked = await home.erasures.ask(home.caller, {"profile": "crmId:1"})
        home.note(erasure=asked.erasure.erasure)
    home.runs.wake()
    await home.rest()


async def let_go(home):
    """Feed what came since the backup, and enable what was restored."""
    await home.feed()
    if (await home.state())[0] != "enabled":
        await home.switch(True)
    home.runs.wake()
    await home.rest()


async def rotate(home):
    """Rotate both keys, seal and wrap all anew, and open everything."""
    (host,) = home.store.read_now(access.all_organizations)
    common = home.store, home.clock, home.keyring, Principal("client:house", host, Grants({}))
    await key_rotation.rotate(*common)
    await key_rotation.reseal(*common)
    await key_rotation.rotate_master(*common)
    await key_rotation.rewrap(home.store, home.keyring)
    safe = Safe(home.keyring, home.caller.tenant)
    stored = home.store.read_now(lambda tx: [documents.get(tx, home.caller.number, "account", id_) for id_ in SECRETS])
    opened = [safe.open(item.id, item.document["auth"]["params"])["token"].reveal() for item in stored]
    assert opened == SECRETS


async def seal(home):
    """Keep some secrets, each the name of its account."""
    safe = Safe(home.keyring, home.caller.tenant)
    sealed = {id_: safe.seal(id_, {"token": id_}) for id_ in SECRETS}

    def work(tx):
        for id_, params in sealed.items():
            document = {"name": id_, "auth": {"specName": "BEARER", "params": params}}
            documents.add(tx, home.caller.number, "account", id_, document, 1, "me")

    home.store.write_now(work)


# -- what is done without an engine -----------------------------------------------------------------------------------


def back_up(job):
    """Take a backup, whose file has its name once it is whole."""
    target = Path(job["settings"]["data_dir"]).parent / "backup"
    with closing(Store.open(Path(job["settings"]["data_dir"]))) as store:
        with target.with_suffix(".part").open("wb") as file:
            backing_up.write(store, file, SystemClock().now(), at_rest=True)
        archive.verify(target.with_suffix(".part"))
        target.with_suffix(".part").rename(target)


def restore(job):
    directory = Path(job["settings"]["data_dir"])
    backup = directory.parent / "backup"
    with closing(Store.open(directory)) as store:
        restoring.restore(store, restoring.Wanted(backup, archive.verify(backup), moved=False), SystemClock().now())


def move(job, form="head"):
    with closing(Store.open(Path(job["settings"]["data_dir"]))) as store:
        migrate.migrate(store, form)


def move_back(job):
    move(job, migrate.forms()[-2])


WORKS = {
    work.__name__: work
    for work in (begin, nothing, linger, tell_many, deliver, claim, replay, discard, end_window, age, forbid)
}
WORKS |= {work.__name__: work for work in (erase, let_go, rotate, seal)}
ALONE = {work.__name__: work for work in (back_up, restore, move, move_back)}


# -- the process ------------------------------------------------------------------------------------------------------


def give_up():
    """Say what everybody waits for, and end as if the alarm had."""
    faulthandler.dump_traceback()
    for task in asyncio.all_tasks():
        task.print_stack()
    sys.stderr.flush()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.raise_signal(signal.SIGALRM)


async def live(job):
    asyncio.get_running_loop().add_signal_handler(signal.SIGALRM, give_up)
    engine = Engine(Settings(**job["settings"]))
    home = Home(engine, job["given"])
    async with engine.running():
        await WORKS[job["work"]](home)


def run(job):
    """Live once, in a fork: its exit code is how it ended."""
    signal.alarm(LONGEST)
    faulthandler.dump_traceback_later(LONGEST + 5, exit=True)
    try:
        for place, value in job.get("constants", {}).items():
            module, _, name = place.rpartition(".")
            setattr(sys.modules[module], name, value)
        crashpoints.arm(job["crash_at"])
        if job["work"] == "call":
            asyncio.run(pkgutil.resolve_name(job["call"])(*job["given"]))
        elif job["work"] in ALONE:
            ALONE[job["work"]](job)
        else:
            asyncio.run(live(job))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main():
    migrate.forms()  # Every life asks; what reads them from their files is done once.
    gc.freeze()
    for line in sys.stdin:
        job = json.loads(line)
        pkgutil.resolve_name(job.get("call", __name__))  # What it imports is there for the next that is called.
        child = os.fork()
        if child == 0:
            with Path(job["log"]).open("a") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            run(job)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
