"""What every run that writes files does, whatever is in them: it is tried again, watched, and cleared up after."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import Any, Protocol, TypeVar

from headrace.batch.export import Part
from headrace.batch.filenames import joined
from headrace.batch.manifest import Written, manifest, name_of_manifest
from headrace.clock import Clock
from headrace.connect.auth import SignInNeeded
from headrace.connect.storage import NotStored, Storage
from headrace.connect.storage.storage import where_allowed
from headrace.errors import HeadraceError
from headrace.events import AccountStopped, Announce
from headrace.orchestrate.port import RunLost
from headrace.services.at_partner.recording import wait_after
from headrace.services.exports.due import KIND, again
from headrace.services.exports.telling import Progress
from headrace.services.steps import HeldSteps, patiently
from headrace.services.storages import StorageAccess
from headrace.store import runs
from headrace.store.database import Store, Transaction
from headrace.store.runs import Run


class Ready(Protocol):
    """A run that can be carried, whatever it writes: the storage that takes its files, and how far it has come."""

    @property
    def access(self) -> StorageAccess: ...

    @property
    def progress(self) -> Progress: ...


T = TypeVar("T")
R = TypeVar("R", bound=Ready)
#: How often an export is tried by itself where the storage could not be reached, which takes most of a day.
MOST_TRIES = 24
#: The cause where the account rests, or was revoked: nobody asked the storage.
_SIGNED_OUT = "signed-out"
#: Seconds between two looks whether the run is still to be carried.
_LOOK = 1.0


class Anew(Exception):
    """What was read of a run holds no more, and nothing was written by it."""


# -- the run ----------------------------------------------------------------------------------------------------------


async def tried(
    read: Callable[[Transaction, Run], R],
    write: Callable[[R], Coroutine[Any, Any, None]],
    run: Run,
    steps: HeldSteps,
    store: Store,
    clock: Clock,
    announce: Announce,
    scratch: Path,
) -> None:
    """
    Read what a run is about, and write its files; nothing, where it has published, and died before that was known.

    Both are done once more where writing ends with ``Anew``. Where the storage was not reached or did not let it in,
    another run is asked for, until enough were.

    Raises:
        HeadraceError: what one of the two raised, without the account's secrets.
    """

    async def work() -> None:
        while (ready := await patiently(lambda: store.read(lambda tx: _unpublished(tx, run, read)))) is not None:
            with suppress(Anew):
                async with resting(ready.access, store, clock, announce):
                    with quietened(ready.access):
                        await while_ours(steps, ready.progress, clock, write(ready))
                return

    try:
        failed = await steps.step("export", lambda: _cause_of(work))
    finally:
        await asyncio.to_thread(rmtree, scratch, ignore_errors=True)
    if failed is not None:
        await patiently(lambda: store.write(lambda tx: steps.note_in(tx, cause=failed["cause"])))
        if failed["cause"] == _SIGNED_OUT:
            await steps.step("ask again", lambda: _ask_again(run, store, clock))
            raise SignInNeeded(failed["message"])
        error = NotStored(failed["cause"], failed["message"])
        if error.may_pass or error.cause == "denied":
            await steps.step("ask again", lambda: _ask_again(run, store, clock))
        raise error


def _unpublished(tx: Transaction, run: Run, read: Callable[[Transaction, Run], R]) -> R | None:
    current = runs.get(tx, run.run) or run
    return None if current.progress.get("published") else read(tx, current)


async def _cause_of(work: Callable[[], Awaitable[None]]) -> dict[str, str] | None:
    """Do work, and return why the storage did not take it: of an error that leaves a step its words alone are kept."""
    try:
        await work()
    except SignInNeeded as error:
        return {"cause": _SIGNED_OUT, "message": error.message}
    except NotStored as error:
        return {"cause": error.cause, "message": error.message}
    return None


async def _ask_again(run: Run, store: Store, clock: Clock) -> None:
    """Ask for the next try, unless somebody has already: also when this step is done a second time."""
    now, count = clock.now(), int(run.subject.get("tried", 0)) + 1

    def work(tx: Transaction) -> None:
        if count < MOST_TRIES and not runs.is_tried_again(tx, run.run):
            subject = again(runs.get(tx, run.run) or run, count)
            runs.ask(tx, run.tenant, KIND, subject, run.actor, now, now + wait_after(count), retry_of=run.run)

    await patiently(lambda: store.write(work))


async def while_ours(steps: HeldSteps, progress: Progress, clock: Clock, work: Coroutine[Any, Any, None]) -> None:
    """Do something long, and stop it when the run is cancelled, or another process has it."""
    working = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([working], timeout=_LOOK))[0]:
            if not await steps.still_ours():
                raise RunLost
            await steps.note(**progress.told(clock.monotonic()))
        working.result()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


@asynccontextmanager
async def resting(access: StorageAccess, store: Store, clock: Clock, announce: Announce) -> AsyncIterator[None]:
    """Let an account rest that its storage denies what is done meanwhile, so that not every file of it asks again."""
    try:
        yield
    except NotStored as error:
        reason = error.message
        if error.cause == "denied":
            stopped = await patiently(lambda: store.write(lambda tx: access.rest(tx, reason, clock.now())))
            if stopped is not None:
                announce(AccountStopped(account=stopped, reason=reason))
        raise


@contextmanager
def quietened(access: StorageAccess) -> Iterator[None]:
    """Take an account's secrets out of whatever error is raised meanwhile."""
    try:
        yield
    except HeadraceError as error:
        error.message = access.redact(error.message)
        error.args = (error.message,)
        raise


