"""
What stands before a history begins: a store with a sandbox, a destination and a dataflow, authored by the services.

It is made once for each way of gathering people, and kept as bytes.
"""

import asyncio
import atexit
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring
from headrace.model.roles import PERMISSIONS
from headrace.services import access as letting_in
from headrace.services import activation, authoring, sources, targets
from headrace.services.caller import Caller
from headrace.store import access
from headrace.store.keys import StoredKeys
from headrace.store.memory import Memory
from headrace.store.migrate import migrate
from headrace.testkit.simulation.disk import Disk, SimulatedStore
from headrace.testkit.simulation.loop import Loop
from headrace.testkit.simulation.process import Clock

AUDIENCES = ("a", "b", "c")
SELECTORS = "/transformations/0/params/segmentSelectors/selectors"

_BODY = (
    '{"message": "{{ message.id }}", "edition": EDITION, "key": {{ input.aggregationKey | toJson }}, '
    '"people": {{ input.profiles | toJson }}}'
)
#: How people are gathered into messages.
POLICIES: dict[str, dict[str, Any]] = {
    "together": {"most": 3},
    "one by one": {"most": 1},
    "by audience": {"most": 3, "includeSegmentId": True},
    "by status": {"most": 4, "includeSegmentId": True, "includeSegmentStatus": True},
    "by identity": {
        "most": 2,
        "includeSegmentId": True,
        "includeIdentity": True,
        "groups": [{"namespaces": ["id"]}],
    },
    "answered one by one": {"most": 4},
}
#: How the partner's answers tell of single people, in one of them.
_RESULTS = {
    "results": {
        "path": "results",
        "by": "id",
        "id": "id",
        "entryId": "identityMap.id[0].id",
        "names": "all",
        "success": {"path": "taken", "values": ["yes"]},
        "retry": {"path": "taken", "values": ["later"]},
    }
}


@dataclass(frozen=True, slots=True)
class Ground:
    """A store as bytes, and what is in it."""

    policy: str
    image: bytes
    key_file: Path
    caller: Caller
    server: str
    flow: str


@lru_cache(maxsize=1)
def memory() -> Memory:
    """Return the one database that histories are made in, one after the other."""
    return Memory()


@contextmanager
def named_by(luck: Random) -> Iterator[None]:
    """Have names that are random by themselves, those of objects and runs, come from a seed."""
    real = uuid.uuid4
    uuid.uuid4 = lambda: uuid.UUID(int=luck.getrandbits(128), version=4)
    try:
        yield
    finally:
        uuid.uuid4 = real


@lru_cache(maxsize=len(POLICIES))
def ground(policy: str) -> Ground:
    """Return what stands where people are gathered so."""
    luck = Random(f"ground {policy}")  # noqa: S311 - to be repeated, not to be secret
    database = memory()
    database.load(_empty())
    with named_by(luck):
        return Loop.seeded(luck).run(_author(policy, Disk(database, luck)))


@lru_cache(maxsize=1)
def _empty() -> bytes:
    """Return a store of the newest form, with a sandbox in it."""
    database = Memory()
    store = SimulatedStore(Disk(database, Random(0)))  # noqa: S311
    with named_by(Random(0)):  # noqa: S311
        migrate(store)
        store.write_now(lambda tx: letting_in.begin(tx, 0))
    image = database.image()
    database.close()
    return image


@lru_cache(maxsize=1)
def _key_file() -> Path:
    folder = Path(mkdtemp(prefix="headrace-simulation-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "key"


async def _author(policy: str, disk: Disk) -> Ground:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    store, clock = SimulatedStore(disk), Clock(loop)
    keyring = Keyring(LocalKeyFile(_key_file()), StoredKeys(store), clock)
    (tenant,) = store.read_now(access.all_tenants)
    caller = Caller("client:author", tenant, frozenset(PERMISSIONS))
    keyring.fingerprint("", tenant.organization)
    server = await authoring.save(store, clock, keyring, caller, authoring.SERVER, server_document(policy, 1))
    document = _destination(policy, server.declared.id)
    destination = await authoring.save(store, clock, keyring, caller, authoring.DESTINATION, document)
    connection = {"name": "flow", "connectionSpec": {"id": destination.declared.id}}
    source = await sources.create_source(store, clock, caller, connection)
    target = await targets.create_target(store, clock, keyring, caller, connection)
    flow = await activation.create(store, clock, caller, _flow(source.id, target.id))
    return Ground(policy, disk.memory.image(), _key_file(), caller, server.declared.id, flow.id)


def server_document(policy: str, edition: int) -> dict[str, Any]:
    """Return the server with the template of an edition: what it renders says which it is."""
    body = {
        "templatingStrategy": "PEBBLE_V1",
        "value": _BODY.replace("EDITION", str(edition)),
        "x-headrace": {"escaping": "none"},
    }
    answers = {"answers": _RESULTS} if policy == "answered one by one" else {}
    return {
        "name": "server",
        "destinationServerType": "URL_BASED",
        "urlBasedDestination": {"url": {"templatingStrategy": "NONE", "value": "https://partner.example/"}},
        "httpTemplate": {
            "httpMethod": "POST",
            "contentType": "application/json",
            "requestBody": body,
            "x-headrace": {"messageIdHeader": "Idempotency-Key", **answers},
        },
    }


def _destination(policy: str, server: str) -> dict[str, Any]:
    key = dict(POLICIES[policy])
    best_effort = {"maxUsersPerRequest": key.pop("most"), "splitUserById": False, "aggregationKey": key or None}
    return {
        "name": "flow",
        "status": "TEST",
        "identityNamespaces": {"id": {"acceptsCustomNamespaces": True}},
        "schemaConfig": {"segmentRequired": True, "profileRequired": True},
        "aggregation": {"aggregationType": "BEST_EFFORT", "bestEffortAggregation": best_effort},
        "destinationDelivery": [{"authenticationRule": "NONE", "destinationServerId": server}],
    }


def selector(id_: str) -> dict[str, Any]:
    """Return how an audience is chosen."""
    value = {"id": id_, "namespace": "ups", "name": id_.upper(), "mappingId": f"list-{id_}"}
    return {"type": "PLATFORM_SEGMENT", "value": value}


def _flow(source: str, target: str) -> dict[str, Any]:
    rows = (("identityMap.crmId", "identityMap.id"), ("city", "city"))
    fields = [{"type": "JSON_PATH", "value": {"path": a, "mapping": {"source": a, "destination": b}}} for a, b in rows]
    params = {
        "segmentSelectors": {"selectors": [selector(id_) for id_ in AUDIENCES]},
        "profileSelectors": {"selectors": fields},
    }
    return {
        "name": "flow",
        "sourceConnectionIds": [source],
        "targetConnectionIds": [target],
        "transformations": [{"name": "GeneralTransform", "params": params}],
    }
