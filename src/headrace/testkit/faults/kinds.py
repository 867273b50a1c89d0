"""What can be wrong with a connection: each fault is a value, and can be written as a line and read again."""

from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

#: Which way bytes go: to the upstream, back to whoever connected, or both.
SIDES = ("to", "back", "both")


@dataclass(frozen=True, slots=True)
class Latency:
    """Every piece comes so many seconds later, and up to ``jitter`` earlier or later than that; the order stays."""

    seconds: float
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """No more than so many bytes go in a second."""

    rate: float


@dataclass(frozen=True, slots=True)
class Drip:
    """One byte goes, and the next so many seconds later."""

    every: float


@dataclass(frozen=True, slots=True)
class Cut:
    """
    The connection is ended in good order (FIN), both ways.

    ``after`` so many bytes have gone this way since the fault began; with 0 in the place of the first byte. Without it,
    at once. So it is for all that follow.
    """

    after: int | None = None


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is broken off (RST), both ways."""

    after: int | None = None


@dataclass(frozen=True, slots=True)
class Blackhole:
    """What comes is taken and never goes on, the end of the connection neither; once the fault is off, it is reset."""

    after: int | None = None


@dataclass(frozen=True, slots=True)
class HalfClose:
    """This way is ended (FIN), and what else comes is dropped; the other way goes on."""

    after: int | None = None


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that nobody sent are put among the others, once in each connection."""

    after: int | None = None
    text: str = "\x00\x15\x03garbage\r\n"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody listens: new connections are refused. Those that are open stay."""


Fault = Latency | Bandwidth | Drip | Cut | Reset | Blackhole | HalfClose | Garbage | Refuse
Striking = Cut | Reset | Blackhole | HalfClose | Garbage

KINDS: dict[str, type[Fault]] = {
    "latency": Latency,
    "bandwidth": Bandwidth,
    "drip": Drip,
    "cut": Cut,
    "reset": Reset,
    "blackhole": Blackhole,
    "half-close": HalfClose,
    "garbage": Garbage,
    "refuse": Refuse,
}
_NAMES = {kind: name for name, kind in KINDS.items()}


class NoFault(ValueError):
    """The line does not say a fault; the message says what can be written."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A fault, and where: the side, and how many of the next connections have it; None is all, the open ones too."""

    side: str
    fault: Fault
    connections: int | None = None

    def __str__(self) -> str:
        """
        Write it as ``read`` reads it; what is as by default is left out.

        >>> str(Placed("back", Latency(0.2), 3))
        'back.latency seconds=0.2 connections=3'
        """
        place = "" if isinstance(self.fault, Refuse) else f"{self.side}."
        said = [(field.name, getattr(self.fault, field.name), field.default) for field in fields(self.fault)]
        said.append(("connections", self.connections, None))
        words = [f"{name}={value!r}" for name, value, default in said if value != default]
        return " ".join([place + _NAMES[type(self.fault)], *words])


def read(line: str) -> Placed:
    """
    Read a fault from a line: ``SIDE.KIND name=value …``.

    >>> read("back.cut after=10 connections=1")
    Placed(side='back', fault=Cut(after=10), connections=1)

    Raises:
        NoFault: it is none.
    """
    head, *words = line.split() or [""]
    side, dot, name = head.rpartition(".")
    if name not in KINDS:
        raise NoFault(f"'{name}' is not a fault; these are: {', '.join(KINDS)}")
    kind = KINDS[name]
    if (kind is Refuse) == bool(dot) or (dot and side not in SIDES):
        raise NoFault(f"'{head}': write {_form(kind)}, with one of {', '.join(SIDES)} for SIDE")
    values: dict[str, Any] = dict(_value(word, kind) for word in words)
    connections = values.pop("connections", None)
    missing = [field.name for field in fields(kind) if field.default is MISSING and field.name not in values]
    if missing:
        raise NoFault(f"'{line}' does not say {' and '.join(missing)}: write {_form(kind)}")
    return Placed(side or "both", kind(**values), connections)


def _value(word: str, kind: type[Fault]) -> tuple[str, int | float | None]:
    """Read ``name=value``; every value that can be written is a number above nothing, and counts are whole."""
    name, equals, text = word.partition("=")
    known = {field.name: field for field in fields(kind) if field.name != "text"}
    allowed = {**known} if kind is Refuse else {**known, "connections": None}
    if not equals or name not in allowed:
        raise NoFault(f"'{word}' is not of this fault: write {_form(kind)}")
    reader = int if name in ("after", "connections") else float
    least = {"after": 0, "connections": 1, "jitter": 0}.get(name)
    try:
        value = reader(text)
    except ValueError:
        raise NoFault(f"'{text}' is no {'whole ' if reader is int else ''}number for {name}") from None
    if not (0 < value < 1e9 if least is None else least <= value < 1e9):
        raise NoFault(f"{name}={text} is out of range: it is {'above 0' if least is None else f'at least {least}'}")
    return name, value


def _form(kind: type[Fault]) -> str:
    """Say how a fault is written."""
    if kind is Refuse:
        return "refuse"
    words = [_part(field) for field in fields(kind) if field.name != "text"]
    return " ".join([f"SIDE.{_NAMES[kind]}", *words, "[connections=N]"])


def _part(field: "Field[object]") -> str:
    value = "BYTES" if field.name == "after" else "NUMBER"
    return f"{field.name}={value}" if field.default is MISSING else f"[{field.name}={value}]"
