"""
Mail, handed to the operator's own server through the one way out.

The address of the server is the operator's to set and nobody else's. It is dialled by the egress like everything else,
so a server inside a network has to be allowed (``HEADRACE_EGRESS_ALLOW=smtp://mail.internal:587``). A message is plain
text with a handful of headers, none of which can break out of its line.
"""

import asyncio
import re
import smtplib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from socket import socket
from typing import Any

from headrace.connect.egress import Egress
from headrace.connect.secrets import Secret
from headrace.connect.tls import Tls
from headrace.connect.url import Target, parse_url
from headrace.errors import EgressError, OperationError, PartnerError

SETTING = "HEADRACE_SMTP_URL"
#: Seconds that a message may take, from looking the server up to its last answer.
DEADLINE = 30.0

_ADDRESS = re.compile(r"[!-~]{1,64}@[A-Za-z0-9.-]{1,190}")
_BREAK = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class NotMailed(PartnerError):
    """The mail server did not take the message."""

    code = "mail"

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        self.is_final = is_final
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Mail:
    """A message: to whom, under which id, and what it says."""

    to: str
    id: str
    subject: str
    text: str
    sent_at: int


@dataclass(frozen=True, slots=True)
class MailServer:
    """
    The operator's server of mail: where it is, how the way there is secured, who we are there, and as whom we write.

    ``tls``: ``starttls`` (the message and the password go only once the connection is secured), ``tls`` from the first
    byte, or ``none``.
    """

    target: Target
    tls: str
    user: str
    password: Secret
    sender: str

    @classmethod
    def parse(cls, url: str, tls: str, user: str, password: str, sender: str) -> "MailServer | None":
        """
        Read the settings; ``None``: there is no server.

        Raises:
            OperationError: one of them is not right.
        """
        if not url:
            return None
        try:
            target = parse_url(url, schemes=("smtp", "smtps"))
        except EgressError as error:
            raise OperationError(f"{SETTING}: '{url}' is no address such as smtp://mail.example.com. {error}") from None
        if target.path_and_query != "/":
            raise OperationError(f"{SETTING}: '{url}' has a path; write {target.origin}")
        if not _ADDRESS.fullmatch(sender):
            raise OperationError("HEADRACE_SMTP_FROM: give the address that mail is from, `headrace@example.com`")
        secured = "tls" if target.scheme == "smtps" else tls
        if secured == "none" and password:
            raise OperationError("HEADRACE_SMTP_TLS: a password is not sent without TLS; set `starttls`")
        return cls(target, secured, user, Secret(password), sender)


class Mailer:
    """Hands messages to a server."""

    def __init__(self, server: MailServer, egress: Egress, tls: Tls) -> None:
        self._server = server
        self._egress = egress
        self._tls = tls

    async def send(self, mail: Mail) -> None:
        """
        Hand a message over.

        Raises:
            EgressError: the server may not be reached from here.
            PartnerError: it was not reached, or did not take the message.
        """
        sock = await self._egress.dial(self._server.target, within=DEADLINE)
        await asyncio.to_thread(self._hand_over, sock, mail)

    def _hand_over(self, sock: socket, mail: Mail) -> None:
        """Speak SMTP over a connection that was dialled; it is closed in any case."""
        sock.settimeout(DEADLINE)
        conversation = _Conversation(self._server.target.host, sock)
        try:
            if self._server.tls == "tls":
                conversation.secure(self._context())
            conversation.begin()
            if self._server.tls == "starttls":
                conversation.starttls(context=self._context())
            if self._server.user:
                conversation.login(self._server.user, self._server.password.reveal())
            conversation.send_message(written(mail, self._server.sender))
            conversation.quit()
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused(next(iter(error.recipients.values()))[0]) from None
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise NotMailed(f"The conversation with the mail server broke off: {type(error).__name__}.") from None
        finally:
            conversation.close()

    def _context(self) -> ssl.SSLContext:
        return self._tls.context(self._server.target.origin)


class _Conversation(smtplib.SMTP):
    """A conversation over a connection that somebody else dialled; the library opens none."""

    def __init__(self, host: str, sock: socket) -> None:
        super().__init__(local_hostname="headrace.invalid", timeout=DEADLINE)
        self._dialled: Any = sock
        self._host = host  # What a certificate has to name.

    def secure(self, context: ssl.SSLContext) -> None:
        self._dialled = context.wrap_socket(self._dialled, server_hostname=self._host)

    def begin(self) -> None:
        self.sock, self.file = self._dialled, None
        code, _ = self.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, "")
        self.ehlo_or_helo_if_needed()

    def close(self) -> None:
        super().close()
        self._dialled.close()


def written(mail: Mail, sender: str) -> EmailMessage:
    """Write a message. Whatever is in a subject stays in its line."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = _BREAK.sub(" ", mail.subject)[:200]
    message["Date"] = format_datetime(datetime.fromtimestamp(mail.sent_at / 1000, UTC))
    message["Message-ID"] = f"<{mail.id}@headrace.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def _refused(code: int) -> NotMailed:
    """Name the code alone: what a server says may repeat the address."""
    return NotMailed(f"The mail server answered {code}.", is_final=500 <= code < 600)
