"""Files on servers of SFTP: there whole or not at all, at real servers, over connections that break off."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path

import asyncssh
import pytest

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import NotStored, Stored, Way, storages
from headrace.connect.storage.sftp import host_key
from headrace.model.problem import ConfigurationError
from headrace.testkit.faults.proxy import FaultProxy
from integration.storage.sftp_server import (
    PASSWORD,
    SftpServer,
    Sshd,
    fingerprint,
    fixture_asyncssh_server,
    fixture_openssh,
    fixture_servers,
    fixture_sshd,
    free_port,
    made_key,
)

__all__ = ["fixture_asyncssh_server", "fixture_openssh", "fixture_servers", "fixture_sshd"]

SFTP = storages.get("FILE_BASED_SFTP")
NUMBERS = count()


@pytest.fixture(params=["sshd", "sshd without extensions", "asyncssh"])
def server(request) -> SftpServer:
    """Each kind of server in turn."""
    if request.param == "asyncssh":
        return request.getfixturevalue("asyncssh_server")
    running = request.getfixturevalue("sshd")
    return running if request.param == "sshd" else running.poor


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    for where in ("line", "placing", "upload"):
        monkeypatch.setattr(f"headrace.connect.storage.{where}.WAITS", (0.01, 0.05, 0.1))


@pytest.fixture
def folder(server) -> Path:
    return made_folder(server)


def made_folder(server: SftpServer) -> Path:
    """An empty folder that the user may write to."""
    made = server.home / f"drop-{next(NUMBERS)}"
    made.mkdir()
    made.chmod(0o777)
    return made


def way(server: SftpServer, pinned: str | None = None, port: int | None = None) -> Way:
    where = f"127.0.0.1:{port or server.port}"
    keys = {where: server.fingerprint if pinned is None else pinned}
    return Way(Egress(AllowList.parse("127.0.0.0/8")), Guard(), trusted_keys=keys)


def by_key(server: SftpServer) -> dict[str, str]:
    return {"domain": "127.0.0.1", "port": "22", "username": server.user, "sshKey": server.key}


@asynccontextmanager
async def opened(server: SftpServer, folder: Path | str, *, port: int | None = None, **auth: str) -> AsyncIterator:
    place = {"hostName": "127.0.0.1", "port": port or server.port, "rootDirectory": str(folder)}
    kind = "SFTP_WITH_PASSWORD" if auth else "SFTP_WITH_SSH_KEY"
    async with SFTP.open(place, kind, auth or by_key(server), way(server, port=port)) as storage:
        yield storage


async def pieces(data: bytes, size: int = 50_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def visible(folder: Path) -> list[str]:
    return [name for name in names(folder) if not name.startswith(".")]


def made_of(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


async def refused(doing) -> NotStored:
    with pytest.raises(NotStored) as caught:
        await doing
    return caught.value


# -- what a storage has to be able to do ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 131_072, 131_073, 5_000_000])
async def test_a_file_is_stored_whole(server, folder, size):
    data = made_of(size, size)
    async with opened(server, folder) as storage:
        stored = await storage.write("people.csv", pieces(data))
        assert stored == Stored("people.csv", size)
        assert await storage.look("people.csv") == stored
    assert names(folder) == ["people.csv"]
    assert (folder / "people.csv").read_bytes() == data


async def test_pieces_may_be_views_of_memory_that_is_used_again(server, folder):
    async def reused() -> AsyncIterator[memoryview]:
        memory = bytearray(70_000)
        for number in range(20):
            memory[:] = bytes([number]) * len(memory)
            yield memoryview(memory)

    async with opened(server, folder) as storage:
        await storage.write("a", reused())
    assert (folder / "a").read_bytes() == b"".join(bytes([number]) * 70_000 for number in range(20))


async def test_nobody_sees_a_file_under_any_name_that_counts_before_it_is_whole(server, folder):
    seen = []

    async def watched() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield bytes(200_000)
            seen.append((visible(folder), len(names(folder))))

    async with opened(server, folder) as storage:
        await storage.write("people.csv", watched())
    assert all(now == [] for now, _ in seen)
    assert seen[-1][1] == 1, "it is there under the other name, or the test saw nothing"


async def test_a_file_of_the_same_name_stays(server, folder):
    async with opened(server, folder) as storage:
        await storage.write("a", pieces(b"first"))
        error = await refused(storage.write("a", pieces(b"second")))
    assert (error.cause, error.may_pass) == ("exists", False)
    assert names(folder) == ["a"]
    assert (folder / "a").read_bytes() == b"first"


async def test_a_file_of_the_same_name_gives_way(server, folder):
    async with opened(server, folder) as storage:
        await storage.write("a", pieces(b"first"))
        await storage.write("a", pieces(b"the second"), replaces=True)
        assert await storage.look("a") == Stored("a", 10)
    assert names(folder) == ["a"]
    assert (folder / "a").read_bytes() == b"the second"


async def test_one_of_two_who_write_at_once_is_told_that_it_exists(server, folder):
    first, second = made_of(1, 900_000), made_of(2, 900_000)
    async with opened(server, folder) as one, opened(server, folder) as other:
        ended = await asyncio.gather(
            one.write("a", pieces(first)), other.write("a", pieces(second)), return_exceptions=True
        )
    lost = [error for error in ended if isinstance(error, NotStored)]
    assert [error.cause for error in lost] == ["exists"]
    assert (folder / "a").read_bytes() == (second if ended[0] is lost[0] else first)
    assert names(folder) == ["a"]


async def test_two_who_replace_at_once_leave_one_whole_file(sshd):
    folder = made_folder(sshd)
    first, second = made_of(1, 900_000), made_of(2, 900_001)
    async with opened(sshd, folder) as one, opened(sshd, folder) as other:
        await asyncio.gather(
            one.write("a", pieces(first), replaces=True), other.write("a", pieces(second), replaces=True)
        )
    assert (folder / "a").read_bytes() in (first, second)
    assert names(folder) == ["a"]


async def test_one_storage_writes_many_files_at_once(server, folder):
    data = {f"{number}.csv": made_of(number, 300_000 + number) for number in range(8)}
    async with opened(server, folder) as storage:
        await asyncio.gather(*(storage.write(f"2026/{name}", pieces(held)) for name, held in data.items()))
    assert {name: (folder / "2026" / name).read_bytes() for name in names(folder / "2026")} == data


async def test_nothing_is_left_where_the_rows_fail(server, folder):
    async def failing() -> AsyncIterator[bytes]:
        yield bytes(400_000)
        raise ZeroDivisionError

    async with opened(server, folder) as storage:
        with pytest.raises(ZeroDivisionError):
            await storage.write("a", failing())
    assert names(folder) == []


async def test_nothing_is_left_where_the_caller_is_cancelled(server, folder):
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)
            begun.set()
            await asyncio.sleep(0)

    async with opened(server, folder) as storage:
        writing = asyncio.create_task(storage.write("a", endless()))
        await begun.wait()
        await asyncio.sleep(0.05)
        assert len(names(folder)) == 1
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert names(folder) == []
        await storage.write("b", pieces(b"and it goes on"))
    assert names(folder) == ["b"]


async def test_a_file_is_removed_if_there_is_one(server, folder):
    async with opened(server, folder) as storage:
        await storage.write("deep/a", pieces(b"a"))
        await storage.remove("deep/a")
        await storage.remove("deep/a")
        await storage.remove("nowhere/a")
        assert await storage.look("deep/a") is None
        assert await storage.look("nowhere/a") is None


async def test_looking_whether_it_can_write_leaves_nothing(server, folder):
    async with opened(server, folder) as storage:
        await storage.check()
    assert names(folder) == []


async def test_looking_leaves_no_folder_and_writing_makes_them(server, folder):
    async with opened(server, folder / "new" / "drop") as storage:
        await storage.check()
        assert names(folder) == []
        await storage.write("2026/11/a.csv", pieces(b"a"))
    assert (folder / "new/drop/2026/11/a.csv").read_bytes() == b"a"


async def test_the_root_may_be_given_from_the_users_own_folder(sshd):
    folder = made_folder(sshd)
    if sshd.password is None:
        pytest.skip("the server is run by the one who tests, whose own folder is not for tests")
    async with opened(sshd, folder.name) as storage:
        await storage.write("a", pieces(b"a"))
    assert (folder / "a").read_bytes() == b"a"


# -- letting in -------------------------------------------------------------------------------------------------------


async def test_a_password_lets_in(server, folder):
    if server.password is None:
        pytest.skip("only root can give OpenSSH's server a user with a password")
    async with opened(server, folder, username=server.user, password=PASSWORD) as storage:
        await storage.write("a", pieces(b"a"))
    assert (folder / "a").read_bytes() == b"a"


async def test_another_password_does_not(server, folder):
    async with opened(server, folder, username=server.user, password="canary-password") as storage:
        error = await refused(storage.check())
    assert error.cause == "denied"
    assert "canary" not in str(error)


async def test_another_key_does_not(server, folder, tmp_path):
    key = made_key(tmp_path / "other").read_text()
    async with opened(server, folder, username=server.user, sshKey=key) as storage:
        error = await refused(storage.check())
    assert error.cause == "denied"


async def test_an_rsa_key_lets_in(servers: Sshd, sshd, tmp_path):
    key = made_key(tmp_path / "rsa", "-t", "rsa", "-b", "2048", "-m", "PEM")
    allowed = servers.folder / "authorized_keys"
    allowed.write_text(allowed.read_text() + (tmp_path / "rsa.pub").read_text())
    async with opened(sshd, made_folder(sshd), username=sshd.user, sshKey=key.read_text()) as storage:
        await storage.check()


async def test_the_connection_is_sealed_by_what_costs_least(sshd):
    async with opened(sshd, made_folder(sshd)) as storage:
        await storage.check()
        assert storage._line._connection.get_extra_info("send_cipher") == "aes128-gcm@openssh.com"


# -- who the server is ------------------------------------------------------------------------------------------------


async def test_the_fingerprint_is_the_one_that_the_partner_tells(server):
    assert await host_key("127.0.0.1", server.port, way(server)) == server.fingerprint


async def test_an_unconfirmed_server_is_told_nothing(sshd):
    error = await asked_nothing(sshd, way(sshd, pinned=""))
    assert error.cause == "host-key"
    assert sshd.fingerprint in str(error)


async def test_a_server_with_another_key_is_told_nothing(servers: Sshd, sshd, tmp_path):
    port = free_port()
    before, after = made_key(tmp_path / "before"), made_key(tmp_path / "after")
    pinned = fingerprint(before)
    with servers.running(before, ports=(port, free_port())) as running:
        folder = made_folder(running)
        async with opened(running, folder) as storage:
            await storage.write("a", pieces(b"a"))
    with servers.running(after, ports=(port, free_port())) as running:
        error = await asked_nothing(running, way(running, pinned=pinned))
    assert error.cause == "host-key"
    assert not error.may_pass
    assert pinned in str(error)
    assert fingerprint(after) in str(error)


async def asked_nothing(server: SftpServer, how: Way) -> NotStored:
    """Try to sign in with a password, and see in the server's log that nobody has said who they are."""
    began = server.log.stat().st_size
    place = {"hostName": "127.0.0.1", "port": server.port, "rootDirectory": str(server.home)}
    auth = {"username": server.user, "password": PASSWORD}
    async with SFTP.open(place, "SFTP_WITH_PASSWORD", auth, how) as storage:
        error = await refused(storage.check())
    await asyncio.sleep(0.2)
    said = server.log.read_bytes()[began:].decode()
    assert "Connection from" in said
    assert "userauth" not in said
    assert PASSWORD not in str(error)
    return error


