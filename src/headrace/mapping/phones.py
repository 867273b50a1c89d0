"""
Telephone numbers as E.164.

The library behind it is read when the first mapping needs it: that costs a tenth of a second, and its tables are files.
A process that may open no files reads it before it gives that up.
"""

import importlib
from functools import cache
from typing import Any

from headrace.mapping.left_out import Reason


class PhoneError(ValueError):
    """What was given is no telephone number."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@cache
def load() -> Any:
    """Read the library and all of its tables, once."""
    library = importlib.import_module("phonenumbers")
    importlib.import_module("phonenumbers.phonemetadata").PhoneMetadata.load_all()
    return library


def e164(text: str, region: str | None = None) -> str:
    """
    Write a telephone number in the one form that is the same everywhere.

    Without a region, in which numbers are dialled as they are written, only a number that begins with ``+`` is taken.

    >>> e164("(0)30 1234567", "DE"), e164(" +1 (202) 555-0123 ")
    ('+49301234567', '+12025550123')

    Raises:
        PhoneError: it is none, or nobody knows of which country.
    """
    library = load()
    if region is None and not text.lstrip().startswith(("+", "＋")):
        raise PhoneError("phone-without-region")
    try:
        number = library.parse(text, region)
    except library.NumberParseException:
        raise PhoneError("invalid-phone") from None
    if not library.is_possible_number(number):
        raise PhoneError("invalid-phone")
    return str(library.format_number(number, library.PhoneNumberFormat.E164))


def is_region(text: str) -> bool:
    """Say whether a text is a region's code that numbers can be dialled in."""
    return text in load().SUPPORTED_REGIONS
