"""Proof that who brings an authorization code is who asked for it (RFC 7636)."""

import base64
import hashlib
import secrets


def pkce() -> tuple[str, str]:
    """Return a new verifier, which is kept, and its challenge by S256, which is shown."""
    verifier = secrets.token_urlsafe(64)
    return verifier, challenge_of(verifier)


def challenge_of(verifier: str) -> str:
    """
    Return the challenge that goes with a verifier.

    >>> challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    """
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
