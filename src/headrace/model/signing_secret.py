"""The secrets that messages are signed with, as Standard Webhooks writes them: `whsec_` and bytes in Base64."""

import base64
import binascii

PREFIX = "whsec_"
#: How many bytes a secret has.
SHORTEST, LONGEST = 24, 64


def key_of(secret: str) -> bytes:
    """
    Return the bytes of a secret.

    >>> len(key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    24

    Raises:
        ValueError: it is none, or too short or too long. The message does not hold it.
    """
    if not secret.startswith(PREFIX):
        raise ValueError(f"a signing secret begins with `{PREFIX}`")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows `{PREFIX}` in a signing secret is Base64") from None
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(f"a signing secret has {SHORTEST} to {LONGEST} bytes, written in Base64 after `{PREFIX}`")
    return key
