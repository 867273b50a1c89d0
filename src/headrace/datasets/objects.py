"""
Datasets in object storage: below the buckets that whoever runs Headrace declared, and nowhere else.

An object is read in ranges, each asked for with the tag that the object had when the snapshot was taken: one that was
changed since is noticed in the middle of reading, too.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from headrace.connect.buckets import Bucket, Buckets, Found, NotRead, Place
from headrace.datasets.manifest import Changed, File, Unreadable
from headrace.datasets.places import PATTERN, Misplaced, shown
from headrace.datasets.sources import SCHEME, SETTING, Source, Sources
from headrace.errors import OperationError

#: Bytes that are asked for at once where text is read from its beginning to its end.
AHEAD = 4 << 20


class StorageUnreached(OperationError):
    """The object storage was not reached, or did not answer."""

    code = "storage-unreached"


@dataclass(frozen=True, slots=True)
class Objects:
    """The object storage that a sandbox may read."""

    sources: Sources = field(default_factory=Sources)
    buckets: Buckets | None = None

    def source_of(self, location: str) -> Source:
        """
        Return the source that a location lies in; of several the one that says most.

        Raises:
            Misplaced: it lies in none.
        """
        holding = [source for source in self.sources.of_kind("s3") if _holds(source.url, location)]
        if not holding or ".." in location.split("/"):
            raise Misplaced(f"{shown(location)} is in none of the buckets of {SETTING} that are for this sandbox")
        return max(holding, key=lambda source: len(source.url))

    def find(self, location: str, endings: Iterable[str]) -> tuple[File, ...]:
        """
        Return the objects of a location, in the order of their names, by the rules that hold for files.

        Raises:
            Misplaced: it may not be read, or there is none.
            StorageUnreached: it cannot be known.
        """
        source = self.source_of(location)
        try:
            found = sorted(_matching(self._bucket(source), location, tuple(endings)), key=lambda one: one.key)
        except NotRead as error:
            raise _meant(error, source, location) from None
        if not found:
            raise Misplaced(f"there is no object at {shown(location)}: name one, what some begin with, or a pattern")
        bucket = _bucket_of(location)
        return tuple(_file(bucket, one) for one in found)

    def open(self, file: File) -> "ObjectReader":
        """Open an object of a snapshot; what is read of it is what it was, or an error."""
        source = self.source_of(file.path)
        return ObjectReader(self._bucket(source), source, file)

    def _bucket(self, source: Source) -> Bucket:
        assert self.buckets is not None, "sources with buckets come with a way to them"
        place = Place(source.endpoint, source.region, _bucket_of(source.url), source.access_key, source.secret_key)
        return self.buckets.open(place)


class ObjectReader(io.RawIOBase):
    """An object as a file. Each piece that is read of it is one request."""

    def __init__(self, bucket: Bucket, source: Source, file: File) -> None:
        self._bucket = bucket
        self._source = source
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, self._file.size)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        into = memoryview(buffer).cast("B")
        end = min(self._at + len(into), self._file.size)
        if end <= self._at:
            return 0
        try:
            piece = self._bucket.read(_key_of(self._file.path), self._file.tag, self._at, end)
        except NotRead as error:
            raise _meant(error, self._source, self._file.path) from None
        into[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def _meant(error: NotRead, source: Source, location: str) -> Exception:
    """Say what went wrong to whoever declared the dataset, or runs Headrace."""
    where, name = shown(location), repr(source.name)
    if error.cause == "no-bucket":
        return Misplaced(
            f"the source {name} has no bucket {_bucket_of(location)!r}: its operator names one that is there"
        )
    if error.cause == "denied":
        return Misplaced(f"the source {name} may not read {where} ({error.said}): its operator looks at its keys")
    if error.cause == "gone":
        return Changed(f"the object {where} is gone: take a new snapshot")
    if error.cause == "changed":
        return Changed(f"the object {where} was changed since the snapshot: take a new one")
    if error.cause == "distrusted":
        return StorageUnreached(
            f"the certificate of the source {name} is not trusted ({error.said}): its operator names who vouches for it"
            " in HEADRACE_TLS_CA_FILE"
        )
    if error.cause == "refused":
        return StorageUnreached(f"the source {name} did not answer for {where} ({error.said}): try again later")
    return StorageUnreached(
        f"the source {name} was not reached: its operator looks at its endpoint, or try again later"
    )


def _matching(bucket: Bucket, location: str, endings: tuple[str, ...]) -> Iterator[Found]:
    key = _key_of(location)
    above, _, last = key.rpartition("/")
    if PATTERN & {*last}:
        for one in bucket.directly_in(above):
            name = one.key.rpartition("/")[2]
            if fnmatchcase(name, last) and not _is_hidden(name):
                yield one
        return
    alone = bucket.look(key) if last else None
    if alone is not None:
        yield alone
        return
    for one in bucket.below(key.rstrip("/")):
        if one.key.endswith(endings) and not _is_hidden(one.key.removeprefix(key)):
            yield one


def _is_hidden(key: str) -> bool:
    return any(part.startswith((".", "_")) for part in key.split("/"))


def _file(bucket: str, found: Found) -> File:
    path = f"{SCHEME}{bucket}/{found.key}"
    if not found.tag:
        raise Unreadable(
            f"the storage does not say of {shown(path)} by what a change of it would be noticed (its ETag)"
        )
    return File(path, found.size, int(found.modified.timestamp() * 1e9), 0, found.tag)


def _holds(url: str, location: str) -> bool:
    return location == url.rstrip("/") or location.startswith(f"{url.rstrip('/')}/")


def _bucket_of(location: str) -> str:
    return location.removeprefix(SCHEME).partition("/")[0]


def _key_of(location: str) -> str:
    return location.removeprefix(SCHEME).partition("/")[2]
