"""``headrace backup``: everything in one file, while everything goes on; and whether such a file is whole."""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Console
from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TransferSpeedColumn
from typer.core import TyperGroup

from headrace.cli.client import Client
from headrace.cli.options import DATA, DataDir
from headrace.cli.printing import say
from headrace.cli.settings import read_settings
from headrace.clock import SystemClock, iso
from headrace.errors import OperationError
from headrace.services.backing_up import write
from headrace.settings import Settings
from headrace.store.backup import archive
from headrace.store.backup.archive import Verdict
from headrace.store.database import FILE, Store

_PIECE = 1 << 18


class Taking(TyperGroup):
    """A group that takes a backup where no other command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["take", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="backup",
    cls=Taking,
    help="Take a backup of everything into one file: `headrace backup FILE`. `verify` says whether a file is whole.",
    no_args_is_help=True,
)


@app.command()
def take(
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; in a directory, one named by the moment.")
    ],
    data_dir: DataDir = DATA,
) -> None:
    """
    Take a backup of everything into one file, for its owner's eyes only: `headrace backup FILE`.

    A server that runs on the data directory is asked for it, and goes on meanwhile; where none runs, the store is read.
    Neither the master key nor credentials.json is in it: keep a copy of the key file, and keep it elsewhere.
    """
    target = target / time.strftime("headrace-%Y%m%dT%H%M%SZ.backup", time.gmtime()) if target.is_dir() else target
    if target.exists():
        raise OperationError(f"{target} is there already, and is not overwritten: name another")
    with _written(target) as file, shown() as progress:
        _ask(data_dir, progress.sink(file))
    found = archive.verify(target)
    say(f"{target}: {_said(found)}")


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")],
) -> None:
    """Read a backup to its end, and say whether it is whole and as it was written."""
    with shown() as progress:
        found = archive.verify(path, progress.note)
    say(f"{path} is whole: {_said(found)}")


def _said(found: Verdict) -> str:
    rows, head = sum(found.rows.values()), found.head
    kind = "nothing ran" if head.at_rest else "while it ran"
    return (
        f"{rows} rows of {len(found.rows)} tables and {found.files} files in {found.bytes} bytes,"
        f" taken {iso(head.taken_at)} ({kind}) by Headrace {head.version}, form {head.store}"
    )


def _ask(data_dir: Path, sink: archive.Sink) -> None:
    """Have the server send a backup, if there is one that runs here, and else read the store."""
    settings = read_settings({"data_dir": data_dir})
    client = _running(data_dir / "credentials.json")
    if client is not None:
        with closing(client):
            client.download("POST", "/backups", sink, _PIECE)
        return
    if not settings.database_url and not (settings.data_dir / FILE).exists():
        raise OperationError(f"there is no store in {settings.data_dir}: name its directory with --data-dir")
    with closing(_opened(settings)) as store:
        write(store, sink, SystemClock().now(), at_rest=True)


def _running(credentials: Path) -> Client | None:
    try:
        return Client.from_file(credentials)
    except (FileNotFoundError, ConnectionError):
        return None


def _opened(settings: Settings) -> Store:
    return Store.open(settings.data_dir, settings.database_url)


@contextlib.contextmanager
def _written(target: Path) -> Iterator[IO[bytes]]:
    """Write a file that has its name once it is whole and on the disk, and is gone if it did not come to that."""
    part = target.with_name(f"{target.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            yield file
            file.flush()
            os.fsync(descriptor)
        archive.verify(part)
        part.rename(target)
    except OSError as error:
        raise OperationError(f"the backup {target} cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


class Shown:
    """How many bytes have gone by, shown to whoever waits."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("backup", total=None)

    def note(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def sink(self, file: IO[bytes]) -> archive.Sink:
        """Return what writes to a file, and shows it."""
        return _Counted(file, self)


class _Counted:
    def __init__(self, file: IO[bytes], shown: Shown) -> None:
        self._file = file
        self._shown = shown

    def write(self, content: bytes, /) -> int:
        self._shown.note(len(content))
        return self._file.write(content)


@contextlib.contextmanager
def shown() -> Iterator[Shown]:
    """Show how far it is, on standard error."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        yield Shown(progress)
