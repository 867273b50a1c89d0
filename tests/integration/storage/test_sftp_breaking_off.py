"""Connections to servers of SFTP that break off, at any place: the file is whole, or not there."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from headrace.connect.storage import NotStored
from headrace.testkit.faults.proxy import FaultProxy
from integration.storage.sftp_folders import (
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
from integration.storage.sftp_server import (
    SftpServer,
)

__all__ = ["fixture_folder", "fixture_impatient", "fixture_server"]


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
