"""Signatures that tell a partner who sends a message, and that nobody sends it again later: Standard Webhooks."""

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from headrace.model.destination_server import SIGNATURE_HEADERS
from headrace.model.http import Request
from headrace.model.signing_secret import key_of


@dataclass(frozen=True, slots=True)
class WebhookSigner:
    """Signs with every key there is, so that a partner who has another one of them already, or still, accepts it."""

    keys: tuple[bytes, ...]

    @classmethod
    def of(cls, secrets: Iterable[str]) -> "WebhookSigner":
        """
        Make a signer from secrets as they are written.

        Raises:
            ValueError: one of them is none.
        """
        return cls(tuple(key_of(secret) for secret in secrets))

    def sign(self, request: Request, id_: str, now: int) -> Request:
        """Add the headers of the signature. ``now`` is in milliseconds, as moments are; the header has seconds."""
        seconds = str(now // 1000)
        content = f"{id_}.{seconds}.".encode() + request.body
        signatures = " ".join(_signature(key, content) for key in self.keys)
        added = zip(SIGNATURE_HEADERS, (id_, seconds, signatures), strict=True)
        return replace(request, headers=(*request.headers, *added))


def _signature(key: bytes, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
