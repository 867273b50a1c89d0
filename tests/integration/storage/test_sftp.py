"""Files on servers of SFTP: there whole or not at all, at real servers."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import NotStored, Stored, Way
from headrace.model.problem import ConfigurationError
from integration.storage.sftp_folders import (
    SFTP,
    fixture_folder,
    fixture_impatient,
    fixture_server,
    made_folder,
    made_of,
    names,
    opened,
    pieces,
    refused,
    visible,
)

__all__ = ["fixture_folder", "fixture_impatient", "fixture_server"]


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
