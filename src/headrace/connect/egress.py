"""
The only way out.

Every connection that leaves Headrace is dialled here, after one strict reading of the URL, one look-up of the name and
one check of every address it answered; what is connected to is an address that was checked, so a name that answers
differently a moment later (DNS rebinding) changes nothing.

Whoever runs Headrace, and nobody else, opens further targets with ``HEADRACE_EGRESS_ALLOW``.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from headrace.connect.addresses import as_reached, is_private, is_public, parse_address
from headrace.connect.ports import FORBIDDEN_PORTS
from headrace.connect.proxy import Proxy
from headrace.connect.transport import NotReached
from headrace.connect.url import DEFAULT_PORTS, Address, Target, parse_host, parse_url
from headrace.errors import EgressError, HeadraceError, OperationError, TargetBlocked

__all__ = ["AllowList", "Egress", "NotedEgress", "Resolver", "Target", "parse_host", "parse_url", "resolve_with_system"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SETTING = "HEADRACE_EGRESS_ALLOW"


class Resolver(Protocol):
    """Answers every address of a host name, in the order they should be tried; an unknown name is an ``OSError``."""

    def __call__(self, host: str, port: int) -> Coroutine[Any, Any, Sequence[str]]: ...


async def resolve_with_system(host: str, port: int) -> Sequence[str]:
    """Ask the operating system, which knows ``/etc/hosts``, the search domains and the resolver of this network."""
    answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


@dataclass(frozen=True, slots=True)
class AllowList:
    """
    What the operator allows beyond https to the internet.

    An *origin* (``http://127.0.0.1:9000``, ``https://partner.internal``) may be reached exactly so, at a private
    address and over http if it says http. A *network* (``10.0.0.0/8``) opens its addresses: over https to any name
    that resolves there, over http only to a URL that spells the address out. The name of an origin opens private
    addresses only, so that its DNS cannot point at a cloud's metadata (link-local); for that, list the address.

    A port of another protocol opens in the same two ways: to an origin that names it, and to a URL that spells out an
    address of a listed network.
    """

    origins: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "AllowList":
        """
        Read the setting: origins and networks, separated by commas or white space.

        >>> AllowList.parse("http://127.0.0.1:9000, 10.0.0.0/8").origins
        frozenset({'http://127.0.0.1:9000'})

        Raises:
            OperationError: for an entry that is neither, with the right form.
        """
        entries = text.replace(",", " ").split()
        origins = frozenset(_parse_origin(entry) for entry in entries if "://" in entry)
        return cls(origins, tuple(_parse_network(entry) for entry in entries if "://" not in entry))

    def names(self, target: Target) -> bool:
        """Whether the operator meant this very target, so that it may be plain http and on an unusual port."""
        return target.origin in self.origins or (target.ip is not None and self.lists(target.ip))

    def opens(self, target: Target, address: Address) -> bool:
        """Whether this target may be reached at an address that is not public."""
        if self.lists(address):
            return True
        return target.origin in self.origins and (target.ip is not None or is_private(address))

    def lists(self, address: Address) -> bool:
        """Whether a listed network holds the address."""
        reached = as_reached(address)
        return any(reached in network for network in self.networks)


class Egress:
    """
    Decides where connections may go, and makes them.

    ``admit`` answers from the text of the URL alone; ``dial`` looks the name up, checks each answer and connects to
    the first checked address that accepts. Looking up and connecting have a deadline each, in seconds.

    With a ``proxy``, ``dial`` asks it for a tunnel instead: names are the proxy's to look up and to judge, addresses
    that a URL spells out are judged here all the same.
    """

    def __init__(
        self,
        allow: AllowList,
        *,
        resolver: Resolver = resolve_with_system,
        proxy: Proxy | None = None,
        connect_timeout: float = 5.0,
        resolve_timeout: float = 5.0,
    ) -> None:
        self._allow = allow
        self._resolver = resolver
        self._proxy = proxy
        self._connect_timeout = connect_timeout
        self._resolve_timeout = resolve_timeout
        self._lookups: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}

    def admit(self, url: str, *, schemes: Sequence[str] = ("https", "http")) -> Target:
        """
        Read the URL and say whether it may be called, as far as its text can tell.

        Raises:
            EgressError: it is no strict URL, it wants http or another protocol's port without leave, or it spells a
                blocked address out.
        """
        target = parse_url(url, schemes=schemes)
        if target.ip is not None:
            self._check(target, target.ip)
        if target.scheme == "http" and not self._allow.names(target):
            raise EgressError(
                f"'{target.origin}' is called over https only; whoever runs Headrace can allow http "
                f"with {SETTING}={target.origin}"
            )
        if _is_of_another_protocol(target) and not self._allow.names(target):
            raise EgressError(
                f"Port {target.port} belongs to another protocol; whoever runs Headrace can allow it "
                f"with {SETTING}={target.origin}"
            )
        return target

    async def addresses(self, target: Target, *, within: float | None = None) -> Sequence[Address]:
        """
        Look the host up once and check every answer; one that may not be reached refuses the whole name.

        Raises:
            EgressError: an answer may not be reached from here.
            NotReached: the name was not resolved, or not in time.
        """
        if target.ip is not None:
            self._check(target, target.ip)
            return (target.ip,)
        limit = self._resolve_timeout if within is None else min(within, self._resolve_timeout)
        try:
            async with asyncio.timeout(limit):
                answers = await self._look_up(target.host, target.port)
        except TimeoutError:
            raise NotReached(f"The name '{target.host}' was not resolved within {limit:.3g} seconds.") from None
        except (OSError, UnicodeError):
            raise NotReached(f"The name '{target.host}' was not resolved.") from None
        if not answers:
            raise NotReached(f"The name '{target.host}' has no address.")
        return [self._checked(target, answer) for answer in dict.fromkeys(answers)]

    async def dial(self, target: Target, *, within: float | None = None) -> socket.socket:
        """
        Open a non-blocking TCP connection to a checked address of the target.

        ``within`` is in seconds, for looking up and connecting together. Each address gets a fair share of the time
        that is left, so one that drops packets cannot use all of it up.

        Raises:
            EgressError: the target may not be reached from here.
            NotReached: it was not resolved, refused the connection or did not accept it in time.
        """
        if self._proxy is not None:
            return await self._tunnel(target, self._proxy, within)
        now = asyncio.get_running_loop().time
        overall = None if within is None else now() + within
        addresses = await self.addresses(target, within=within)
        left = self._connect_timeout if overall is None else min(self._connect_timeout, overall - now())
        return await _connect_to_one(addresses, target.port, left, f"'{target.origin}'")

    async def _tunnel(self, target: Target, proxy: Proxy, within: float | None) -> socket.socket:
        """Reach the target through the operator's proxy, whose own address is for the operator to choose."""
        if target.ip is not None:
            self._check(target, target.ip)
        limit = self._resolve_timeout + self._connect_timeout
        try:
            async with asyncio.timeout(limit if within is None else min(within, limit)):
                addresses = await self._proxy_addresses(proxy)
                sock = await _connect_to_one(addresses, proxy.port, self._connect_timeout, "The operator's proxy")
                return await proxy.ask_for(target, sock)
        except TimeoutError:
            raise NotReached(f"The operator's proxy did not reach '{target.origin}' in time.") from None

    async def _proxy_addresses(self, proxy: Proxy) -> Sequence[Address]:
        literal = parse_address(proxy.host)
        if literal is not None:
            return [literal]
        try:
            answers = await self._look_up(proxy.host, proxy.port)
        except (OSError, UnicodeError):
            raise NotReached("The name of the operator's proxy was not resolved.") from None
        return [address for answer in answers if (address := parse_address(answer)) is not None]

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        """
        Ask the resolver, together with whoever is asking the same at this moment.

        The system resolves in a few threads that cannot be interrupted. One name whose servers do not answer may hold
        one of them, but never all, or every other partner would wait for it.
        """
        key = (host, port)
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = self._lookups[key] = asyncio.ensure_future(self._resolver(host, port))
            lookup.add_done_callback(lambda ended: self._forget(key, ended))
        return await asyncio.shield(lookup)

    def _forget(self, key: tuple[str, int], ended: "asyncio.Future[Sequence[str]]") -> None:
        del self._lookups[key]
        if not ended.cancelled():
            ended.exception()  # Whoever still waits is told; if nobody does, it is no news.

    def _checked(self, target: Target, answer: str) -> Address:
        address = parse_address(answer)
        if address is None:
            raise _blocked(target)
        self._check(target, address)
        return address

    def _check(self, target: Target, address: Address) -> None:
        if not is_public(address) and not self._allow.opens(target, address):
            raise _blocked(target)


class NotedEgress(Egress):
    """
    Another egress, which keeps in mind the newest reason for each target that it did not reach.

    Reasons are for whoever runs Headrace: everybody else is told the same words whatever they are.
    """

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self.failures: dict[str, HeadraceError] = {}

    def admit(self, url: str, *, schemes: Sequence[str] = ("https", "http")) -> Target:
        """See ``Egress``."""
        try:
            return self._egress.admit(url, schemes=schemes)
        except TargetBlocked as error:
            self._note(parse_url(url, schemes=schemes), error)
            raise

    async def dial(self, target: Target, *, within: float | None = None) -> socket.socket:
        """See ``Egress``."""
        try:
            return await self._egress.dial(target, within=within)
        except (TargetBlocked, NotReached) as error:
            self._note(target, error)
            raise

    def _note(self, target: Target, error: HeadraceError) -> None:
        self.failures[f"{target.scheme}://{target.host}:{target.port}"] = error


async def _connect_to_one(addresses: Sequence[Address], port: int, within: float, who: str) -> socket.socket:
    """Connect to the first that accepts; each gets a fair share of the time that is left."""
    now = asyncio.get_running_loop().time
    ends = now() + within
    failure: OSError = TimeoutError()
    for tried, address in enumerate(addresses):
        try:
            async with asyncio.timeout((ends - now()) / (len(addresses) - tried)):
                return await _connect(address, port)
        except OSError as error:
            failure = error
    raise NotReached(_unreachable(who, failure)) from failure


async def _connect(address: Address, port: int) -> socket.socket:
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
    except BaseException:
        sock.close()
        raise
    return sock


def _blocked(target: Target) -> TargetBlocked:
    # The address is not named: what a private name resolves to is nobody's business but the operator's.
    return TargetBlocked(
        f"'{target.origin}' is not on the public internet; whoever runs Headrace can allow it "
        f"with {SETTING}={target.origin}"
    )


def _is_of_another_protocol(target: Target) -> bool:
    return target.port in FORBIDDEN_PORTS and target.port != DEFAULT_PORTS[target.scheme]


def _unreachable(who: str, failure: OSError) -> str:
    if isinstance(failure, TimeoutError):
        return f"{who} did not accept a connection in time."
    if isinstance(failure, ConnectionRefusedError):
        return f"{who} refused the connection."
    return f"{who} could not be reached: {failure.strerror or type(failure).__name__}."


def _parse_origin(entry: str) -> str:
    try:
        target = parse_url(entry, schemes=tuple(DEFAULT_PORTS))
    except EgressError as error:
        raise OperationError(f"{SETTING}: '{entry}' is not an origin such as http://127.0.0.1:9000. {error}") from None
    if target.path_and_query != "/":
        raise OperationError(f"{SETTING}: '{entry}' has a path; allow the whole origin with {target.origin}")
    return target.origin


def _parse_network(entry: str) -> Network:
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        raise OperationError(f"{SETTING}: {_advice(entry)}") from None


def _advice(entry: str) -> str:
    try:
        return f"'{entry}' has bits beyond its prefix; write {ipaddress.ip_network(entry, strict=False)}"
    except ValueError:
        return f"'{entry}' is neither an origin such as http://127.0.0.1:9000 nor a network such as 10.0.0.0/8."
