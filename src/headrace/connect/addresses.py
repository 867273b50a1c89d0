"""
Which addresses are out on the internet.

The table is our own and lists what may be called, because the standard library's ``is_global`` answers another
question: it holds NAT64 of 169.254.169.254, ``::127.0.0.1``, ``fec0::1`` and multicast to be global (measured, also on
3.13). Sources: the IANA special-purpose registries for IPv4 and IPv6, and the platforms' metadata addresses.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

from headrace.connect.url import Address

_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")

_NOT_OUTSIDE = tuple(
    ip_network(prefix)
    for prefix in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT, and one cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host, from inside a machine there
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, and one cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # class E and broadcast
        "2001::/23",  # Teredo, benchmarking, ORCHID and other assignments
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # 6bone
        "3fff::/20",  # documentation
    )
)

_PRIVATE = tuple(
    ip_network(prefix)
    for prefix in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
)


def as_reached(address: Address) -> Address:
    """The address a connection really goes to: an IPv4-mapped one is its inner address."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_public(address: Address) -> bool:
    """Whether this is global unicast, that is: a machine out on the internet that anybody could call."""
    reached = as_reached(address)
    if isinstance(reached, IPv6Address) and reached not in _GLOBAL_UNICAST_V6:
        return False
    return not any(reached in network for network in _NOT_OUTSIDE)


def is_private(address: Address) -> bool:
    """
    Whether this is an ordinary machine of one's own: loopback, RFC 1918, carrier-grade NAT or a unique local address.

    Link-local addresses are not among them, for that is where clouds hand out credentials.
    """
    reached = as_reached(address)
    return any(reached in network for network in _PRIVATE)


def parse_address(text: str) -> Address | None:
    """Read what a resolver answered; None for an address with a zone or for no address at all."""
    try:
        return IPv6Address(text) if ":" in text and "%" not in text else IPv4Address(text)
    except ValueError:
        return None
