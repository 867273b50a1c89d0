"""
Folders of servers of SFTP.

A file is staged under a temporary name in the folder that it is for, and has its own name when it is published.
"""

import posixpath
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, ClassVar

import asyncssh

from headrace.connect.storage.line import Line, Lost
from headrace.connect.storage.placing import Placing, marked
from headrace.connect.storage.ssh import Login, fingerprints, host_key, host_keys, read_key, signed_in
from headrace.connect.storage.storage import NotStored, Stored, Way, storages, where_allowed
from headrace.connect.storage.unseen import PREFIX, SUFFIX, is_unseen, unseen
from headrace.connect.storage.upload import Upload
from headrace.model.problem import ConfigurationError, Problem

__all__ = ["SftpServers", "fingerprints", "host_key", "host_keys"]

_PORT = 22
#: Seconds after which a temporary file belongs to a run that is dead, by the server's own clock.
_OLD = 24 * 60 * 60
#: Seconds in which what was staged is taken back.
_TO_UNDO = 20.0
#: How many names of a folder are looked through for such files.
_MOST_NAMES = 5000
_CHECK = "headrace-check"
_OUTSIDE = "The folder leads out of the root directory, by a link on the server; nothing was written."
_EXISTS = "There is a file of this name already, and this one must not take its place; it was not written."


class SftpServers:
    """Opens folders of servers of SFTP."""

    auth_types: ClassVar[tuple[str, ...]] = ("SFTP_WITH_PASSWORD", "SFTP_WITH_SSH_KEY")

    @asynccontextmanager
    async def open(
        self, place: Mapping[str, Any], auth_type: str, auth: Mapping[str, Any], way: Way
    ) -> AsyncIterator["SftpFolder"]:
        """
        Open a folder; the server is reached and signed in to at the first call.

        The destination's host counts, and the account's where it has none; so does its port, unless that is the usual
        one.
        """
        host, port, login = address(place, auth), _port(place, auth), _login(auth_type, auth)
        line = Line(f"{host}:{port}", partial(signed_in, host, port, login, way))
        try:
            yield SftpFolder(line, str(place.get("rootDirectory") or "."))
        finally:
            await line.close()


storages.register("FILE_BASED_SFTP")(SftpServers())


def address(place: Mapping[str, Any], auth: Mapping[str, Any]) -> str:
    """Return the host that a destination and an account lead to."""
    host = str(place.get("hostName") or auth.get("domain") or "").strip().lower()
    if not host:
        raise ConfigurationError([Problem("missing-field", "/hostName", "the server has no host name; write it")])
    return host


def endpoint(place: Mapping[str, Any], auth: Mapping[str, Any]) -> tuple[str, int]:
    """Return the host and the port that a destination and an account lead to."""
    return address(place, auth), _port(place, auth)


def _port(place: Mapping[str, Any], auth: Mapping[str, Any]) -> int:
    given = place.get("port") or _PORT
    said = str(auth.get("port") or given if given == _PORT else given)
    if not said.isascii() or not said.isdigit() or not 0 < int(said) < 65536:
        raise ConfigurationError([Problem("invalid", "/port", "the port is no number from 1 to 65535; write 22")])
    return int(said)


def _login(auth_type: str, auth: Mapping[str, Any]) -> Login:
    user = _given(auth, "username")
    if auth_type == "SFTP_WITH_SSH_KEY" or "sshKey" in auth:
        return Login(user, key=read_key(_given(auth, "sshKey")))
    return Login(user, password=_given(auth, "password"))


def _given(auth: Mapping[str, Any], name: str) -> str:
    said = auth.get(name)
    if not isinstance(said, str) or not said:
        raise ConfigurationError([Problem("credentials", f"/auth/params/{name}", f"`{name}` is missing; write it")])
    return said


