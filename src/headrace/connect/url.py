"""
A URL, read strictly.

Two readers of one URL that disagree about its host are how a request ends up somewhere nobody allowed. So whatever
could be read in two ways is refused with a sentence, never repaired: there is one spelling of every address here.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from headrace.errors import EgressError

Address = IPv4Address | IPv6Address

DEFAULT_PORTS = {"http": 80, "https": 443, "sftp": 22, "smtp": 587, "smtps": 465}

_LONGEST = 16 * 1024
_STRANGE = re.compile(r"[^\x21-\x7e]|\\")
_SHAPE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([/?][^#]*)?(#.*)?")
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. The host is lower case, an IPv6 one without brackets; ``ip`` is set for a literal."""

    scheme: str
    host: str
    port: int
    path_and_query: str
    ip: Address | None

    @property
    def authority(self) -> str:
        """The text of the ``Host`` header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port in their one spelling; safe to show, for it has neither path nor query."""
        return f"{self.scheme}://{self.authority}"


def parse_url(text: str, *, schemes: Iterable[str] = ("https", "http")) -> Target:
    """
    Read an absolute URL of one of the ``schemes``.

    >>> parse_url("https://Api.Example.com/v1?x=1")
    Target(scheme='https', host='api.example.com', port=443, path_and_query='/v1?x=1', ip=None)

    Raises:
        EgressError: for everything else. The message never holds the URL itself, which may carry a secret.
    """
    _refuse_strange_characters(text)
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise EgressError("This is not a URL: write it as https://host/path.")
    scheme, authority, rest, fragment = shape[1].lower(), shape[2], shape[3] or "/", shape[4]
    if scheme not in schemes:
        raise EgressError(f"'{scheme}:' is not a way out; these are: {', '.join(schemes)}.")
    if fragment is not None:
        raise EgressError("The URL has a fragment ('#'), which is never sent; write %23 for the character itself.")
    host, ip, port = _parse_authority(authority, scheme)
    return Target(scheme, host, port, rest if rest[0] == "/" else "/" + rest, ip)


def parse_host(text: str) -> tuple[str, Address | None]:
    """
    Read a host alone: a DNS name in lower case, or an address in its canonical spelling together with its value.

    Raises:
        EgressError: if it could be read in two ways (``0x7f.1``, ``127.1``, ``example.com.``) or is no host at all.
    """
    if text.startswith("["):
        return _parse_ipv6(text[1:-1])
    host = text.lower()
    if not host:
        raise EgressError("The URL has no host.")
    if "%" in host:
        raise EgressError("The host of a URL is written without percent escapes.")
    if host.endswith("."):
        raise EgressError(f"The host '{_shown(host)}' ends with a dot; leave it out.")
    if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        return _parse_ipv4(host)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise EgressError(f"'{_shown(host)}' is not a host name: letters, digits and hyphens between single dots.")
    return host, None


def _refuse_strange_characters(text: str) -> None:
    if len(text) > _LONGEST:
        raise EgressError(f"The URL is longer than {_LONGEST} characters.")
    strange = _STRANGE.search(text)
    if strange is None:
        return
    if strange[0] == "\\":
        raise EgressError("The URL holds a backslash; write %5C for the character itself.")
    if strange[0] > "\x7f":
        raise EgressError(
            "The URL holds a character beyond ASCII: a host is written as xn--…, elsewhere use urlencode."
        )
    raise EgressError("The URL holds white space or a control character; encode values with urlencode.")


def _parse_authority(authority: str, scheme: str) -> tuple[str, Address | None, int]:
    if "@" in authority:
        raise EgressError("The URL names a user before its host ('@'); credentials belong in the account.")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise EgressError("The URL's host cannot be read; an IPv6 address stands in brackets: https://[2606:4700::1]/.")
    host, ip = parse_host(parts[1])
    return host, ip, DEFAULT_PORTS[scheme] if parts[2] is None else _parse_port(parts[2])


def _parse_port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise EgressError("The port of a URL is a number from 1 to 65535, written without leading zeros.")
    return int(text)


def _parse_ipv4(host: str) -> tuple[str, IPv4Address]:
    try:
        address = IPv4Address(host)
    except AddressValueError:
        raise EgressError(f"'{_shown(host)}' is not an IPv4 address: four decimal numbers, no leading zeros.") from None
    return str(address), address


def _parse_ipv6(text: str) -> tuple[str, IPv6Address]:
    if "%" in text:
        raise EgressError("An address with a zone ('%') has a meaning on one machine only and is not called.")
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise EgressError(f"'[{_shown(text)}]' is not an IPv6 address.") from None
    return str(address), address


def _shown(host: str) -> str:
    return host if len(host) <= 80 else host[:77] + "…"
