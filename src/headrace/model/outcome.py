"""What became of an entry of a message. Never a bare boolean, and silence never means success."""

from dataclasses import dataclass, field

from headrace.model.exchange import Exchange

#: The code of what goes back untried, for its account has to wait.
HELD_BACK = "held-back"


@dataclass(frozen=True, slots=True)
class Delivered:
    """The partner said that it took it."""

    status: int = 200


@dataclass(frozen=True, slots=True)
class Retry:
    """
    It is tried again: after so many seconds, or when the policy says. ``unknown``: the partner may have it.

    Where the attempt does not count, the account stood in the way and not the partner: it is tried again as soon as the
    account can be used, however long that takes. ``pressure``: the partner has more to do than it can, so everything
    for it should slow down, and not this message alone. ``holds``: it is of no use to send the partner anything until
    a person has looked; the dataflow is held, and keeps what it has. ``is_probe``: it went to see whether the
    partner is back.
    """

    code: str
    reason: str
    after: float | None = None
    unknown: bool = False
    counts: bool = True
    pressure: bool = False
    holds: bool = False
    is_probe: bool = False
    exchange: Exchange | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Parked:
    """
    It is laid aside with the reason, for the same bytes would only get the same answer.

    ``unknown``: the partner may have it all the same. ``exchange``: what was sent and answered, if anything was.
    """

    code: str
    reason: str
    unknown: bool = False
    exchange: Exchange | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Withheld:
    """It is not sent after all, and nobody needs to mend anything: the reason is the ledger's."""

    reason: str


@dataclass(frozen=True, slots=True)
class Split:
    """
    The partner refuses a message for something in it: its entries are sent again in two halves, each a message of its
    own, until what is refused stands alone.
    """

    code: str
    reason: str


Outcome = Delivered | Retry | Parked | Withheld | Split
