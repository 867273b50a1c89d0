"""
What one rendering may cost, and the meter that counts it.

Every step of a loop and every byte that a template produces is charged, and bytes are charged *before* they are
allocated: fuel alone does not stop ``x ~ x``. The numbers are counts, never seconds, so the same template and data
always end in the same way.
"""

import sys
from dataclasses import dataclass
from types import CodeType

from headrace.template.values import Entry, RenderError, TemplateList, TemplateMap

MIB = 1 << 20
BYTES_PER_STEP = 256  # copying this much counts as one step, so that work on long texts is bounded as well
BACKTRACKING_SECONDS = 0.15
"""
For all regular expressions of one rendering that only a backtracking engine can match. It is the one limit that is a
time, for nothing can be counted there.
"""
VALUE_DEPTH = 100  # how deep lists and maps made in a template may be nested


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a template may be and do."""

    source: int = MIB
    """Characters of the template's text."""
    nodes: int = 5_000
    """Pieces of the template: texts, tags, and parts of expressions; a loop counts for several."""
    depth: int = 64
    """Nesting of tags and of expressions."""
    loops: int = 16
    """Nesting of ``for`` tags."""
    steps: int = 1_000_000
    """
    Turns of loops, each counted by what the loop's body does, and work on texts and lists in the same coin.

    A step is about a fifth of a microsecond, so this many end within a quarter of a second.
    """
    output: int = 4 * MIB
    """Bytes of the rendered text."""
    strings: int = 8 * MIB
    """Characters of the strings and lists that a rendering made and still holds."""
    items: int = 100_000
    """Items of one list or map made in the template."""


DEFAULT_LIMITS = Limits()


class Meter:
    """Counts what one rendering does."""

    __slots__ = ("backtracking", "code", "fresh", "limits", "patterns", "steps")

    def __init__(self, limits: Limits, code: CodeType) -> None:
        self.limits = limits
        self.code = code
        self.steps = limits.steps
        self.fresh = 0
        self.backtracking = BACKTRACKING_SECONDS
        self.patterns: set[str] | None = None

    def exhausted(self) -> None:
        """Say that the steps are used up."""
        raise RenderError(f"the template takes more than {self.limits.steps:,} steps", limit="steps")

    def overflow(self) -> None:
        """Say that the output grew too long."""
        raise RenderError(f"the output is longer than {self.limits.output:,} bytes", limit="output")

    def spend(self, steps: int) -> None:
        """Charge for steps."""
        self.steps -= steps
        if self.steps < 0:
            self.exhausted()

    def first_use(self, pattern: str, steps: int) -> None:
        """
        Charge for reading a pattern, once for each in a rendering.

        Patterns that were read are kept for all renderings; what is charged must not depend on that.
        """
        if self.patterns is None:
            self.patterns = set()
        if pattern not in self.patterns:
            self.patterns.add(pattern)
            self.spend(steps)

    def work(self, size: int) -> None:
        """Charge for reading ``size`` characters or items."""
        self.steps -= size // BYTES_PER_STEP + 1
        if self.steps < 0:
            self.exhausted()

    def charge(self, size: int) -> None:
        """Charge for a string of ``size`` characters that is about to be made."""
        self.work(size)
        self.fresh += size
        if self.fresh > self.limits.strings:
            self._take_stock(size)

    def collection(self, count: int) -> None:
        """Charge for a list or map of ``count`` items that is about to be made."""
        if count > self.limits.items:
            raise RenderError(f"a list or map would hold more than {self.limits.items:,} items", limit="items")
        self.steps -= count + 1
        self.charge(8 * count)

    def _take_stock(self, size: int) -> None:
        """
        Count what is still alive, for most of what was made is garbage by now.

        What a rendering holds on to hangs from the local variables of its function, so these are walked. That costs
        about as much as making the strings did, and it happens once for each time the whole allowance was made anew.
        """
        frame = sys._getframe()
        while frame.f_code is not self.code:
            if frame.f_back is None:
                break
            frame = frame.f_back
        live = self._weigh(list(frame.f_locals.values()))
        if live + size > self.limits.strings:
            raise RenderError(f"the template holds more than {self.limits.strings:,} bytes of strings", limit="strings")
        self.fresh = live + size

    def _weigh(self, pending: list[object]) -> int:
        total = 0
        seen: set[int] = set()
        while pending:
            value = pending.pop()
            if id(value) in seen:
                continue
            if isinstance(value, str):
                total += len(value)
            elif type(value) is TemplateList:
                total += 8 * len(value)
                pending.extend(value)
            elif type(value) is TemplateMap:
                total += 16 * len(value)
                pending.extend(value.keys())
                pending.extend(value.values())
            elif type(value) is Entry:
                pending += (value.key, value.value)
            else:
                continue
            seen.add(id(value))
        self.work(BYTES_PER_STEP * len(seen))
        return total
