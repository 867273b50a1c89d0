"""What partners answered lately, as far as this process has seen: who does not answer any more, and who does again."""

from dataclasses import dataclass, field

from headrace.clock import Clock
from headrace.events import RequestAnswered

#: A partner is out of reach once so many requests in a row had no answer, over so many milliseconds.
FAILURES = 5
OVER = 60_000
#: Answers that are none. Of all others it is known that somebody is there.
_NONE = frozenset({"partner-unreachable", "partner-unanswered", "partner-garbled", "5xx"})
#: The most dataflows that are remembered.
_MOST = 10_000


@dataclass(slots=True)
class Reached:
    """The last answers of a dataflow's partner. ``failing_since``: there was none since then."""

    failures: int = 0
    failing_since: int = 0
    reason: str = ""

    def is_unreachable(self, now: int) -> bool | None:
        """Say whether the partner is out of reach; ``None``: it is too early to say."""
        if not self.failures:
            return False
        return True if self.failures >= FAILURES and now - self.failing_since >= OVER else None


@dataclass(slots=True)
class Evidence:
    """Hears every answer; costs a look-up for each message."""

    clock: Clock
    reached: dict[str, Reached] = field(default_factory=dict)

    def hear(self, event: RequestAnswered) -> None:
        known = self.reached.get(event.dataflow)
        if known is None:
            if len(self.reached) >= _MOST:
                return
            known = self.reached[event.dataflow] = Reached()
        if event.answer in _NONE:
            if not known.failures:
                known.failing_since = self.clock.now()
            known.failures += 1
            known.reason = f"{known.failures} requests in a row ended as {event.answer}"
        elif event.answer[:1].isdigit():
            known.failures = 0
