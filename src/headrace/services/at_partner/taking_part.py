"""What becomes of an audience in a dataflow: a pure function of how it takes part, of its dates, and of the partner."""

from typing import Literal

from headrace.services.windows import Window
from headrace.store.dataflows import Mapped

#: To take part from now on, or again; to be told of no longer; or to be left as it is.
Turn = Literal["join", "rejoin", "end", "nothing"]


def turn_of(row: Mapped | None, window: Window, now: int, *, may_join: bool) -> Turn:
    """
    Say what becomes of an audience that a dataflow is to send.

    | takes part | dates | turn |
    |---|---|---|
    | no | have come | ``join``, once the partner has it |
    | no | have not, or are over | ``nothing`` |
    | yes | have come | ``nothing`` |
    | yes | have not, or are over | ``end`` |
    | has ended, or is being left | have come | ``rejoin``, once the partner has it |
    | has ended, or is being left | have not, or are over | ``nothing`` |
    """
    is_open = window.state(now) == "open"
    if row is None:
        return "join" if is_open and may_join else "nothing"
    if row.ended_at is None and row.leaving is None:
        return "nothing" if is_open else "end"
    return "rejoin" if is_open and may_join else "nothing"