@asynccontextmanager
async def in_thread(context: AbstractContextManager[T], give_up: Callable[[], None] = lambda: None) -> AsyncIterator[T]:
    """
    Enter and leave, in threads, what blocks; whoever is cancelled on the way in leaves it all the same.

    ``give_up`` is told when the block is left, however it is.
    """
    entering = asyncio.ensure_future(asyncio.to_thread(context.__enter__))
    try:
        yield await asyncio.shield(entering)
    finally:
        give_up()
        await asyncio.wait([entering])
        if entering.exception() is None:
            await asyncio.to_thread(context.__exit__, None, None, None)


# -- the files --------------------------------------------------------------------------------------------------------


async def clear(storage: Storage, run: Run, path: Callable[[int], str]) -> None:
    """Take back the parts of a set of files that a try which was killed has left under way, if there was one."""
    for part in range(1, int(run.progress.get("parts") or 0) + 2):
        await storage.clear(path(part))


async def refuse_taken(storage: Storage, path: str) -> None:
    """
    Refuse a name that somebody else's file has, as far as we may look.

    Raises:
        NotStored: ``exists``.
    """
    with where_allowed():
        if await storage.look(path) is not None:
            raise NotStored("exists", f"There is a file '{path}' already, and it is not of this export; it stays.")


async def withdraw(storage: Storage, parts: Iterable[Part]) -> None:
    """Take away files that were published, of a set that does not become whole under its names."""
    for part in parts:
        await storage.remove(part.path)


async def remove_from(storage: Storage, path: Callable[[int], str], first: int) -> None:
    """Remove parts of an older set of files of these names: they would be taken for the end of this one."""
    number = first
    while await storage.look(path(number)) is not None:
        await storage.remove(path(number))
        number += 1


async def write_manifest(storage: Storage, run: Run, moment: int, base: str, folder: str, parts: list[Part]) -> None:
    """Write the manifest of a run into a folder; ``base`` is that which the storage is opened at."""
    slot = run.subject["slot"]
    files = [Written(joined(base, part.path), part.size, part.rows, part.sha256) for part in parts]
    body = manifest(run.run, moment if slot is None else slot, files)
    name = name_of_manifest(run.subject["dataflow"], run.run)

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    await storage.write(joined(folder, name), pieces(), replaces=True)


def told(part: Part) -> dict[str, Any]:
    """Return what is noted of a file."""
    return {"path": part.path, "rows": part.rows, "bytes": part.size, "sha256": part.sha256}
