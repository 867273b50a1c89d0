"""
The file of a backup: a tar archive that is written and read from its beginning to its end, in little memory.

| member | holds |
|---|---|
| `headrace.json` | the form of the file and of the store, when it was taken, the tables with their columns |
| `tables/<table>/<number>.msgpack.gz` | some rows of a table, a list of lists |
| `files/<path>` | a file of the data directory |
| `manifest.json` | the size and the SHA-256 of each member before it, and how many rows each table has |
| `manifest.sha256` | the SHA-256 of the manifest |

The last two are written last: a file without them is no backup, whatever else is in it.
"""

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec

from headrace.crashpoints import crashpoint
from headrace.errors import OperationError

#: The form of the file; raised when an older Headrace could not read it any more.
FORM = 1
HEAD, MANIFEST, SEAL = "headrace.json", "manifest.json", "manifest.sha256"
#: Bytes of rows that are written together, about.
TOGETHER = 4 << 20
#: More than any member but a file has: what is larger is no backup of ours.
_LARGEST = 1 << 30
_PIECE = 1 << 20

Row = Sequence[Any]
Rows = list[list[Any]]


class BadBackup(OperationError):
    """The file is not a whole backup."""

    code = "bad-backup"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, and whether it holds ``json``, a ``boolean`` or anything else that every database has."""

    name: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is kept."""

    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """
    What a backup says of itself: ``store`` is the form of the store, ``at_rest``: nothing ran when it was taken.
    """

    version: str
    store: str
    taken_at: int
    at_rest: bool
    tables: tuple[Table, ...]
    form: int = FORM


class Sink(Protocol):
    """Where a backup is written to."""

    def write(self, content: bytes, /) -> Any: ...


class Writer:
    """Writes a backup. What was not ended with ``close`` is none."""

    def __init__(self, sink: Sink, head: Head) -> None:
        self._tar = tarfile.open(mode="w|", fileobj=sink, bufsize=_PIECE, format=tarfile.PAX_FORMAT)  # type: ignore[call-overload]  # noqa: SIM115
        self._at = head.taken_at // 1000
        self._members: list[dict[str, Any]] = []
        self._rows: dict[str, int] = {}
        self._parts: dict[str, int] = {}
        self._put(HEAD, json.dumps(asdict(head), indent=1).encode())

    def rows(self, table: str, rows: Rows) -> None:
        """Write some rows of a table; those of one table come together."""
        number = self._parts[table] = self._parts.get(table, 0) + 1
        self._rows[table] = self._rows.get(table, 0) + len(rows)
        content = gzip.compress(msgspec.msgpack.encode(rows), compresslevel=1, mtime=0)
        self._put(f"tables/{table}/{number:06}.msgpack.gz", content)
        crashpoint("after_backup_part")

    def file(self, name: str, path: Path) -> None:
        """Write a file, which must not change meanwhile."""
        with path.open("rb") as file:
            size = path.stat().st_size
            hashed = _Hashing(file)
            self._add(f"files/{name}", size, hashed)
            self._note(f"files/{name}", size, hashed.hexdigest())

    def close(self) -> None:
        """Write down what was written: now it is a backup."""
        manifest = json.dumps({"members": self._members, "rows": self._rows}, indent=1).encode()
        self._put(MANIFEST, manifest)
        crashpoint("before_backup_seal")
        self._put(SEAL, hashlib.sha256(manifest).hexdigest().encode())
        self._tar.close()

    def _put(self, name: str, content: bytes) -> None:
        self._add(name, len(content), io.BytesIO(content))
        self._note(name, len(content), hashlib.sha256(content).hexdigest())

    def _add(self, name: str, size: int, content: Any) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, self._at
        self._tar.addfile(member, content)
        self._tar.members.clear()  # It remembers every member, for nothing.

    def _note(self, name: str, size: int, digest: str) -> None:
        self._members.append({"name": name, "size": size, "sha256": digest})


class _Hashing:
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.hexdigest = self._hash.hexdigest

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._hash.update(content)
        return content


@dataclass(frozen=True, slots=True)
class Member:
    """A member as it is met: its name without the folder of its kind, its size, and what reads it."""

    kind: str
    name: str
    size: int
    _content: IO[bytes]

    def pieces(self, path: Path) -> Iterator[bytes]:
        """Yield what the member holds, of a backup whose name is for the error: it may be cut short here."""
        try:
            while piece := self._content.read(_PIECE):
                yield piece
        except (tarfile.TarError, EOFError) as error:
            raise BadBackup(f"{path} is no whole backup: {error}") from None

    def read(self) -> bytes:
        return self._content.read(self.size)

    def rows(self) -> Rows:
        """Return the rows that the member holds."""
        rows: Rows = msgspec.msgpack.decode(gzip.decompress(self.read()), type=list[list[Any]])
        return rows

    def copy(self, path: Path) -> None:
        """Write the member to a new file for its owner's eyes only."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("xb") as file:
            path.chmod(0o600)
            while piece := self._content.read(_PIECE):
                file.write(piece)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a backup was found to hold: rows by table, and files."""

    head: Head
    rows: dict[str, int]
    files: int
    bytes: int


