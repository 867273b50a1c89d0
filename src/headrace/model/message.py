"""What travels: entries of lanes, grouped by what they share, rendered into messages."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from headrace.model.http import Request
from headrace.model.outcome import Outcome

Status = Literal["realized", "exited"]

_STATUS_CODES: dict[str | None, int] = {None: 0, "realized": 1, "exited": 2}
_STATUSES: tuple[Status | None, ...] = (None, "realized", "exited")


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    What the entries of a group share, by our own numbers: audience, its status, identity group.

    Zero and ``None`` say that the aggregation key has no such part. One integer in the store.

    >>> Bucket.decode(Bucket(audience=7, status="exited", identity_group=2).encode())
    Bucket(audience=7, status='exited', identity_group=2)
    """

    audience: int = 0
    status: Status | None = None
    identity_group: int = 0

    def encode(self) -> int:
        return self.audience << 16 | self.identity_group << 2 | _STATUS_CODES[self.status]

    @classmethod
    def decode(cls, number: int) -> "Bucket":
        return cls(number >> 16, _STATUSES[number & 3], number >> 2 & 0x3FFF)

    @staticmethod
    def range_of(audience: int) -> tuple[int, int]:
        """Return the lowest and the highest number that a bucket of an audience may have."""
        return audience << 16, (audience << 16) + 0xFFFF


@dataclass(frozen=True, slots=True)
class Patience:
    """
    How long the entries of a bucket wait for others: until they are ``entries``, or the first has waited ``age``
    milliseconds, whichever comes first.
    """

    age: int
    entries: int


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One lane's turn to be sent: what is known of the person, and which changes ride along.

    ``document`` is the stored profile, ``changed`` the numbers of the audiences that changed (0: attributes or
    identities), ``shown`` what the partner was last told through this lane.
    """

    profile: int
    audience: int
    part: str
    seq: int
    document: bytes
    changed: tuple[int, ...]
    shown: bytes | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """
    Entries claimed to travel together. ``attempt`` counts from 1 and was raised before any work began; ``lease_until``
    is when somebody else may take the group over. ``since`` is how long the oldest of them has waited, 0: not known.
    """

    tenant: int
    dataflow: int
    number: int
    epoch: int
    attempt: int
    bucket: Bucket
    entries: tuple[Entry, ...]
    lease_until: int = 0
    since: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """
    One rendered request and the entries it carries; ``shown`` is what the partner then knows, entry by entry.

    ``generation`` names the account's token that the templates have read; ``None``: they have read none. ``names`` are
    the ids by which the partner's answer names its entries, where it does.
    """

    id: str
    request: Request
    entries: tuple[Entry, ...]
    shown: tuple[bytes | None, ...]
    generation: int | None = None
    names: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """The outcome of one entry, the message it travelled in, and what the partner knows if that was delivered."""

    entry: Entry
    outcome: Outcome
    message: str = ""
    shown: bytes | None = None


def message_id(dataflow: str, version: str, entries: tuple[Entry, ...], contents: Sequence[bytes] = ()) -> str:
    """
    Name a message by its content: the same entries in the same state under the same configuration.

    A repeat carries the same id, so a partner can recognise it; a new state of one entry makes a new id. So does what
    is said of somebody without being news: ``contents`` are what templates see of each entry.
    """
    digest = hashlib.sha256(f"{dataflow}\n{version}".encode())
    for entry in entries:
        part = entry.part.encode()
        digest.update(b"\n%d %d %d %d " % (entry.profile, entry.audience, entry.seq, len(part)) + part)
    for content in contents:
        digest.update(b"\n%d " % len(content) + content)
    return digest.hexdigest()[:32]
