"""What was said between us and a partner over one message."""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.model.http import Request, Response


@dataclass(frozen=True, slots=True)
class Exchange:
    """
    A request as it was rendered, without what signing in added, and what was answered, if anything.

    It refers to what is there anyway, and holds secrets that templates may have read: who keeps it takes them out with
    ``redact``. ``version`` is that of what the message was made of.
    """

    request: Request
    answer: Response | None
    redact: Callable[[str], str]
    version: str
