"""Kinds of text that a field may hold: each says by itself, under a code of its own, what is wrong with one."""

import re
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from headrace.model.pattern import NotAPattern, check_pattern
from headrace.model.wording import shown


class SecretMark:
    """Marks what is a secret wherever it stands: it is sealed before it is stored, and never read back."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "writeOnly": True, "format": "password"}


def is_web_url(text: str) -> bool:
    """
    Say whether a text is an absolute address of the web.

    >>> is_web_url("https://partner.example/token"), is_web_url("partner.example"), is_web_url("javascript:alert(1)")
    (True, False, False)
    """
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable() and " " not in text
    except ValueError:
        return False


def _web_url(text: str) -> str:
    if not is_web_url(text):
        raise PydanticCustomError("not-a-url", "is no absolute URL; begin it with `https://` or `http://` and the host")
    return text


def _pattern(text: str) -> str:
    try:
        check_pattern(text)
    except NotAPattern as error:
        context: dict[str, Any] = {"reason": str(error)}
        raise PydanticCustomError("not-a-pattern", "{reason}", context) from None
    return text


def _day(value: object) -> object:
    if isinstance(value, date):
        return value
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    context: dict[str, Any] = {"said": shown(value)}
    raise PydanticCustomError("not-a-date", "is a day in UTC as `2026-03-01`, not {said}", context)


def _time_of_day(text: str) -> str:
    if _TIME_OF_DAY.fullmatch(text) is None:
        raise PydanticCustomError("invalid", "is a time of day in UTC as `04:30`")
    return text


_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME_OF_DAY = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")
#: A day in UTC, as `2026-03-01`.
Day = Annotated[date, BeforeValidator(_day)]
#: Hours and minutes in UTC, as `04:30`.
TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]
#: A text that nobody is to read: a password, a key, a token.
SecretText = Annotated[str, SecretMark()]
#: An absolute URL with `http` or `https`.
WebUrl = Annotated[str, AfterValidator(_web_url)]
#: A regular expression; look-around is allowed.
PatternText = Annotated[str, AfterValidator(_pattern)]