async def test_a_key_that_is_not_the_first_of_the_server_is_asked_for(servers: Sshd, tmp_path):
    first, second = made_key(tmp_path / "a"), made_key(tmp_path / "b", "-t", "rsa", "-b", "2048")
    with servers.running(second, first) as running:
        assert running.fingerprint == fingerprint(second)
        assert await host_key("127.0.0.1", running.port, way(running)) == fingerprint(first)
        async with opened(running, made_folder(running)) as storage:
            await storage.check()


async def test_a_key_may_be_pinned_before_the_server_has_it(sshd):
    place = {"hostName": "127.0.0.1", "port": sshd.port, "rootDirectory": str(made_folder(sshd))}
    both = f"SHA256:{'A' * 43} {sshd.fingerprint}"
    async with SFTP.open(place, "SFTP_WITH_SSH_KEY", by_key(sshd), way(sshd, pinned=both)) as storage:
        await storage.check()


async def test_nothing_of_this_machine_takes_part(sshd, tmp_path, monkeypatch):
    ssh = tmp_path / ".ssh"
    ssh.mkdir()
    (ssh / "config").write_text("Host *\n  User nobody\n  Port 1\n")
    (ssh / "known_hosts").write_text("* ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFsbCBvZiB0aGVtIGFyZSB0cnVzdGVkIGhlcmU=\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    async with opened(sshd, made_folder(sshd)) as storage:
        await storage.check()
    assert (await asked_nothing(sshd, way(sshd, pinned=""))).cause == "host-key"


async def test_an_address_that_may_not_be_reached_is_not_told_apart(sshd):
    place = {"hostName": "127.0.0.1", "port": sshd.port, "rootDirectory": "/"}
    blocked = Way(Egress(AllowList()), Guard())
    async with SFTP.open(place, "SFTP_WITH_SSH_KEY", by_key(sshd), blocked) as storage:
        one = await refused(storage.check())
    place["port"] = free_port()
    closed = Way(Egress(AllowList.parse("127.0.0.0/8")), Guard())
    async with SFTP.open(place, "SFTP_WITH_SSH_KEY", by_key(sshd), closed) as storage:
        other = await refused(storage.check())
    assert one.cause == other.cause == "unreached"
    assert str(one).replace(str(sshd.port), "") == str(other).replace(str(place["port"]), "")


# -- what the server does not allow -----------------------------------------------------------------------------------


async def test_a_folder_that_may_not_be_written_to(server, folder):
    if server.password is not None and server.log.name == "null":
        pytest.skip("asyncssh's server is the one who tests, who may do anything as root")
    (folder / "shut").mkdir()
    (folder / "shut").chmod(0o555)
    async with opened(server, folder / "shut") as storage:
        assert (await refused(storage.write("a", pieces(b"a")))).cause == "denied"
        assert (await refused(storage.check())).cause == "denied"
        assert (await refused(storage.write("deep/a", pieces(b"a")))).cause == "no-place"


async def test_a_file_where_a_folder_should_be(server, folder):
    (folder / "a").write_bytes(b"")
    async with opened(server, folder) as storage:
        assert (await refused(storage.write("a/b", pieces(b"a")))).cause == "no-place"


async def test_a_server_without_room(sshd):
    if sshd.password is None:
        pytest.skip("only root can give the server a disk of a megabyte")
    async with opened(sshd, sshd.home / "small") as storage:
        error = await refused(storage.write("a", pieces(bytes(3_000_000))))
        assert (error.cause, error.may_pass) == ("full", False)
        await storage.write("b", pieces(bytes(600_000)))  # The room that the first one took is there again.
        await storage.remove("b")


async def test_no_link_leads_out_of_the_root(server, folder):
    (folder / "root" / "inner").mkdir(parents=True)
    (folder / "outer").mkdir()
    for made in (folder / "root", folder / "root" / "inner", folder / "outer"):
        made.chmod(0o777)
    (folder / "root" / "out").symlink_to(folder / "outer")
    (folder / "root" / "in").symlink_to(folder / "root" / "inner")
    async with opened(server, folder / "root") as storage:
        for path in ("out/a", "out/new/a", "out/new/newer/a"):
            assert (await refused(storage.write(path, pieces(b"a")))).cause == "denied"
        assert (await refused(storage.look("out/a"))).cause == "denied"
        assert (await refused(storage.remove("out/a"))).cause == "denied"
        await storage.write("in/a", pieces(b"a"))
    assert names(folder / "outer") == []
    assert (folder / "root/inner/a").read_bytes() == b"a"


async def test_the_root_itself_may_be_a_link(server, folder):
    (folder / "real").mkdir()
    (folder / "real").chmod(0o777)
    (folder / "root").symlink_to(folder / "real")
    async with opened(server, folder / "root") as storage:
        await storage.write("deep/a", pieces(b"a"))
    assert (folder / "real/deep/a").read_bytes() == b"a"


async def test_a_link_in_the_place_of_the_file_is_not_followed(sshd):
    folder = made_folder(sshd)
    (folder / "elsewhere").write_bytes(b"untouched")
    (folder / "a").symlink_to(folder / "elsewhere")
    async with opened(sshd, folder) as storage:
        assert (await refused(storage.write("a", pieces(b"a")))).cause == "exists"
        await storage.write("a", pieces(b"a"), replaces=True)
    assert (folder / "elsewhere").read_bytes() == b"untouched"
    assert not (folder / "a").is_symlink()


async def test_what_dead_runs_left_is_removed_after_a_day(server, folder):
    ages = {".headrace-old.part": 90_000, ".headrace-young.part": 80_000, ".other-old.part": 90_000, "old.part": 90_000}
    for name, seconds in ages.items():
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - seconds,) * 2)
    async with opened(server, folder) as storage:
        await storage.write("a", pieces(b"a"))
    assert names(folder) == [".headrace-young.part", ".other-old.part", "a", "old.part"]


