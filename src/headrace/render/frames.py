"""What goes between the process that delivers and the ones that render: frames of MessagePack, each with its length."""

import struct
from typing import Any

import msgspec

from headrace.mapping import LeftOut

#: A frame that is longer than this is a fault: no call is given that much, and no answer grows to it.
LONGEST = 1 << 28
#: Says to a child that telephone numbers will have to be read.
PHONES = "phones"
_LENGTH = struct.Struct(">I")


class EntryFrame(msgspec.Struct, array_like=True):
    """One entry of a group."""

    profile: int
    audience: int
    part: str
    seq: int
    document: bytes
    changed: tuple[int, ...]
    shown: bytes | None


class GroupFrame(msgspec.Struct, array_like=True):
    """A group to compose, by the recipe with this id."""

    recipe: str
    attempt: int
    bucket: int
    entries: list[EntryFrame]


class Call(msgspec.Struct, array_like=True):
    """Groups to compose, and the recipes among theirs that the child was not sent yet, by id."""

    recipes: dict[str, bytes]
    groups: list[GroupFrame]


class MessageFrame(msgspec.Struct, array_like=True):
    """A composed message; ``entries`` are places in the group."""

    id: str
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    entries: list[int]
    shown: list[bytes | None]
    names: list[str | None] = []


class RefusedFrame(msgspec.Struct, array_like=True):
    """An entry that could not be rendered, by its place in the group, and why."""

    entry: int
    code: str
    reason: str


class ComposedFrame(msgspec.Struct, array_like=True):
    """What became of one group; and how many mapped values were left out, by target and reason."""

    messages: list[MessageFrame]
    refused: list[RefusedFrame]
    left_out: list[tuple[LeftOut, int]] = []


class Answer(msgspec.Struct, array_like=True):
    """What became of the groups of a call, in their order."""

    groups: list[ComposedFrame]


_encode = msgspec.msgpack.Encoder().encode


def framed(message: Any) -> bytes:
    """Write a message as a frame."""
    body = _encode(message)
    return _LENGTH.pack(len(body)) + body


def length_of(head: bytes) -> int:
    """
    Read the length that a frame begins with.

    Raises:
        ValueError: it is longer than any frame of ours.
    """
    (length,) = _LENGTH.unpack(head)
    if length > LONGEST:
        raise ValueError(f"a frame of {length} bytes")
    return int(length)


HEAD = _LENGTH.size
