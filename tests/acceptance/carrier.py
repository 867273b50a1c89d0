"""A process that carries the runs of a data directory which are due, and ends: ``carrier.py DATA KEY ORIGIN``."""

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

from headrace.clock import SystemClock
from headrace.connect.call import CallFailed
from headrace.connect.egress import AllowList, Egress
from headrace.connect.http import HttpTransport
from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring
from headrace.services.at_partner.carrying import AudienceCalls
from headrace.services.partners import Partners
from headrace.store import runs
from headrace.store.database import Store
from headrace.store.keys import StoredKeys


@dataclass
class PlainSteps:
    """Steps that remember nothing: whoever dies does everything again."""

    run: str

    async def step(self, _name, work):
        return await work()


async def carry(data, key, origin):
    store, clock = Store.open(data, ""), SystemClock()
    transport = HttpTransport(Egress(AllowList.parse(origin)))
    keyring = Keyring(LocalKeyFile(key), StoredKeys(store))
    calls = AudienceCalls(store, clock, Partners(keyring, transport, 5.0), _nobody)
    for (id_,) in store.read_now(lambda tx: tx.run("SELECT run FROM runs WHERE state = 'asked'").fetchall()):
        run = store.read_now(lambda tx, id_=id_: runs.get(tx, id_))
        with contextlib.suppress(CallFailed):
            await calls.carry(run, PlainSteps(id_))
        store.write_now(lambda tx, id_=id_: runs.end(tx, id_, "succeeded", clock.now()))
    await transport.close()
    store.close()


async def _nobody(_tenant):
    return None


if __name__ == "__main__":
    asyncio.run(carry(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
