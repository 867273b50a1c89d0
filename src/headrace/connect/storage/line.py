"""The connection that a storage of SFTP speaks over: made when it is needed, and made anew where it broke off."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import asyncssh

from headrace.connect.storage.ssh import broken
from headrace.connect.storage.storage import PASSES, NotStored

#: Seconds that one step may take at the server.
STEP = 60.0
#: Seconds before each further try, where a connection broke off.
WAITS = (0.1, 1.0, 4.0, 10.0)
_GOODBYE = 3.0
#: What is raised where a connection is no more.
BROKEN = (
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    asyncssh.SFTPBadMessage,
    asyncssh.DisconnectError,
    asyncssh.ChannelOpenError,
    OSError,
)

T = TypeVar("T")
Act = Callable[[asyncssh.SFTPClient], Awaitable[T]]


class Lost(Exception):
    """The connection is no more, and what was asked for was done or was not; ``reason`` is told if it stays so."""

    def __init__(self, reason: NotStored) -> None:
        self.reason = reason


class Line:
    """
    Speaks SFTP over one connection at a time, for whoever asks.

    Whatever breaks off, and whatever takes longer than it may, ends the connection for all; the next who asks gets a
    new one.
    """

    def __init__(self, where: str, connect: Callable[[], Awaitable[asyncssh.SSHClientConnection]]) -> None:
        self.where = where
        self._connect = connect
        self._connecting = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None
        self._ended: list[asyncssh.SSHClientConnection] = []

    async def once(self, act: Act[T], *, within: float = STEP) -> T:
        """
        Do something once.

        Raises:
            Lost: nobody knows whether it was done, or the server was not reached.
            NotStored: the server refused it, or does not let us in.
        """
        client = await self._opened()
        try:
            async with asyncio.timeout(within):
                return await act(client)
        except BROKEN as error:
            self.drop(client)
            raise Lost(broken(self.where, error)) from None
        except asyncssh.SFTPError as error:
            raise told(error, self.where) from None

    async def steadily(self, act: Act[T], *, within: float = STEP) -> T:
        """Do something that may be done twice, and again over a new connection where one breaks off."""
        for wait in (*WAITS, None):
            try:
                return await self.once(act, within=within)
            except Lost as lost:
                if wait is None:
                    raise lost.reason from None
                await asyncio.sleep(wait)
        raise AssertionError("the last try ends it")

    async def quietly(self, act: Act[object], *, within: float = 5.0) -> None:
        """Do something over the connection that there is, if there is one, and without a word where it fails."""
        if self._client is not None:
            with suppress(Lost, NotStored):
                await self.once(act, within=within)

    def drop(self, client: asyncssh.SFTPClient) -> None:
        """Give a connection up, unless it is another by now."""
        if client is self._client and self._connection is not None:
            self._connection.abort()
            self._ended.append(self._connection)
            self._connection = self._client = None

    async def close(self) -> None:
        """End every connection."""
        if self._connection is not None:
            self._connection.close()
            self._ended.append(self._connection)
            self._connection = self._client = None
        for connection in self._ended:
            await _ended(connection)
        self._ended.clear()

    async def _opened(self) -> asyncssh.SFTPClient:
        async with self._connecting:
            if self._client is None:
                self._connection, self._client = await self._begun()
            return self._client

    async def _begun(self) -> tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient]:
        try:
            connection = await self._connect()
        except NotStored as error:
            raise Lost(error) if error.cause in PASSES else error from None
        try:
            async with asyncio.timeout(STEP):
                return connection, await connection.start_sftp_client()
        except BROKEN as error:
            connection.abort()
            self._ended.append(connection)
            raise Lost(broken(self.where, error)) from None
        except BaseException:
            connection.abort()
            self._ended.append(connection)
            raise


async def _ended(connection: asyncssh.SSHClientConnection) -> None:
    with suppress(asyncssh.Error, OSError):
        try:
            async with asyncio.timeout(_GOODBYE):
                await connection.wait_closed()
        except TimeoutError:
            connection.abort()
            await connection.wait_closed()


def told(error: asyncssh.SFTPError, where: str) -> NotStored:
    """Say what a refusal of the server means. Its own words are not repeated: they may name people's folders."""
    match error:
        case asyncssh.SFTPPermissionDenied() | asyncssh.SFTPWriteProtect():
            return NotStored("denied", f"'{where}' does not allow it; the partner has to let this user write there.")
        case asyncssh.SFTPNoSpaceOnFilesystem() | asyncssh.SFTPQuotaExceeded():
            return NotStored("full", f"'{where}' has no room left for this user; the partner has to make some.")
        case asyncssh.SFTPNoSuchFile() | asyncssh.SFTPNoSuchPath() | asyncssh.SFTPNotADirectory():
            return NotStored("no-place", f"'{where}' has no such folder; see that it is there.")
        case asyncssh.SFTPFileAlreadyExists():
            return NotStored("exists", f"'{where}' has a file of this name already.")
    return NotStored("refused", f"'{where}' refused it ({type(error).__name__}).")
