"""To which origins an account's credentials may go: those that its destination's reviewed configuration names."""

from collections.abc import Iterable
from dataclasses import dataclass

from headrace.connect.url import parse_url
from headrace.errors import AccountError, EgressError


class UnboundOrigin(AccountError):
    """The request would take the account's credentials to an origin that the destination does not name."""

    code = "unbound-origin"


@dataclass(frozen=True, slots=True)
class Origins:
    """
    Origins, such as ``https://api.partner.example``, at which credentials may be shown.

    They are made from the addresses that the author declared, filled in with nothing but what the operator gave: an
    address whose host depends on people's data, or on a partner's answer, is none of them.
    """

    known: frozenset[str]

    @classmethod
    def of(cls, addresses: Iterable[str]) -> "Origins":
        """Read the origins of addresses; what is no URL is left out."""
        return cls(frozenset(origin for origin in map(_origin, addresses) if origin is not None))

    def check(self, url: str) -> None:
        """
        Refuse a URL of another origin.

        Raises:
            UnboundOrigin: it is not one of these.
        """
        origin = _origin(url)
        if origin not in self.known:
            these = ", ".join(sorted(self.known)) or "none"
            raise UnboundOrigin(
                f"The credentials of this account are for {these}; the request would have taken them elsewhere."
            )


def _origin(url: str) -> str | None:
    try:
        return parse_url(url.strip(), schemes=("https", "http")).origin
    except EgressError:
        return None
