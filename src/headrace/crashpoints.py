"""
Named places where a test may kill the process, to prove that dying there loses nothing.

A point costs one comparison when it is not armed. ``HEADRACE_CRASH_AT=after_send:3`` arms a point: the third time it is
reached the process ends itself with SIGKILL, which no handler can soften.
"""

import os
import signal
from typing import Final

#: Every point there is. The test of process death arms each in turn, so a name without its test cannot exist.
POINTS: Final = (
    "before_ingest_commit",
    "after_ingest_commit",
    "after_claim",
    "after_render",
    "after_send",
    "before_settle_commit",
    "after_settle_commit",
    "after_token_answer",
    "after_revocation_call",
    "before_audience_call",
    "after_audience_call",
    "after_audience_list",
    "after_audience_part",
    "before_alert_commit",
    "after_alert_sent",
)


class _Armed:
    """The point that is armed and how many times it may still be passed."""

    def __init__(self, text: str) -> None:
        name, _, count = text.partition(":")
        if name and name not in POINTS:
            raise ValueError(f"HEADRACE_CRASH_AT: {name!r} is not a crash point; these are: {', '.join(POINTS)}")
        self.name = name
        self.left = int(count or 1)


_armed = _Armed(os.environ.get("HEADRACE_CRASH_AT", ""))


def crashpoint(name: str) -> None:
    """End the process here if the point is armed and its turn has come."""
    if name != _armed.name:
        return
    _armed.left -= 1
    if _armed.left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
