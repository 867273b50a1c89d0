"""Whether only this machine reaches the address that the REST API listens on."""

import ipaddress


def is_loopback(host: str) -> bool:
    """
    Say whether a host is this machine as it knows itself.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("10.1.0.1")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
