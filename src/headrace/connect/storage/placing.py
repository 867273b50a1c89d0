"""
The last step of a file on a server of SFTP: from its temporary name to its own.

It is one call that the server does whole or not at all, where the server offers one. Where the connection breaks off
before the answer comes, both names are looked at, for a call that was done must not be taken for one that was not.
"""

import asyncio
import posixpath
from dataclasses import dataclass
from functools import partial

import asyncssh

from headrace.connect.storage.line import BROKEN, WAITS, Line, Lost
from headrace.connect.storage.storage import NotStored, forgotten
from headrace.connect.storage.upload import Mark

_EXISTS = "There is a file of this name already, and this one must not take its place; it was not written."
_UNKNOWN = (
    "The connection broke off as the file was put in its place, and now it is neither there nor where it came from: "
    "somebody has taken it away, or nobody has it. Sent once more, it may be there twice."
)


@dataclass(frozen=True, slots=True)
class Placing:
    """A whole file under ``temporary`` that is to be ``final``."""

    temporary: str
    final: str
    mark: Mark
    replaces: bool

    async def run(self, line: Line) -> None:
        """
        Put the file in its place, and know that it is there.

        Raises:
            NotStored: it is not there; ``exists`` without ``replaces``.
        """
        is_doubtful = False
        for wait in (*WAITS, None):
            try:
                return await line.once(partial(self._place, is_doubtful=is_doubtful))
            except Lost as lost:
                if wait is None:
                    raise lost.reason from None
                is_doubtful = True
                await asyncio.sleep(wait)
        return None

    async def _place(self, client: asyncssh.SFTPClient, *, is_doubtful: bool) -> None:
        if is_doubtful and await self._is_done(client):
            return
        there = await marked(client, self.temporary)
        if there is None or there.size != self.mark.size:
            raise NotStored("gone", forgotten(posixpath.basename(self.final)))
        await (self._replace(client) if self.replaces else self._create(client))

    async def _is_done(self, client: asyncssh.SFTPClient) -> bool:
        kept, placed = await marked(client, self.temporary), await marked(client, self.final)
        if kept is not None:
            return placed == self.mark and await self._is_one(client)
        if placed != self.mark:
            raise NotStored("unreached", _UNKNOWN)
        return True

    async def _is_one(self, client: asyncssh.SFTPClient) -> bool:
        """Find out whether both names are of one file: set the time at one of them, and look at the other."""
        if self.mark.modified is None:
            return False
        await _set_time(client, self.temporary, self.mark.modified - 1)
        is_one = (await marked(client, self.final)) == Mark(self.mark.size, self.mark.modified - 1)
        await _set_time(client, self.temporary, self.mark.modified)
        return is_one

    async def _replace(self, client: asyncssh.SFTPClient) -> None:
        try:
            await client.posix_rename(self.temporary, self.final)
        except asyncssh.SFTPOpUnsupported:
            if await marked(client, self.final) is not None:
                await client.remove(self.final)
            await client.rename(self.temporary, self.final)

    async def _create(self, client: asyncssh.SFTPClient) -> None:
        """Give the file a second name, which never takes the place of another; the first is removed afterwards."""
        try:
            await client.link(self.temporary, self.final)
        except BROKEN:
            raise
        except asyncssh.SFTPError:
            await self._rename(client)

    async def _rename(self, client: asyncssh.SFTPClient) -> None:
        """Where there are no links: the protocol says that a rename fails where there is a file already."""
        if await marked(client, self.final) is not None:
            raise NotStored("exists", _EXISTS)
        try:
            await client.rename(self.temporary, self.final)
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
            if await marked(client, self.final) is not None:
                raise NotStored("exists", _EXISTS) from None
            raise


async def marked(client: asyncssh.SFTPClient, path: str) -> Mark | None:
    """Look at a name; ``None``: there is nothing of it."""
    try:
        attributes = await client.lstat(path)
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return None
    return Mark(attributes.size or 0, attributes.mtime)


async def _set_time(client: asyncssh.SFTPClient, path: str, seconds: int) -> None:
    await client.setstat(path, asyncssh.SFTPAttrs(atime=seconds, mtime=seconds))
