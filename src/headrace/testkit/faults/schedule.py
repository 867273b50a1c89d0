"""
Faults over time, for campaigns: what is switched on when, and for how long.

A schedule made by a seed is the same one every time; it can be printed, and read again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Self

from headrace.testkit.faults.kinds import (
    Bandwidth,
    Blackhole,
    Cut,
    Drip,
    Fault,
    Garbage,
    HalfClose,
    Latency,
    NoFault,
    Placed,
    Refuse,
    Reset,
    read,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One fault: ``at`` so many seconds from the beginning, for so many ``seconds``."""

    at: float
    placed: Placed
    seconds: float

    def __str__(self) -> str:
        return f"at {self.at:.3f} for {self.seconds:.3f}: {self.placed}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    Steps in order of their times; they may overlap.

    >>> print(Schedule((Step(0.5, read("back.cut after=0"), 0.25),)))
    at 0.500 for 0.250: back.cut after=0
    """

    steps: tuple[Step, ...]

    @classmethod
    def random(cls, seed: int, seconds: float, steps: int = 8) -> Self:
        """Make so many steps within so many seconds; the last ends by then."""
        luck = Random(seed)  # noqa: S311 - to be repeated, not to be secret
        made = [_step(luck, seconds) for _ in range(steps)]
        return cls(tuple(sorted(made, key=lambda step: step.at)))

    @classmethod
    def read(cls, text: str) -> Self:
        """
        Read what was printed.

        Raises:
            NoFault: a line of it is no step.
        """
        return cls(tuple(_read_step(line) for line in text.splitlines() if line.strip()))

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))


def _step(luck: Random, seconds: float) -> Step:
    at = round(luck.uniform(0, seconds * 0.9), 3)
    lasts = round(luck.uniform(0.05, 0.4) * (seconds - at), 3)
    side = luck.choice(("to", "back", "back", "both"))
    fault = luck.choice(_MAKERS)(luck)
    if isinstance(fault, Refuse):
        return Step(at, Placed("both", fault), lasts)
    return Step(at, Placed(side, fault, luck.randint(1, 5) if luck.random() < 0.5 else None), lasts)


def _read_step(line: str) -> Step:
    when, _, fault = line.partition(": ")
    words = when.split()
    try:
        at, seconds = float(words[1]), float(words[3])
    except (IndexError, ValueError):
        raise NoFault(f"'{line}' is no step: write at SECONDS for SECONDS: FAULT") from None
    return Step(at, read(fault), seconds)


def _after(luck: Random) -> int | None:
    """Choose where a connection ends: at once, before the first byte, within a message or some messages later."""
    return luck.choice((None, 0, luck.randint(1, 200), luck.randint(200, 5000)))


_MAKERS: tuple[Callable[[Random], Fault], ...] = (
    lambda luck: Latency(round(luck.uniform(0.01, 0.4), 3), round(luck.uniform(0, 0.01), 3)),
    lambda luck: Bandwidth(float(luck.randint(500, 20_000))),
    lambda luck: Drip(round(luck.uniform(0.001, 0.02), 3)),
    lambda luck: Cut(_after(luck)),
    lambda luck: Reset(_after(luck)),
    lambda luck: Blackhole(_after(luck)),
    lambda luck: HalfClose(_after(luck)),
    lambda luck: Garbage(luck.choice((None, 0, luck.randint(1, 400)))),
    lambda luck: Refuse(),
)