class SftpFolder:
    """A folder of a server, and those below it."""

    def __init__(self, line: Line, root: str) -> None:
        self._line = line
        self._root = root
        self._real_root = ""
        self._known: dict[str, str] = {}
        self._tidied: set[str] = set()

    async def stage(
        self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False
    ) -> "SftpStaged":
        """See ``Storage``."""
        folder, name = posixpath.split(path)
        into = await self._line.steadily(partial(self._made, folder=folder))
        if not replaces and await self._line.steadily(lambda client: marked(client, f"{into}/{name}")) is not None:
            raise NotStored("exists", _EXISTS)
        upload = Upload(self._line, f"{into}/{unseen(name)}")
        try:
            await upload.send(pieces)
            mark = await upload.seal()
        except BaseException:
            await upload.give_up()
            raise
        return SftpStaged(self, path, Placing(upload.path, f"{into}/{name}", mark, replaces), self._line)

    async def write(self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False) -> Stored:
        """See ``Storage``."""
        return await (await self.stage(path, pieces, replaces=replaces)).publish()

    async def clear(self, path: str) -> None:
        """See ``Storage``."""
        with where_allowed():
            await self._line.steadily(partial(self._clear, path=path))

    async def look(self, path: str) -> Stored | None:
        """See ``Storage``."""
        return await self._line.steadily(partial(self._look, path=path))

    async def remove(self, path: str) -> None:
        """See ``Storage``."""
        await self._line.steadily(partial(self._remove, path=path))

    async def check(self) -> None:
        """See ``Storage``. A file is written, renamed and removed; so are the folders that were missing."""
        made: list[str] = []
        into = await self._line.steadily(partial(self._made, folder="", made=made))
        upload, renamed = Upload(self._line, f"{into}/{unseen(_CHECK)}"), f"{into}/{unseen(_CHECK)}"
        try:
            await upload.send(_nothing_much())
            await Placing(upload.path, renamed, await upload.seal(), replaces=True).run(self._line)
        finally:
            await upload.give_up()
            await self._line.quietly(lambda client: client.remove(renamed))
            for folder in reversed(made):
                await self._line.quietly(partial(_remove_folder, path=folder))
            if made:
                self._known.clear()

    async def _look(self, client: asyncssh.SFTPClient, path: str) -> Stored | None:
        into = await self._found(client, posixpath.dirname(path))
        mark = await marked(client, f"{into}/{posixpath.basename(path)}") if into is not None else None
        return Stored(path, mark.size) if mark is not None else None

    async def _remove(self, client: asyncssh.SFTPClient, path: str) -> None:
        into = await self._found(client, posixpath.dirname(path))
        if into is not None:
            try:
                await client.remove(f"{into}/{posixpath.basename(path)}")
            except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
                return

    async def _clear(self, client: asyncssh.SFTPClient, path: str) -> None:
        folder, name = posixpath.split(path)
        into = await self._found(client, folder)
        if into is not None:
            for found in await _ours(client, into.encode(), lambda found, _: is_unseen(found, name)):
                await _removed(client, found)

    async def _found(self, client: asyncssh.SFTPClient, folder: str) -> str | None:
        """Return where a folder really is; ``None``: there is none."""
        root = await _real(client, self._root)
        real = await _real(client, posixpath.join(self._root, folder)) if folder else root
        if root is None or real is None:
            return None
        return _inside(root, real)

    async def _made(self, client: asyncssh.SFTPClient, folder: str, made: list[str] | None = None) -> str:
        """Return where a folder really is, having made what was missing of it. No step leads out of the root."""
        if folder in self._known:
            return self._known[folder]
        root = into = await _made(client, self._root, made)
        for name in folder.split("/") if folder else ():
            into = _inside(root, await _made(client, f"{into}/{name}", made))
        self._known[folder] = into
        return into

    async def _tidy(self, client: asyncssh.SFTPClient, placed: Placing) -> None:
        """Remove a file's temporary name, if it still has it, and those of runs that are dead."""
        folder, now = posixpath.dirname(placed.temporary), placed.mark.modified
        await _removed(client, placed.temporary)
        if folder in self._tidied or now is None:
            return
        self._tidied.add(folder)
        for name in await _ours(client, folder.encode(), lambda _, modified: (modified or now) < now - _OLD):
            await _removed(client, name)


class SftpStaged:
    """A whole file under its temporary name; see ``Staged``."""

    def __init__(self, folder: SftpFolder, path: str, placing: Placing, line: Line) -> None:
        self.path = path
        self.size = placing.mark.size
        self._folder = folder
        self._placing = placing
        self._line = line

    async def publish(self) -> Stored:
        """See ``Staged``."""
        try:
            await self._placing.run(self._line)
        except BaseException:
            await self.discard()
            raise
        await self._line.quietly(partial(self._folder._tidy, placed=self._placing))
        return Stored(self.path, self.size)

    async def discard(self) -> None:
        """See ``Staged``."""
        with suppress(Lost, NotStored):
            await self._line.once(lambda client: _removed(client, self._placing.temporary), within=_TO_UNDO)


async def _made(client: asyncssh.SFTPClient, path: str, made: list[str] | None) -> str:
    """Return where a folder really is, which is made if it is not there, and those above it."""
    real = await _real(client, path)
    if real is not None:
        return real
    above = posixpath.dirname(path.rstrip("/"))
    if above and above != path:
        await _made(client, above, made)
    try:
        await client.mkdir(path)
    except asyncssh.SFTPPermissionDenied:
        raise NotStored("no-place", f"The folder '{path}' is not there, and this user may not make it.") from None
    except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
        pass  # Another may have made it in between; if not, it is not there now.
    else:
        if made is not None:
            made.append(path)
    real = await _real(client, path)
    if real is None:
        raise NotStored("no-place", f"The folder '{path}' is not there, and the server does not make it.")
    return real


async def _real(client: asyncssh.SFTPClient, path: str) -> str | None:
    """Return where a folder really is; ``None``: there is none, or it is no folder."""
    try:
        real = await client.realpath(path)
        is_folder = (await client.stat(real)).type == asyncssh.FILEXFER_TYPE_DIRECTORY
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return None
    if not is_folder:
        raise NotStored("no-place", f"'{path}' is a file on the server, and no folder.")
    return str(real)


def _inside(root: str, real: str) -> str:
    if real != root and not real.startswith(root.rstrip("/") + "/"):
        raise NotStored("denied", _OUTSIDE)
    return real


async def _ours(client: asyncssh.SFTPClient, folder: bytes, is_it: Callable[[str, int | None], bool]) -> list[bytes]:
    """Return what we have not published and is it, by name and time, as far as the folder's first names tell."""
    found, seen = [], 0
    async for entry in client.scandir(folder):
        name = entry.filename if isinstance(entry.filename, bytes) else entry.filename.encode()
        is_ours = name.startswith(PREFIX.encode()) and name.endswith(SUFFIX.encode())
        if is_ours and is_it(name.decode(errors="replace"), entry.attrs.mtime):
            found.append(folder + b"/" + name)
        seen += 1
        if seen >= _MOST_NAMES:
            break
    return found


async def _removed(client: asyncssh.SFTPClient, path: str | bytes) -> None:
    try:
        await client.remove(path)
    except asyncssh.SFTPNoSuchFile:
        return


async def _remove_folder(client: asyncssh.SFTPClient, path: str) -> None:
    await client.rmdir(path)


async def _nothing_much() -> AsyncIterator[bytes]:
    yield b"Headrace looks whether it can write here.\n"
