"""The transformations of identities that destinations may ask for."""

import hashlib
from collections.abc import Callable

Transform = Callable[[str], str]


def sha256_of_lower(value: str) -> str:
    """
    Hash as ``sha256(lower($))`` says: SHA-256 of the lower-case text, in lower-case hexadecimal.

    White space around the value is never meant to be part of an identity, and goes first.

    >>> sha256_of_lower(" Ann@Example.COM ")
    '71d4f55f72fa128dfb468a1a3901507c804b74316488744d769d7f4b16696476'
    """
    return hashlib.sha256(value.strip().lower().encode()).hexdigest()


def as_it_is(value: str) -> str:
    """Leave the identity alone."""
    return value


def transform(name: str | None) -> Transform:
    """Return the function of a transformation; without a name, the one that changes nothing."""
    return as_it_is if name is None else sha256_of_lower
