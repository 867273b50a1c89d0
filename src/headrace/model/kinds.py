"""Kinds of text that a field may hold: each says by itself, under a code of its own, what is wrong with one."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from headrace.model.pattern import NotAPattern, check_pattern


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


#: A text that nobody is to read: a password, a key, a token.
SecretText = Annotated[str, SecretMark()]
#: An absolute URL with `http` or `https`.
WebUrl = Annotated[str, AfterValidator(_web_url)]
#: A regular expression; look-around is allowed.
PatternText = Annotated[str, AfterValidator(_pattern)]
