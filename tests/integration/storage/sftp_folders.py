"""Folders on servers of SFTP, how they are opened, and what lies there; for each kind of server in turn."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import NotStored, Way, storages
from integration.storage.sftp_server import (
    SftpServer,
)

SFTP = storages.get("FILE_BASED_SFTP")
NUMBERS = count()


@pytest.fixture(name="server", params=["sshd", "sshd without extensions", "asyncssh"])
def fixture_server(request) -> SftpServer:
    """Each kind of server in turn."""
    if request.param == "asyncssh":
        return request.getfixturevalue("asyncssh_server")
    running = request.getfixturevalue("sshd")
    return running if request.param == "sshd" else running.poor


@pytest.fixture(autouse=True, name="impatient")
def fixture_impatient(monkeypatch):
    for where in ("line", "placing", "upload"):
        monkeypatch.setattr(f"headrace.connect.storage.{where}.WAITS", (0.01, 0.05, 0.1))


@pytest.fixture(name="folder")
def fixture_folder(server) -> Path:
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
