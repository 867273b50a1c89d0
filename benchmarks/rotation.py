"""
How long it takes to seal a hundred thousand secrets anew, and how long others wait for the store meanwhile.

Makes a store with accounts and their versions, gives the organization a new data key, and seals everything with it, as
`headrace keys rotate` does; beside it somebody writes a row again and again.

    python benchmarks/rotation.py --values 100000

Measured on two processors that were busy with other work: 20,000 values in 6.4 s, 3,100 a second, which is half a
minute for 100,000; another writer waited a quarter of a second at the most.
"""

import argparse
import asyncio
import tempfile
import time
from contextlib import closing
from pathlib import Path

from headrace.clock import SystemClock
from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring
from headrace.services import access as letting_in
from headrace.services import key_rotation
from headrace.services.caller import Principal
from headrace.services.grants import Grants
from headrace.services.sealing import Safe
from headrace.store import access, documents
from headrace.store.database import Store, Transaction
from headrace.store.keys import StoredKeys
from headrace.store.migrate import migrate

#: What is asked for, in seconds.
LIMIT = 600.0
AT_ONCE = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=20_000)
    values = parser.parse_args().values
    with tempfile.TemporaryDirectory(prefix="headrace-rotation-") as folder, closing(Store.open(Path(folder))) as store:
        migrate(store)
        store.write_now(lambda tx: letting_in.begin(tx, 0))
        keyring = Keyring(LocalKeyFile(Path(folder) / "key"), StoredKeys(store))
        fill(store, keyring, values)
        seconds, done, longest = asyncio.run(rotate(store, keyring))
    print(
        f"{done} values sealed anew in {seconds:.1f} s ({done / seconds:.0f} a second), of {LIMIT:.0f} s allowed for "
        f"100000; another writer waited {longest * 1000:.0f} ms at the most"
    )


def fill(store: Store, keyring: Keyring, values: int) -> None:
    """Keep accounts with one secret each, which is kept once more in their first version."""
    (tenant,) = store.read_now(access.all_tenants)
    safe = Safe(keyring, tenant)
    for start in range(0, values // 2, AT_ONCE):
        ids = [f"account-{number}" for number in range(start, min(start + AT_ONCE, values // 2))]
        made = [(id_, {"auth": {"specName": "BEARER", "params": safe.seal(id_, {"token": id_ * 4})}}) for id_ in ids]

        def work(tx: Transaction, made: list[tuple[str, documents.Document]] = made) -> None:
            for id_, document in made:
                documents.add(tx, tenant.tenant, "account", id_, document, 0, "nobody")

        store.write_now(work)


async def rotate(store: Store, keyring: Keyring) -> tuple[float, int, float]:
    """Rotate, and return how long it took, how many values were sealed anew, and the longest wait of another writer."""
    (organization,) = await store.read(access.all_organizations)
    principal, clock = Principal("nobody", organization, Grants({})), SystemClock()
    await key_rotation.rotate(store, clock, keyring, principal)
    waits: list[float] = []
    writing = asyncio.create_task(keep_writing(store, waits))
    began, done = time.perf_counter(), 0
    while (step := await key_rotation.reseal(store, clock, keyring, principal)).left and step.done:
        done += step.done
    seconds = time.perf_counter() - began
    writing.cancel()
    return seconds, done + step.done, max(waits, default=0.0)


async def keep_writing(store: Store, waits: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await store.write(lambda tx: access.raise_configuration(tx, 1))
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    main()
