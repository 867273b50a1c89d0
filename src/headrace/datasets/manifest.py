"""What a snapshot is made of: its files as they were, the version of its table, and its columns."""

import base64
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from headrace.datasets.places import shown
from headrace.errors import DataError


class Changed(DataError):
    """The data is not what it was when the snapshot was taken."""

    code = "data-changed"


class Unreadable(DataError):
    """The data cannot be read as what the dataset says it is."""

    code = "unreadable-data"


@dataclass(frozen=True, slots=True)
class File:
    """A file, and what another one in its place would have otherwise."""

    path: str
    size: int
    modified: int
    inode: int
    #: That of an object, in storage; empty for a file.
    tag: str = ""

    @classmethod
    def at(cls, path: Path | str) -> "File":
        """Look at a file."""
        status = Path(path).stat()
        return cls(str(path), status.st_size, status.st_mtime_ns, status.st_ino)

    @property
    def is_object(self) -> bool:
        """Whether it is an object in storage."""
        return bool(self.tag)

    def check(self) -> None:
        """
        See that the file is the one that it was. Of an object, each piece that is read is checked by its storage.

        Raises:
            Changed: it is not.
        """
        if self.is_object:
            return
        try:
            is_same = File.at(self.path) == self
        except OSError:
            raise Changed(f"the file {shown(self.path)} is gone: take a new snapshot") from None
        if not is_same:
            raise Changed(f"the file {shown(self.path)} was changed since the snapshot: take a new one")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of a snapshot, the version of its table if it is one, and its columns."""

    files: tuple[File, ...]
    schema: pa.Schema
    version: int | None = None

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)

    def check(self) -> None:
        """
        See that every file is the one that it was.

        Raises:
            Changed: one is not.
        """
        for file in self.files:
            file.check()

    def columns(self) -> list[dict[str, str]]:
        """Return names and types for people."""
        return [{"name": field.name, "type": str(field.type)} for field in self.schema]

    def document(self) -> dict[str, Any]:
        """Write it as JSON can keep it."""
        schema = base64.b64encode(self.schema.remove_metadata().serialize()).decode()
        return {"files": [asdict(file) for file in self.files], "schema": schema, "version": self.version}

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Manifest":
        """Read what ``document`` wrote."""
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(document["schema"])))
        return cls(tuple(File(**file) for file in document["files"]), schema, document["version"])


def unified(schemas: Iterable[tuple[str, pa.Schema]]) -> pa.Schema:
    """
    Return the columns of files that each have some of them; whole numbers and others make others.

    Raises:
        Unreadable: one column holds different things; it names the file.
    """
    whole: pa.Schema | None = None
    for where, schema in schemas:
        try:
            whole = schema if whole is None else pa.unify_schemas([whole, schema], promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise Unreadable(f"a column of {shown(where)} holds other things than before: {error}") from None
    assert whole is not None
    return whole.remove_metadata()