def verify(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> Verdict:
    """
    Read a backup to its end, and hold everything in it against its manifest.

    Raises:
        BadBackup: it is cut short, was altered, or is none.
        OperationError: it is of a newer Headrace, or cannot be read.
    """
    seen: list[dict[str, Any]] = []
    head, rows, files, contents = None, dict[str, int](), 0, {MANIFEST: b"", SEAL: b""}
    for member in members(path):
        hashed, kept = hashlib.sha256(), bytearray()
        for piece in member.pieces(path):
            hashed.update(piece)
            on_bytes(len(piece))
            if member.kind != "files":
                kept += piece
        name = f"{member.kind}/{member.name}" if member.kind else member.name
        if name == HEAD:
            head = _head(bytes(kept), path)
        elif name in contents:
            contents[name] = bytes(kept)
        elif member.kind == "tables":
            table = member.name.partition("/")[0]
            rows[table] = rows.get(table, 0) + _count(bytes(kept), path)
        files += member.kind == "files"
        seen.append({"name": name, "size": member.size, "sha256": hashed.hexdigest()})
    _refuse_altered(path, seen, rows, contents)
    assert head is not None
    return Verdict(head, rows, files, path.stat().st_size)


def _refuse_altered(path: Path, seen: list[dict[str, Any]], rows: dict[str, int], contents: dict[str, bytes]) -> None:
    if [item["name"] for item in seen[-2:]] != [MANIFEST, SEAL] or seen[0]["name"] != HEAD:
        raise BadBackup(f"{path} is no whole backup: it ends before its manifest. Take another")
    if hashlib.sha256(contents[MANIFEST]).hexdigest().encode() != contents[SEAL]:
        raise BadBackup(f"{path} was altered since it was made: its manifest is not what it was")
    told = json.loads(contents[MANIFEST])
    if told["members"] != seen[:-2] or told["rows"] != rows:
        before = {item["name"]: item for item in told["members"]}
        wrong = next((item["name"] for item in seen[:-2] if before.get(item["name"]) != item), "a member is missing")
        raise BadBackup(f"{path} was altered since it was made: {wrong}")


def _count(content: bytes, path: Path) -> int:
    try:
        return len(msgspec.msgpack.decode(gzip.decompress(content), type=list[list[msgspec.Raw]]))
    except (OSError, EOFError, zlib.error, msgspec.DecodeError) as error:
        raise BadBackup(f"{path} cannot be read: {error}") from None


def read_head(path: Path) -> Head:
    """
    Return what a backup says of itself.

    Raises:
        BadBackup: it is none.
        OperationError: it is of a newer Headrace, or cannot be read.
    """
    for member in members(path):
        if member.name == HEAD:
            return _head(member.read(), path)
        break
    raise BadBackup(f"{path} is no backup of Headrace")


def members(path: Path) -> Iterator[Member]:
    """
    Yield the members of a backup in their order; each is to be read before the next.

    Raises:
        BadBackup: it is cut short, or none.
        OperationError: it cannot be read.
    """
    try:
        with path.open("rb") as file, tarfile.open(mode="r|", fileobj=file, bufsize=_PIECE) as tar:
            while (entry := tar.next()) is not None:
                kind, _, name = entry.name.rpartition("/") if entry.name in (HEAD, MANIFEST, SEAL) else _parts(entry)
                _refuse_strange(entry, kind, name, path)
                content = tar.extractfile(entry)
                assert content is not None
                yield Member(kind, name, entry.size, content)
                tar.members.clear()  # type: ignore[attr-defined]
    except (tarfile.TarError, EOFError) as error:
        raise BadBackup(f"{path} is no whole backup: {error}") from None
    except OSError as error:
        raise OperationError(f"the backup {path} cannot be read: {error.strerror or error}") from None


def _parts(entry: tarfile.TarInfo) -> tuple[str, str, str]:
    return entry.name.partition("/")


def _refuse_strange(entry: tarfile.TarInfo, kind: str, name: str, path: Path) -> None:
    """Refuse what is not as we write it: links, and names that lead elsewhere."""
    is_ours = kind in ("tables", "files") or name in (HEAD, MANIFEST, SEAL)
    leads_away = any(part in ("", ".", "..") for part in name.split("/"))
    if not entry.isreg() or not is_ours or leads_away or "\\" in name:
        raise BadBackup(f"{path} holds {entry.name!r}, which no backup does")
    if kind != "files" and entry.size > _LARGEST:
        raise BadBackup(f"{path} holds {entry.name!r} of {entry.size} bytes, which no backup does")


def _head(content: bytes, path: Path) -> Head:
    try:
        told = json.loads(content)
        form = told["form"]
    except (ValueError, KeyError, TypeError):
        raise BadBackup(f"{path} is no backup of Headrace") from None
    if form != FORM:
        raise OperationError(f"{path} was made by a newer Headrace ({told.get('version')}): restore it with that one")
    try:
        return msgspec.convert(told, Head)
    except msgspec.ValidationError:
        raise BadBackup(f"{path} is no backup of Headrace") from None