async def test_what_a_killed_try_left_is_cleared_and_what_is_gone_is_told(server, folder):
    async with opened(server, folder) as killed, opened(server, folder) as storage:
        lost = await killed.stage("deep/a", pieces(b"lost"))
        kept = await storage.stage("deep/ab", pieces(b"kept"))
        given_up = await storage.stage("deep/abc", pieces(b"given up"))
        assert visible(folder / "deep") == []
        await given_up.discard()
        await given_up.discard()
        assert len(names(folder / "deep")) == 2
        for path in ("deep/a", "a", "nowhere/a"):
            await storage.clear(path)
        error = await refused(lost.publish())
        assert await kept.publish() == Stored("deep/ab", 4)
        (folder / "deep").chmod(0o333)
        await storage.clear("deep/ab")  # It may not be listed now.
        (folder / "deep").chmod(0o777)
    assert (error.cause, error.may_pass) == ("gone", True)
    assert names(folder / "deep") == ["ab"]


@pytest.mark.parametrize(
    ("place", "auth", "pointer"),
    [
        ({}, {"username": "u", "password": "p"}, "/hostName"),
        ({"hostName": "a", "port": 70_000}, {"username": "u", "password": "p"}, "/port"),
        ({"hostName": "a"}, {"username": "u", "password": "p", "port": "2 2"}, "/port"),
        ({"hostName": "a"}, {"password": "p"}, "/auth/params/username"),
        ({"hostName": "a"}, {"username": "u"}, "/auth/params/password"),
    ],
)
async def test_what_cannot_be_is_said_at_once(place, auth, pointer):
    with pytest.raises(ConfigurationError) as caught:
        async with SFTP.open(place, "SFTP_WITH_PASSWORD", auth, Way(Egress(AllowList()), Guard())):
            pass
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


