"""
The transformations of identities that destinations may ask for.

What is hashed is first brought into the form in which partners hash it: without white space around it, in small
letters, and telephone numbers as E.164. Nothing is hashed twice, and nothing empty is hashed.
"""

import hashlib
import re
from collections.abc import Callable

from headrace.mapping.left_out import Withheld
from headrace.mapping.phones import PhoneError, e164, load

Transform = Callable[[str], str | Withheld]

#: Namespaces whose values are hashes already.
HASHED_NAMESPACES = frozenset({"Email_LC_SHA256", "Phone_SHA256", "Phone_SHA256_E.164"})
_OF_PHONES = frozenset({"Phone", "Phone_E.164"})
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_PHONE = re.compile(r"(?:^|[^a-z])(?:phone|mobile|msisdn|tel|telephone)(?:$|[^a-z])")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def sha256_of_lower(value: str) -> str | Withheld:
    """
    Hash as ``sha256(lower($))`` says: SHA-256 of the lower-case text, in lower-case hexadecimal.

    White space around the value is never meant to be part of an identity, and goes first. A hash stays as it is.

    >>> sha256_of_lower(" Ann@Example.COM ")
    '71d4f55f72fa128dfb468a1a3901507c804b74316488744d769d7f4b16696476'
    """
    text = value.strip()
    if not text:
        return Withheld("empty-identity")
    return text if _HASH.fullmatch(text) else _sha256(text.lower())


def sha256_of_phone(region: str | None) -> Transform:
    """Return the function that hashes telephone numbers as E.164; those without ``+`` are dialled in the region."""
    load()

    def hashed(value: str) -> str | Withheld:
        text = value.strip()
        if _HASH.fullmatch(text):
            return text
        try:
            return _sha256(e164(text, region)) if text else Withheld("empty-identity")
        except PhoneError as error:
            return Withheld(error.reason)

    return hashed


def transform(name: str | None, *, source: str = "", target: str = "", region: str | None = None) -> Transform | None:
    """
    Return the function of a transformation; none, where values stay as they are.

    ``source`` is the namespace that the values are of, if they are of one.
    """
    if name is None or source in HASHED_NAMESPACES:
        return None
    return sha256_of_phone(region) if is_of_phones(source, target) else sha256_of_lower


def is_of_phones(source: str, target: str) -> bool:
    """
    Say whether values are telephone numbers, by the namespaces that they come from and go to.

    >>> is_of_phones("Phone", "id"), is_of_phones("", "hashedPhone"), is_of_phones("", "telegram_email")
    (True, True, False)
    """
    return source in _OF_PHONES or bool(_PHONE.search(_HUMP.sub("_", target).lower()))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
