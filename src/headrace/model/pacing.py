"""How an author says how much a partner takes at a time, and in a time."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from headrace.model.block import Block, Count, rule
from headrace.model.problem import Problem

Span = Literal["second", "minute", "hour", "day"]
Unit = Literal["requests", "profiles"]
#: The milliseconds of each span, and in how many parts its past is remembered.
SPANS = MappingProxyType(
    {"second": (1_000, 10), "minute": (60_000, 60), "hour": (3_600_000, 60), "day": (86_400_000, 96)}
)
_MOST = 1_000_000_000


class RateLimit(Block):
    """A limit of the partner for one account, whichever dataflows and processes send: so many in any such time."""

    requests: Count | None = Field(None, ge=1, le=_MOST, description="How many requests. Either this or `profiles`.")
    profiles: Count | None = Field(
        None,
        ge=1,
        le=_MOST,
        description="How many profiles, whatever the number of requests. No message then carries more.",
    )
    per: Span = Field(description="In which time: whenever it begins, not only by the clock.")

    @rule
    def _limits_one_thing(self) -> Iterator[Problem]:
        if self.requests is None and self.profiles is None:
            yield Problem("missing-field", "/requests", "a limit needs `requests` or `profiles`; say how many")
        elif None not in (self.requests, self.profiles):
            message = "a limit is of `requests` or of `profiles`; write two limits"
            yield Problem("two-names", "/profiles", message)

    @property
    def unit(self) -> Unit:
        """What it counts."""
        return "requests" if self.requests is not None else "profiles"

    @property
    def most(self) -> int:
        """How many there may be."""
        return self.requests or self.profiles or 1

    @property
    def name(self) -> tuple[Unit, Span]:
        """What it limits; there is one limit of each."""
        return self.unit, self.per

    def cost(self, entries: int) -> int:
        """How much of it a message takes; one that is larger than the limit takes all of it."""
        return 1 if self.unit == "requests" else min(entries, self.most)


class MostAtOnce(Block):
    """How many requests of one account may be under way, in all processes together."""

    most: Count = Field(ge=1, le=10_000, description="The most at a time; the server's own setting may allow fewer.")
