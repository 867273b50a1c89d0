"""Landing zones of a house: one for each sandbox, and ways in that end."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import update

from headrace.api.blobs import Blobs
from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring
from headrace.connect.storage import NotStored, served
from headrace.errors import OperationError
from headrace.events import LandingRefused
from headrace.services import key_rotation
from headrace.services.caller import Principal
from headrace.services.grants import Grants
from headrace.services.landing.room import LandingRoom
from headrace.services.landing.sas import Refused
from headrace.services.landing.tidying import keep_tidy, tidy
from headrace.services.landing.zones import LandingZones
from headrace.services.quotas import FILES_FRESH, Quotas
from headrace.services.storages import Storages
from headrace.store import access, landing_zones, tables
from headrace.store.keys import StoredKeys
from headrace.store.quotas import Quota
from unit.services.filing import filing

DAY = 86_400_000


@pytest.fixture
def zones(house, tmp_path):
    return LandingZones(house.store, house.clock, house.keyring, tmp_path / "landing", "https://x.example", 7, 7)


def admit(zones, way, token=None):
    return zones.admit(way.container, parse_qsl(token or way.token))


async def test_a_way_in_is_good_for_as_many_days_as_are_set(house, zones):
    way = await zones.hand_out(house.caller)
    assert way.uri == f"https://x.example/landing/headrace/{way.container}?{way.token}"
    assert dict(parse_qsl(way.token))["spr"] == "https"

    house.clock.at = way.ends_at - 1
    assert (await admit(zones, way)).permissions == "rl"
    house.clock.at = way.ends_at
    with pytest.raises(Refused, match="time frame"):
        await admit(zones, way)
    assert (await admit(zones, await zones.hand_out(house.caller))).directory == zones.directory / way.container


async def test_whoever_asks_first_makes_the_zone_and_all_others_have_it_too(house, zones):
    ways = await asyncio.gather(*(zones.hand_out(house.caller) for _ in range(5)))

    assert len({way.container for way in ways}) == 1
    assert await zones.directory_of(house.caller.tenant) == zones.directory / ways[0].container
    assert [one.name for one in zones.directory.iterdir()] == [ways[0].container]


async def test_a_refresh_ends_every_way_in_of_before_and_of_nobody_else(house, zones):
    number = house.store.write_now(lambda tx: access.add_tenant(tx, 1, "dev", "id-of-dev"))
    other = replace(house.caller, tenant=house.store.read_now(lambda tx: access.tenant_of(tx, number)))
    theirs = await zones.hand_out(other)
    ways = [await zones.hand_out(house.caller), await zones.refresh(house.caller), await zones.refresh(house.caller)]

    for way in ways[:2]:
        with pytest.raises(Refused, match="did not match"):
            await admit(zones, way)
    assert await admit(zones, ways[2])
    assert await admit(zones, theirs)
    with pytest.raises(Refused, match="did not match"):
        await admit(zones, ways[2], theirs.token)


async def test_ways_in_outlive_the_keys_that_seal_secrets(house, zones):
    """A rotation seals what signs anew and removes the key that had sealed it; the master key is another too."""
    way = await zones.hand_out(house.caller)
    principal = Principal("client:house", house.store.read_now(access.all_organizations)[0], Grants({}))
    asked = (house.store, house.clock, house.keyring, principal)
    old = house.store.read_now(lambda tx: tx.run("SELECT key_id FROM data_keys").fetchall())
    await key_rotation.rotate(*asked)
    await key_rotation.rotate_master(*asked)
    await key_rotation.rewrap(house.store, house.keyring)
    assert (await key_rotation.reseal(*asked)).left == 0
    assert await key_rotation.prune(*asked) == {"demo@headrace": [key_id for (key_id,) in old]}
    assert await key_rotation.prune_master(*asked)

    fresh = Keyring(LocalKeyFile(house.store.directory / "key"), StoredKeys(house.store), house.clock)
    assert (await admit(replace(zones, keyring=fresh), way)).permissions == "rl"


async def test_what_signs_is_stored_sealed(house, zones):
    await zones.hand_out(house.caller)
    zone = house.store.read_now(lambda tx: landing_zones.of(tx, house.caller.number))

    assert all(sealed.startswith("v1.k") for sealed in zone.keys.values())
    assert len(zones._key(zone, house.caller.tenant)) == 64


async def test_an_account_writes_into_the_zone_of_its_own_sandbox(house, zones):
    """The first export makes the zone."""
    block = {"/fileBasedDlzDestination/path/value": "exports/daily"}
    made = await filing(house, "FILE_BASED_DLZ", block)
    made.storages = Storages(house.keyring, house.clock, made.storages.way, landing=zones.directory_of)
    await made.sign_in()
    await made.fill_in()

    async def pieces():
        yield b"id\n1\n"

    async with made.access().open() as storage:
        await storage.write("people.csv", pieces())

    place = (await admit(zones, await zones.hand_out(house.caller))).directory
    assert (place / "exports/daily/people.csv").read_bytes() == b"id\n1\n"


async def test_files_go_as_days_pass_and_what_is_under_way_stays(house, zones):
    place = await zones.directory_of(house.caller.tenant)
    for name in ("whole", ".headrace-1.part"):
        (place / name).write_bytes(b"x")
        os.utime(place / name, (house.clock.at / 1000,) * 2)
    short, container = replace(zones, kept_days=1), place.name

    house.clock.at += DAY - 1000
    assert await tidy(short, container) == 0
    house.clock.at += 2000
    assert await tidy(short, container) == 1
    assert [one.name for one in place.iterdir()] == [".headrace-1.part"]
    house.clock.at += 6 * DAY
    assert await tidy(short, container) == 1


async def test_what_is_wrong_with_one_container_leaves_the_others_to_be_tidied(house, zones, monkeypatch):
    other = house.store.write_now(lambda tx: access.add_tenant(tx, 1, "dev", "id-of-dev"))
    bad = await zones.directory_of(house.caller.tenant)
    good = await zones.directory_of(house.store.read_now(lambda tx: access.tenant_of(tx, other)))
    (good / "old").write_bytes(b"x")
    os.utime(good / "old", (0, 0))
    forget, told = served.forget_older, []

    def fails(directory, *moments):
        if directory == bad:
            raise PermissionError("not yours")
        return forget(directory, *moments)

    monkeypatch.setattr(served, "forget_older", fails)
    task = asyncio.create_task(keep_tidy(zones, told.append))
    await until(lambda: not (good / "old").exists())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [event.step for event in told] == ["tidy_landing_zones"]


async def test_a_directory_that_cannot_be_made_is_for_whoever_runs_the_house(house, zones, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OperationError, match="HEADRACE_LANDING_DIRECTORY"):
        await replace(zones, directory=tmp_path / "file").hand_out(house.caller)


async def test_a_round_that_fails_is_told_and_the_next_one_comes(house, zones, monkeypatch):
    await zones.hand_out(house.caller)
    told = []

    def fails(*_):
        raise OSError("no such device")

    monkeypatch.setattr("headrace.connect.storage.served.forget_older", fails)
    task = asyncio.create_task(keep_tidy(zones, told.append, every=0.001))
    await until(lambda: len(told) >= 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert {event.step for event in told} == {"tidy_landing_zones"}


# -- the door, as a server calls it -----------------------------------------------------------------------------------


class Client:
    """One who asks the door, and takes what is sent as slowly as it likes."""

    def __init__(self, zones, blobs=None):
        self.events = []
        self.door = blobs or Blobs(zones, self.events.append)
        self.sent, self.gone, self.takes = [], asyncio.Event(), asyncio.Event()
        self.takes.set()

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)
        await self.takes.wait()

    def ask(self, way, name):
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"/landing/headrace/{way.container}/{name}",
            "query_string": way.token.encode(),
            "headers": [],
            "root_path": "/landing",
            "server": ("x.example", 443),
            "scheme": "https",
        }
        return asyncio.create_task(self.door(scope, self.receive, self.send))

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def bytes(self):
        return sum(len(message.get("body", b"")) for message in self.sent)


@pytest.fixture
async def large(house, zones):
    """A way in, and a file of a gigabyte that takes no room."""
    way = await zones.hand_out(house.caller)
    path = zones.directory / way.container / "large"
    path.touch()
    os.truncate(path, 1 << 30)
    return way, path


def is_open(path):
    handles = Path("/proc/self/fd").iterdir()
    return any(handle.is_symlink() and os.path.realpath(handle) == str(path) for handle in handles)


async def until(look):
    async with asyncio.timeout(30):
        while not look():  # noqa: ASYNC110 - what is looked for tells nobody
            await asyncio.sleep(0.001)


async def test_whoever_leaves_or_takes_nothing_holds_no_file_and_no_memory(zones, large, monkeypatch):
    monkeypatch.setattr("headrace.api.blobs._PATIENCE", 0.05)
    way, path = large
    for end in ("leaves", "takes nothing", "is cancelled"):
        client = Client(zones)
        client.takes.clear()
        task = client.ask(way, "large")
        client.takes.set()
        await until(lambda client=client: client.bytes > 0)
        client.takes.clear()
        assert is_open(path)
        if end == "leaves":
            client.gone.set()
            client.takes.set()
        elif end == "is cancelled":
            task.cancel()
        await asyncio.wait([task], timeout=30)
        assert task.done()
        assert client.bytes < 1 << 29
        assert client.sent[-1].get("body") != b""
        assert not is_open(path)


async def test_more_than_there_are_places_for_are_told_to_come_back(zones, large, monkeypatch):
    monkeypatch.setattr("headrace.api.blobs.AT_ONCE", 1)
    way, _ = large
    first = Client(zones)
    first.takes.clear()
    task = first.ask(way, "large")
    await until(lambda: first.sent)
    second = Client(zones, first.door)
    await second.ask(way, "large")
    assert second.status == 503
    assert first.events == [LandingRefused(code="ServerBusy")]

    first.gone.set()
    first.takes.set()
    await task
    third = Client(zones, first.door)
    await third.ask(way, "missing")
    assert third.status == 404


async def test_who_takes_all_places_of_one_container_leaves_room_for_others(house, zones, large, monkeypatch):
    monkeypatch.setattr("headrace.api.blobs.AT_ONCE_EACH", 1)
    number = house.store.write_now(lambda tx: access.add_tenant(tx, 1, "dev", "id-of-dev"))
    tenant = house.store.read_now(lambda tx: access.tenant_of(tx, number))
    theirs = await zones.hand_out(replace(house.caller, tenant=tenant))
    way, _ = large
    first = Client(zones)
    first.takes.clear()
    task = first.ask(way, "large")
    await until(lambda: first.sent)
    second, third = Client(zones, first.door), Client(zones, first.door)
    await second.ask(way, "large")
    await third.ask(theirs, "missing")
    assert (second.status, third.status) == (503, 404)

    first.gone.set()
    first.takes.set()
    await task
    assert not first.door._busy


async def test_a_key_that_cannot_be_had_is_a_matter_of_time(house, zones, large):
    way, _ = large
    house.store.write_now(lambda tx: tx.core.execute(update(tables.data_keys).values(wrapped=b"damaged")))
    fresh = Keyring(LocalKeyFile(house.store.directory / "key"), StoredKeys(house.store), house.clock)
    client = Client(replace(zones, keyring=fresh))
    await client.ask(way, "large")
    assert client.status == 503
    assert client.events == [LandingRefused(code="ServerBusy")]


# -- room ---------------------------------------------------------------------------------------------------------


async def test_files_of_a_landing_zone_count_and_none_is_written_beyond_the_quota(house, zones):
    quotas = Quotas(house.store, house.clock, house.events.append, Quota(0, 0, 0, 100), zones.directory)
    room = LandingRoom(house.store, quotas, zones.directory_of)

    (await room(house.caller.tenant) / "a.csv").write_bytes(b"x" * 100)
    house.clock.at += int(FILES_FRESH * 1000)

    assert (await quotas.standing(house.caller.number)).used.bytes == 100
    with pytest.raises(NotStored, match="as many bytes as they may") as refused:
        await room(house.caller.tenant)
    assert refused.value.cause == "full"


async def test_no_file_is_written_while_the_disk_is_full(house, zones):
    quotas = Quotas(house.store, house.clock, house.events.append, Quota(0, 0, 0, 0), zones.directory)
    room = LandingRoom(house.store, quotas, zones.directory_of)
    house.store.reserve.is_short = True

    with pytest.raises(NotStored, match="disk is full"):
        await room(house.caller.tenant)

    house.store.reserve.is_short = False
    assert (await room(house.caller.tenant)).is_dir()
