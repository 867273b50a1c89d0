"""
The record of erasures, in a file of its own: who was erased stays so when the store is restored from an older backup.

It holds keyed hashes, which say nothing to whoever has no key, and is only added to. The store is the truth: what is
not in the file yet is added when Headrace starts. A copy of it that is newer than the backup is what a restore needs.
"""

import json
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from headrace.errors import OperationError
from headrace.events import Announce, ErasureLogFailed, told
from headrace.store import access, erasures
from headrace.store.database import Store, Transaction

#: Its name in the data directory, unless a setting names another place.
FILE = "erasures.log"


@dataclass(frozen=True, slots=True)
class Line:
    """Somebody was erased in a sandbox, or, without a hash, an erasure was lifted."""

    sandbox: str
    erasure: str
    at: int
    hash: str | None = None


class ErasureLog:
    """Adds to the record. What cannot be written now is written with what comes next, or at the next start."""

    def __init__(self, path: Path, announce: Announce = lambda _: None) -> None:
        self.path = path
        self._announce = announce
        self._writing = threading.Lock()
        self._left: list[Line] = []

    def add(self, lines: Iterable[Line]) -> None:
        """Write lines, so that they are there after a power cut as well. Never raises."""
        with self._writing:
            self._left += lines
            if not self._left:
                return
            try:
                _append(self.path, self._left)
                self._left = []
            except OSError as error:
                self._announce(ErasureLogFailed(path=str(self.path), error=told(error)))

    def catch_up(self, store: Store) -> None:
        """Add what the store knows and the file does not: whoever died between the two left it so."""
        known = {(line.sandbox, line.erasure, line.hash) for line in read(self.path)}
        self.add(line for line in store.read_now(_all) if (line.sandbox, line.erasure, line.hash) not in known)


def read(path: Path) -> Sequence[Line]:
    """
    Return the lines of a record; a last one that is cut short was never answered for.

    Raises:
        OperationError: it cannot be read, or is none.
    """
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise OperationError(f"the record of erasures {path} cannot be read: {error.strerror}") from None
    whole, _, _ = content.rpartition(b"\n")
    try:
        return [Line(**json.loads(text)) for text in whole.splitlines() if text.strip()]
    except (ValueError, TypeError):
        raise OperationError(f"{path} is no record of erasures") from None


def _append(path: Path, lines: Iterable[Line]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        is_cut = file.seek(0, os.SEEK_END) and os.pread(descriptor, 1, file.tell() - 1) != b"\n"
        written = "".join(f"{json.dumps(asdict(line))}\n" for line in lines)
        file.write(b"\n" * bool(is_cut) + written.encode())
        file.flush()
        os.fsync(descriptor)


def _all(tx: Transaction) -> list[Line]:
    """Return what the store knows of who is kept out, and of erasures that were lifted."""
    found: list[Line] = []
    for tenant in access.all_tenants(tx):
        moments = {item.erasure: item for item in erasures.latest(tx, tenant.tenant, 1 << 31)}
        for hash_, erasure in erasures.tombstones_with_erasures(tx, tenant.tenant):
            at = moments[erasure].asked_at if erasure in moments else 0
            found.append(Line(tenant.sandbox_id, erasure, at, hash_))
        found += [Line(tenant.sandbox_id, item.erasure, item.lifted_at) for item in moments.values() if item.lifted_at]
    return found
