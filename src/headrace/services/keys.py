"""Client secrets, access tokens and the secrets of sessions: 256 random bits each, kept as hashes only."""

import base64
import hashlib
import hmac
import secrets
import zlib


def new_client_id() -> str:
    """Make the id of an API client."""
    return f"hr-{secrets.token_hex(8)}"


def new_client_secret() -> str:
    """
    Make the secret of an API client: ``hrs-``, 43 random characters, and 6 that are a checksum of all before.

    Scanners know by it that a text is a secret of ours without asking us.
    """
    text = f"hrs-{secrets.token_urlsafe(32)}"
    return text + checksum(text)


def checksum(text: str) -> str:
    """
    Return the CRC-32 of a text in six characters of base64url.

    >>> checksum("hrs-")
    'yW7Kjg'
    """
    return base64.urlsafe_b64encode(zlib.crc32(text.encode()).to_bytes(4, "big")).decode().rstrip("=")


def new_token() -> str:
    """Make an access token."""
    return f"hrt-{secrets.token_urlsafe(32)}"


def new_session_secret() -> str:
    """Make what the cookie of a session holds."""
    return secrets.token_urlsafe(32)


def csrf_token_of(session_secret: str) -> str:
    """Derive what a page must send along to show that it was served to whoever has the session."""
    return hmac.new(session_secret.encode(), b"headrace csrf", hashlib.sha256).hexdigest()


def hash_of(secret: str) -> str:
    """Return what is kept of a secret. It has 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_same(given: str, known: str) -> bool:
    """Compare two texts in a time that does not tell how much of them is alike."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), known.encode("utf-8", "surrogatepass"))
