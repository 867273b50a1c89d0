"""
Named places where a test may kill the process, to prove that dying there loses nothing.

A point costs one comparison when it is not armed. ``HEADRACE_CRASH_AT=after_send:3`` arms a point: the third time it is
reached the process ends itself with SIGKILL, which no handler can soften.
"""

import os
import signal
from typing import Final

#: Every point there is. ``tests/deaths`` has a process die at each, so a name without its test cannot exist.
POINTS: Final = (
    # taking people in
    "before_ingest_parse",
    "before_ingest_commit",
    "after_ingest_commit",
    # the thread that writes
    "after_piece",
    "before_commit",
    "after_commit",
    # delivery
    "before_claim_commit",
    "after_claim",
    "after_render",
    "at_turnstile",
    "after_turnstile",
    "half_request",
    "after_request",
    "after_send",
    "after_retry_noted",
    "after_split",
    "after_message_kept",
    "after_hold",
    "before_settle_commit",
    "after_settle_commit",
    "after_lease_renewed",
    "before_release",
    "after_release",
    # being there, and keeping house
    "before_epoch_commit",
    "after_epoch",
    "before_beat_commit",
    "before_farewell_commit",
    "after_fold",
    "after_hours_forgotten",
    "after_history_forgotten",
    "before_turn_commit",
    # steps of what goes on beside
    "before_backfill_commit",
    "after_backfill_commit",
    "before_replay_commit",
    "after_replay_commit",
    "before_discard_commit",
    "before_resync_commit",
    "after_resync_commit",
    "before_consent_commit",
    "after_consent_commit",
    "before_consent_settled",
    "before_erasure_commit",
    "after_erasure_commit",
    "after_erasure_logged",
    "before_receipts_commit",
    "after_run_taken",
    "after_run_begun",
    "before_run_ended",
    "after_run_ended",
    "after_audience_list",
    "after_audience_part",
    # files
    "after_part_staged",
    "after_part_published",
    "after_export_staged",
    "after_export_shown",
    "after_export_published",
    "after_export_committed",
    # at partners, and to people
    "after_token_answer",
    "after_revocation_call",
    "before_audience_call",
    "after_audience_call",
    "before_alert_commit",
    "after_alert_sent",
    # the store as a whole
    "before_migration",
    "before_migration_commit",
    "after_backup_part",
    "before_backup_seal",
    "after_restored_part",
    "before_restore_commit",
    "after_restore_commit",
    "before_key_commit",
    "after_resealed_part",
    "after_master_key",
    "before_rewrap",
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


def arm(text: str) -> None:
    """
    Arm another point, as the variable would have at the start; nothing disarms.

    Raises:
        ValueError: there is no such point.
    """
    global _armed
    _armed = _Armed(text)


def crashpoint(name: str) -> None:
    """End the process here if the point is armed and its turn has come."""
    if name == _armed.name and is_reached(name):
        die()


def is_reached(name: str) -> bool:
    """Say whether the process is to end here, for a place that has something to do before it does: see ``die``."""
    if name != _armed.name:
        return False
    _armed.left -= 1
    return _armed.left == 0


def die() -> None:
    """End the process, as a loss of power or the kernel would."""
    os.kill(os.getpid(), signal.SIGKILL)