# -- connections that break off ---------------------------------------------------------------------------------------


async def test_what_breaks_off_once_goes_on_where_it_was(sshd):
    folder, data = made_folder(sshd), made_of(7, 20_000_000)
    async with FaultProxy(sshd.where) as proxy, opened(sshd, folder, port=proxy.port) as storage:
        cut = proxy.to.cut(after=9_000_000, connections=1)
        await storage.write("a", pieces(data))
        assert (cut.struck, proxy.connections) == (1, 2)
        assert proxy.to.bytes < 27_000_000, "it began anew, and did not go on"
    assert (folder / "a").read_bytes() == data
    assert names(folder) == ["a"]


async def test_what_the_server_forgot_is_not_gone_on_with(sshd):
    folder, data = made_folder(sshd), made_of(7, 20_000_000)

    async def interrupted() -> AsyncIterator[bytes]:
        async for piece in pieces(data[:9_000_000]):
            yield piece
        (half,) = folder.iterdir()
        os.truncate(half, 100_000)
        proxy.both.reset(connections=None).off()
        for _ in range(3):
            yield bytes(200_000)

    async with FaultProxy(sshd.where) as proxy, opened(sshd, folder, port=proxy.port) as storage:
        error = await refused(storage.write("a", interrupted()))
        assert (error.cause, error.may_pass) == ("unreached", True)
        await storage.write("a", pieces(data))
    assert (folder / "a").read_bytes() == data


