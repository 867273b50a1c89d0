"""The address that the REST API listens on."""

import socket

from headrace.errors import OperationError


def listen(host: str, port: int) -> socket.socket:
    """
    Take an address; port 0 takes a free one.

    Raises:
        OperationError: it is in use, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = str(error.strerror).split(" (")[0]
        raise OperationError(f"cannot listen on {host}, port {port}: {why}; choose with --host and --port") from None
