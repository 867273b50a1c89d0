"""
The contract of sending one request: what goes in, what comes out, and what is known when nothing does.

The three errors differ in the one thing that matters for a request that must not be applied twice: whether it may
have been applied. ``NotSent`` is certain that it was not; ``Unanswered`` and ``Garbled`` do not know.
"""

from typing import Protocol

from headrace.errors import AuthoringError, PartnerError
from headrace.model.http import Request, Response


class Unsendable(AuthoringError):
    """The request cannot be written as HTTP."""

    code = "unsendable"


class NotSent(PartnerError):
    """The partner could not be reached; the request was certainly not applied."""

    code = "partner-unreachable"


class NotReached(NotSent):
    """There is no such name, or nothing takes connections there."""


class Distrusted(NotSent):
    """Whoever takes connections there could not prove who it is."""


class Unanswered(PartnerError):
    """The request left and no whole answer came back; it may have been applied."""

    code = "partner-unanswered"


class Garbled(PartnerError):
    """The partner's answer is not HTTP; the request may have been applied."""

    code = "partner-garbled"


class Transport(Protocol):
    """
    Sends one request and returns the partner's answer, whatever its status.

    It follows no redirect, keeps no cookie and never sends a request twice. Called by many tasks at once. Cancelling
    the call gives up the connection it used.
    """

    async def send(self, request: Request, *, deadline: float, pool: str) -> Response:
        """
        Send one request; ``deadline`` is in seconds and covers waiting, connecting, writing and the whole answer.

        Connections are shared within one ``pool`` (the account) and never across: what a partner remembers of a
        connection belongs to one account.

        Raises:
            EgressError: the URL may not be reached from here; nothing was sent.
            Unsendable: the request cannot be written as HTTP; nothing was sent.
            NotSent: refused, not resolved, TLS failed or no connection in time; certainly not applied. ``NotReached``,
                if there was no connection at all; ``Distrusted``, if its certificate was refused.
            Unanswered: the deadline passed or the connection ended after the request left; outcome unknown.
            Garbled: what came back is not HTTP/1.x; outcome unknown.
        """
        ...