async def test_a_connection_that_always_breaks_off_is_given_up(sshd):
    folder = made_folder(sshd)
    async with FaultProxy(sshd.where) as proxy, opened(sshd, folder, port=proxy.port) as storage:
        proxy.to.cut(after=6_000)
        error = await refused(storage.write("a", pieces(made_of(1, 1_000_000))))
    assert (error.cause, error.may_pass) == ("unreached", True)
    assert visible(folder) == []


async def test_a_server_that_hangs_is_given_up(sshd, monkeypatch):
    monkeypatch.setattr("headrace.connect.storage.upload.STEP", 0.3)
    folder, data = made_folder(sshd), made_of(3, 10_000_000)
    async with FaultProxy(sshd.where) as proxy, opened(sshd, folder, port=proxy.port) as storage:
        whole = await length_of(sshd, proxy, data)
        hole = proxy.back.blackhole(after=whole["back"] // 2, connections=1)
        await storage.write("a", pieces(data))
        assert (hole.struck, proxy.connections) == (1, 3)
    assert (folder / "a").read_bytes() == data


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("is_done", [False, True])
async def test_a_last_step_of_which_nobody_knows_is_found_out(server, folder, monkeypatch, replaces, is_done):
    """The server does it or does not, and the answer never comes."""
    struck = []
    for step in ("link", "rename", "posix_rename"):
        monkeypatch.setattr(asyncssh.SFTPClient, step, broken_off(step, struck, is_done=is_done))
    data = made_of(4, 400_000)
    async with opened(server, folder) as storage:
        await storage.write("a", pieces(data), replaces=replaces)
    assert len(struck) == 1
    assert names(folder) == ["a"]
    assert (folder / "a").read_bytes() == data
    assert abs((folder / "a").stat().st_mtime - time.time()) < 600


def broken_off(step: str, struck: list[str], *, is_done: bool):
    real = getattr(asyncssh.SFTPClient, step)

    async def once(self, *args, **options):
        if struck:
            return await real(self, *args, **options)
        if is_done:
            await real(self, *args, **options)
        struck.append(step)
        raise asyncssh.SFTPConnectionLost("no answer")

    return once


async def test_a_file_that_the_partner_took_at_once_is_not_said_to_be_there(sshd, monkeypatch):
    folder, struck = made_folder(sshd), []
    breaks = broken_off("link", struck, is_done=True)

    async def taken(self, *args, **options):
        try:
            await breaks(self, *args, **options)
        finally:
            (folder / "a").unlink(missing_ok=True)
            for name in folder.iterdir():
                name.unlink()

    monkeypatch.setattr(asyncssh.SFTPClient, "link", taken)
    async with opened(sshd, folder) as storage:
        error = await refused(storage.write("a", pieces(b"a")))
    assert (error.cause, error.may_pass) == ("unreached", True)
    assert "twice" in str(error)


async def cut_at_random(server: SftpServer, seed: int) -> None:
    """Break a connection off somewhere, most of all near the end, and hold the storage to its promise."""
    luck = random.Random(seed)
    folder, data = made_folder(server), made_of(seed, luck.randrange(1, 3_000_000))
    replaces = luck.random() < 0.5
    if replaces:
        (folder / "a").write_bytes(b"before")
        (folder / "a").chmod(0o666)
    async with FaultProxy(server.where) as proxy:
        whole = await length_of(server, proxy, data)
        for _ in range(luck.choice((1, 1, 1, 2, 3))):
            kind = luck.choice((proxy.to.cut, proxy.to.reset, proxy.back.cut, proxy.back.reset))
            side = proxy.to if kind.__self__ is proxy.to else proxy.back
            length = whole[side.side]
            kind(after=max(0, length - luck.randrange(2500)) if luck.random() < 0.6 else luck.randrange(length))
        async with opened(server, folder, port=proxy.port) as storage:
            await held(storage, folder, data, proxy, replaces=replaces, is_idle=luck.random() < 0.5)
    assert (folder / "a").read_bytes() == data
    assert visible(folder) == ["a"]


async def held(storage, folder: Path, data: bytes, proxy: FaultProxy, *, replaces: bool, is_idle: bool) -> None:
    before = (folder / "a").read_bytes() if replaces else None
    for _ in range(20):
        cause = await cause_of(published(storage, data, proxy, replaces=replaces, is_idle=is_idle))
        now = (folder / "a").read_bytes() if (folder / "a").exists() else None
        assert now in (before, data), "part of it is to be seen"
        if cause in ("", "exists"):
            assert now == data
            return
        assert cause == "unreached"
        proxy.clear()
    pytest.fail("it never arrived")


async def published(storage, data: bytes, proxy: FaultProxy, *, replaces: bool, is_idle: bool) -> None:
    """Stage a file and publish it; the connection may have ended in between, where nobody was waiting for it."""
    staged = await storage.stage("a", pieces(data), replaces=replaces)
    if is_idle:
        proxy.both.reset(connections=None).off()
    await staged.publish()


async def cause_of(writing) -> str:
    """Why it was not stored; nothing: it was."""
    try:
        await writing
    except NotStored as error:
        return error.cause
    return ""


async def length_of(server: SftpServer, proxy: FaultProxy, data: bytes) -> dict[str, int]:
    """How many bytes go each way where nothing breaks off."""
    before = proxy.to.bytes, proxy.back.bytes
    folder = made_folder(server)
    async with opened(server, folder, port=proxy.port) as storage:
        await storage.write("a", pieces(data))
    return {"to": proxy.to.bytes - before[0], "back": proxy.back.bytes - before[1]}


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_breaks_off_anywhere_the_file_is_whole_or_not_there(sshd, seed):
    await cut_at_random(sshd if seed % 2 else sshd.poor, seed)


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(1000, 1500, 25))
async def test_five_hundred_connections_that_break_off(sshd, first):
    for seed in range(first, first + 25):
        async with asyncio.timeout(60):
            await cut_at_random(sshd if seed % 2 else sshd.poor, seed)


# -- memory -----------------------------------------------------------------------------------------------------------


async def test_a_large_file_does_not_lie_in_memory(sshd):
    folder, piece, told = made_folder(sshd), os.urandom(1_000_000), sha256()

    async def large() -> AsyncIterator[bytes]:
        for _ in range(100):
            told.update(piece)
            yield piece

    async with opened(sshd, folder) as storage:
        await storage.check()
        before = peak(anew=True)
        await storage.write("a", large())
    assert peak() - before < 40_000
    assert sha256((folder / "a").read_bytes()).digest() == told.digest()
    (folder / "a").unlink()


def peak(*, anew: bool = False) -> int:
    """The most memory that this process had since it was last asked anew, in kilobytes."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
