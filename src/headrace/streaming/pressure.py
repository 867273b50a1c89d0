"""What an answer says of the partner itself: that it is well, that it wants less, or that it fails."""

from dataclasses import dataclass

from headrace.connect.transport import Garbled, NotSent, Unanswered
from headrace.model.outcome import Outcome, Retry

#: Answers by which a partner says that there is too much at once.
PRESSURE = frozenset({"status-420", "status-429", "status-503"})
#: Those of them that say nothing else. A bare 503 may as well mean that something is broken.
_PLAIN = frozenset({"status-420", "status-429"})
_FAILURES = frozenset({NotSent.code, Unanswered.code, Garbled.code, "status-408"})


@dataclass(frozen=True, slots=True)
class Heard:
    """
    What one answer says of the partner.

    ``fails``: it did not do what was asked, for reasons that pass. ``is_pressed``: because it has too much to do, which
    it says outright if ``is_plain``; ``asked`` is for how many seconds it wants to be left alone.
    """

    fails: bool = False
    is_pressed: bool = False
    is_plain: bool = False
    asked: float | None = None
    reason: str = ""


WELL = Heard()


def heard(answer: Outcome | tuple[Outcome, ...]) -> Heard | None:
    """
    Say what an answer tells of the partner; ``None``: nothing, for something on our side stood in the way.

    A partner that refuses a message, or takes some of it, is well.
    """
    outcomes = answer if isinstance(answer, tuple) else (answer,)
    retries = [outcome for outcome in outcomes if isinstance(outcome, Retry)]
    if len(retries) < len(outcomes) or not retries:
        return WELL
    return _of_retries(retries)


def _of_retries(retries: list[Retry]) -> Heard | None:
    worst = next((retry for retry in retries if retry.code in PRESSURE), retries[0])
    is_failed_answer = worst.code.startswith("status-5")
    is_pressed = worst.code in PRESSURE or (is_failed_answer and worst.after is not None)
    if is_pressed:
        is_plain = worst.code in _PLAIN or worst.after is not None
        return Heard(True, is_pressed, is_plain, worst.after, worst.reason)
    if is_failed_answer or worst.code in _FAILURES:
        return Heard(fails=True, reason=worst.reason)
    return WELL if worst.code.startswith(("entry-", "answer-")) else None
