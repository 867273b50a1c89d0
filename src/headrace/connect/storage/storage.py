"""What a storage has to be able to do, so that a file is there whole or not at all."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from headrace.connect.egress import Egress
from headrace.connect.guard import Guard
from headrace.connect.tls import Tls
from headrace.errors import PartnerError
from headrace.registry import Registry

Cause = Literal[
    "no-place", "denied", "exists", "gone", "full", "distrusted", "host-key", "unreached", "busy", "refused"
]
#: What may well be over in a while, and is worth another try of the same step.
PASSES: frozenset[Cause] = frozenset({"unreached", "busy"})


class NotStored(PartnerError):
    """The storage did not do what it was asked for; ``cause`` is stable, the message says more."""

    code = "storage"

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause

    @property
    def may_pass(self) -> bool:
        """Whether it may work in a while as it is; what is gone has to be sent again."""
        return self.cause in PASSES or self.cause == "gone"


def forgotten(path: str) -> str:
    """Say what ``gone`` means of a file that was staged."""
    return f"The storage no longer has what was uploaded for '{path}', or somebody has changed it; send it once more."


@contextmanager
def where_allowed() -> Iterator[None]:
    """Leave things as they are where the storage lets nobody ask, or not these credentials."""
    try:
        yield
    except NotStored as error:
        if error.cause not in ("denied", "refused"):
            raise


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as it is now: another in its place has another ``tag``, where the storage has tags."""

    path: str
    size: int
    tag: str = ""


class Staged(Protocol):
    """
    A file that is uploaded and that nobody sees yet, for as long as the storage remembers it: hours, mostly days.

    It is published or discarded, each once at most.
    """

    @property
    def path(self) -> str: ...

    @property
    def size(self) -> int: ...

    async def publish(self) -> Stored:
        """
        Make it a file, in one step: it is visible under its path whole or not at all.

        Where it was staged with ``replaces``, a file in its place gives way at that moment; else the cause is
        ``exists``, also where two publish at once. Where nobody knows whether it was done, it is found out. The cause
        is ``gone`` where the storage has forgotten what was staged. Whatever is raised, nothing of it is left, as far
        as the storage can be asked.
        """
        ...

    async def discard(self) -> None:
        """
        Take it back, as far as the storage can be asked, and raise nothing of the outside world.

        What was published stays; what is gone is fine.
        """
        ...


class Storage(Protocol):
    """
    A folder of a storage that is signed in to. A path is relative to it, with ``/`` between names, and already proven
    to stay inside of it. One is used by one run at a time; calls may be made at once.

    Every call raises ``NotStored``, and nothing else that is of the outside world.
    """

    async def stage(self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False) -> Staged:
        """
        Upload a file of pieces, which come as fast as they are taken; memory holds a few of them at a time.

        Some storages are told at the beginning whether it ``replaces`` another; without, one that is there already is
        refused with ``exists`` before anything is sent. Where ``pieces`` raises, the storage fails or the caller is
        cancelled, nothing is left that counts as a file, and as little as can be else.
        """
        ...

    async def write(self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False) -> Stored:
        """Stage a file, and publish it."""
        ...

    async def clear(self, path: str) -> None:
        """
        Take back what an earlier try was staging under a path as it was killed, as far as the storage can be asked.

        Where it cannot, or not by these credentials, nothing is done. Nobody may be staging a file of this path
        meanwhile. What was published stays.
        """
        ...

    async def look(self, path: str) -> Stored | None:
        """Return a file; ``None``: there is none."""
        ...

    async def remove(self, path: str) -> None:
        """Remove a file, if there is one."""
        ...

    async def check(self) -> None:
        """See that files could be written, and leave nothing behind: whether the operator's account is in order."""
        ...


@dataclass(frozen=True, slots=True)
class House:
    """
    Who the house itself is at Amazon: with these keys it assumes roles of partners.

    ``external_id`` says for whom it does; a partner's role that asks for it is not assumed for anybody else.
    """

    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    sts_url: str = "https://sts.us-east-1.amazonaws.com/"
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """
    How a storage is reached: what is found on the way out is held to ``egress``, by ``dial`` or by the running guard.

    ``trusted_keys`` are keys of hosts by ``host:port``, as their accounts have pinned them. Below ``directories`` of
    this machine, and nowhere else of it, files may be written; ``landing`` makes the sandbox's landing zone, if it is
    not there yet, and returns its directory. ``authority`` gives Azure's tokens, in place of Azure.
    """

    egress: Egress
    guard: Guard
    tls: Tls = field(default_factory=Tls)
    trusted_keys: Mapping[str, str] = field(default_factory=dict)
    house: House | None = None
    directories: tuple[Path, ...] = ()
    landing: Callable[[], Awaitable[Path]] | None = None
    authority: str = ""


class MakesStorage(Protocol):
    """
    One kind of storage. ``place`` is the block of the destination server with every text rendered, by its names on the
    wire (``{"bucket": …, "path": …}``); ``auth`` are the account's credentials, likewise; ``auth_type`` the way in.
    """

    auth_types: ClassVar[tuple[str, ...]]

    def open(
        self, place: Mapping[str, Any], auth_type: str, auth: Mapping[str, Any], way: Way
    ) -> AbstractAsyncContextManager[Storage]:
        """
        Open a storage for a run; credentials may be tried here or at the first call.

        Raises:
            AuthoringError: the place comes to something that cannot be.
            AccountError: the credentials do; ``EgressError``: the place may not be reached.
            NotStored: the storage was asked, and refused.
        """
        ...


storages: Registry[MakesStorage] = Registry("storage")
