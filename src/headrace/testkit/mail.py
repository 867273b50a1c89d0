"""
A mail server on loopback, for whoever wants to see what would have been sent.

``MailBox.in_thread()`` keeps what it is handed in ``messages``. ``answers`` are codes that it gives to the next
messages instead of taking them; with a TLS context it offers STARTTLS, and asks for it before anything else.
"""

import base64
import contextlib
import socketserver
import ssl
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

_LONGEST = 1 << 20


class MailBox:
    """What a server was handed: messages, and to whom they were."""

    def __init__(self, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> None:
        self.answers: list[int] = []
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.tls = tls
        self.login = login
        self.url = ""

    @classmethod
    @contextlib.contextmanager
    def in_thread(cls, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> Iterator["MailBox"]:
        """Serve until the block ends."""
        box = cls(tls, login)

        class Handler(_Handler):
            mailbox = box

        with _Server(("127.0.0.1", 0), Handler) as server:
            box.url = f"smtp://127.0.0.1:{server.server_address[1]}"
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="mail-box")
            thread.start()
            try:
                yield box
            finally:
                server.shutdown()
                thread.join()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: whoever broke the conversation off knows."""


class _Handler(socketserver.BaseRequestHandler):
    mailbox: MailBox

    def handle(self) -> None:
        self.request.settimeout(10)
        self._file = self.request.makefile("rb")
        self._is_secure, self._is_let_in, self._to = False, self.mailbox.login is None, ""
        try:
            self._say("220 mailbox ready")
            while line := self._file.readline(_LONGEST):
                if not self._take(line.decode("ascii", "replace").strip()):
                    return
        finally:
            self._file.close()
            self.request.close()

    def _take(self, line: str) -> bool:
        """Answer a command; says whether the conversation goes on."""
        word = line.upper()
        if word.startswith(("EHLO", "HELO")):
            self._greet()
        elif word == "STARTTLS" and self.mailbox.tls is not None:
            self._secure(self.mailbox.tls)
        elif self.mailbox.tls is not None and not self._is_secure and word != "QUIT":
            self._say("530 secure the connection first")
        elif word.startswith("AUTH PLAIN "):
            self._let_in(line[11:])
        elif not self._is_let_in and word != "QUIT":
            self._say("530 sign in first")
        elif word.startswith("MAIL FROM:"):
            self._say("250 ok")
        elif word.startswith("RCPT TO:"):
            self._to = line[8:].strip("<> ")
            self._say("250 ok")
        elif word == "DATA":
            self._read()
        elif word == "QUIT":
            self._say("221 bye")
            return False
        else:
            self._say("250 ok")
        return True

    def _greet(self) -> None:
        offered = ["mailbox"]
        if self.mailbox.tls is not None and not self._is_secure:
            offered.append("STARTTLS")
        if self.mailbox.login is not None:
            offered.append("AUTH PLAIN")
        for place, word in enumerate(offered):
            self._say(f"250{' ' if place == len(offered) - 1 else '-'}{word}")

    def _secure(self, context: ssl.SSLContext) -> None:
        self._say("220 go on")
        self._file.close()
        self.request = context.wrap_socket(self.request, server_side=True)
        self._file, self._is_secure = self.request.makefile("rb"), True

    def _let_in(self, given: str) -> None:
        parts = base64.b64decode(given).decode().split("\0")
        self._is_let_in = tuple(parts[1:]) == self.mailbox.login
        self._say("235 come in" if self._is_let_in else "535 no")

    def _read(self) -> None:
        self._say("354 go on")
        lines: list[bytes] = []
        while (line := self._file.readline(_LONGEST)) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        code = self.mailbox.answers.pop(0) if self.mailbox.answers else 250
        if code == 250:
            self.mailbox.messages.append(message_from_bytes(b"".join(lines), policy=default))
            self.mailbox.recipients.append(self._to)
        self._say(f"{code} {'ok' if code == 250 else 'no'}")

    def _say(self, line: str) -> None:
        self.request.sendall(f"{line}\r\n".encode())
