"""
The operator's forward proxy, where a network lets nothing out but through one.

Everything goes through it by CONNECT, http as well, so that it carries bytes and reads none of them. It looks names up
and must itself refuse what is not public: which address a name has is not seen from here.
"""

import asyncio
import re
import socket
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from headrace.connect.transport import NotReached
from headrace.connect.url import Target, parse_url
from headrace.errors import EgressError, OperationError

SETTING = "HEADRACE_EGRESS_PROXY"

_LONGEST_HEAD = 16 * 1024
_CREDENTIALS = re.compile(r"(?i:(http://))([^@/?#:]*):([^@/?#]*)@(.*)")
_ANSWER = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r\n")


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where the proxy listens, and what it wants to be shown."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> "Proxy | None":
        """
        Read the setting: ``http://proxy.internal:3128``, or with a name and a password before the host.

        >>> Proxy.parse("http://proxy.internal:3128")
        Proxy(host='proxy.internal', port=3128)

        Raises:
            OperationError: it is no such address. The message does not repeat it, for it may hold a password.
        """
        if not text.strip():
            return None
        credentials = _CREDENTIALS.fullmatch(text.strip())
        bare = credentials[1] + credentials[4] if credentials else text.strip()
        try:
            target = parse_url(bare, schemes=("http",))
        except EgressError as error:
            raise OperationError(f"{SETTING} is not an address such as http://proxy.internal:3128. {error}") from None
        if target.path_and_query != "/":
            raise OperationError(f"{SETTING} has a path; write {target.origin}")
        return cls(target.host, target.port, _basic(credentials[2], credentials[3]) if credentials else None)

    async def ask_for(self, target: Target, sock: socket.socket) -> socket.socket:
        """
        Have a connected socket carried on to the target; it is closed if the proxy does not do that.

        Raises:
            NotReached: the proxy refused, or did not answer as a proxy.
        """
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(sock, self._question(target))
            status = _status_of(await _read_head(loop, sock))
            if status is None or not 200 <= status < 300:
                raise NotReached(_refusal(target, status))
        except OSError as error:
            sock.close()
            raise NotReached(f"The operator's proxy ended the connection to '{target.origin}'.") from error
        except BaseException:
            sock.close()
            raise
        return sock

    def _question(self, target: Target) -> bytes:
        host = f"[{target.host}]" if ":" in target.host else target.host
        lines = [f"CONNECT {host}:{target.port} HTTP/1.1", f"Host: {host}:{target.port}"]
        if self.authorization is not None:
            lines.append(f"Proxy-Authorization: {self.authorization}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _read_head(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> bytes:
    """Read up to the empty line; nothing may follow it, for on a new connection the partner does not speak first."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < _LONGEST_HEAD:
        data = await loop.sock_recv(sock, 4096)
        if not data:
            break
        head += data
    return head


def _status_of(head: bytes) -> int | None:
    """Return the status of a head that is one and whole."""
    answer = _ANSWER.match(head)
    return int(answer[1]) if answer and head.find(b"\r\n\r\n") == len(head) - 4 else None


def _refusal(target: Target, status: int | None) -> str:
    if status is None:
        return "The operator's proxy did not answer as a proxy."
    if status == 407:
        return f"The operator's proxy wants other credentials; whoever runs Headrace gives them in {SETTING}."
    return f"The operator's proxy did not reach '{target.origin}': it answered {status}."


def _basic(user: str, password: str) -> str:
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return f"Basic {b64encode(pair).decode()}"
