"""What a partner answers to a request for a token, and what is kept of it."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from headrace.connect.auth.refusal import FINAL, TokenRefused, refusal, told_in
from headrace.connect.auth.signature import is_token
from headrace.connect.secrets import Redactor
from headrace.model.http import Response

ACCESS_TOKEN, REFRESH_TOKEN, EXPIRES_IN = "accessToken", "refreshToken", "expiresIn"
#: What OAuth 2 knows of an answer.
OUTPUTS = (ACCESS_TOKEN, REFRESH_TOKEN, EXPIRES_IN, "tokenType", "scope")
TOKENS = frozenset({ACCESS_TOKEN, REFRESH_TOKEN})
#: What an earlier answer said of its own token alone.
OF_ONE_TOKEN = frozenset({ACCESS_TOKEN, EXPIRES_IN})
#: The longest life that is believed, in seconds: ten years.
LONGEST_LIFE = 10 * 365 * 86400.0

_SECONDS = re.compile(r"[0-9]{1,400}(\.[0-9]{1,9})?", re.ASCII)
_STEP = re.compile(r"""\.?(?:([^.\[\]]+)|\[([0-9]{1,6})\]|\['([^']+)'\]|\["([^"]+)"\])""")


@dataclass(frozen=True, slots=True)
class Granted:
    """
    What a partner granted.

    ``fields`` are the values by their names in ``authData``: ``accessToken`` always; ``refreshToken``, ``expiresIn``,
    ``tokenType``, ``scope`` and the author's own where there are any. ``expires_in`` is the life of the token in
    seconds from the answer on; ``None``: unknown.
    """

    fields: Mapping[str, str] = field(repr=False)
    expires_in: float | None = None


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """An answer, and its body: a JSON value, or the text where it is none."""

    response: Response = field(repr=False)
    body: Any = field(repr=False)

    @classmethod
    def of(cls, response: Response) -> "TokenAnswer":
        return cls(response, _json(response.body))

    def refuse_failure(self, redactor: Redactor) -> None:
        """
        See that it can hold a token at all.

        Raises:
            SignInNeeded: the partner says that the account has to be signed in anew.
            TokenRefused: it says something else than 2xx, or more than is read.
        """
        is_success = 200 <= self.response.status < 300 and not self.response.truncated
        if not is_success or told_in(self.body)[0] in FINAL:
            raise refusal(self.response, self.body, redactor)

    def at(self, path: str, *, is_token: bool = False) -> str | None:
        """
        Return what stands at a path of the body as a text; ``None`` where there is nothing. A token is a text already.

        >>> answer = TokenAnswer.of(Response(200, (), b'{"data": {"tokens": [{"access": "a1", "for": 60}]}}'))
        >>> answer.at("$.data.tokens[0].access"), answer.at("data.tokens.0.for"), answer.at("access_token")
        ('a1', '60', None)
        """
        value = _value_at(self.body, path)
        return _text(value) if not is_token or isinstance(value, str) else None

    def seen(self) -> dict[str, Any]:
        """Return it as templates see it, under ``response``; headers have their names as sent and in small letters."""
        headers: dict[str, list[str]] = {}
        for name, value in self.response.headers:
            for spelling in {name, name.lower()}:
                headers.setdefault(spelling, []).append(value)
        return {"body": self.body, "status": self.response.status, "headers": headers}


def granted(found: Mapping[str, str | None], known: Mapping[str, str], fixed: Mapping[str, str]) -> Granted:
    """
    Put together what is kept: what was found, over what is known from earlier answers, under what the author fixes.

    Raises:
        TokenRefused: there is no access token, or what stands in its place can be none.
    """
    earlier = {name: value for name, value in known.items() if name not in OF_ONE_TOKEN}
    fields = {**earlier, **{name: value for name, value in found.items() if value}, **fixed}
    token = fields.get(ACCESS_TOKEN)
    if token is None:
        raise TokenRefused("The partner's answer has no access token in the place where it was looked for.")
    if not is_token(token):
        raise TokenRefused("The partner's answer has something in the place of the access token that is none.")
    return Granted(fields, lifetime(fields.get(EXPIRES_IN)))


def lifetime(text: str | None) -> float | None:
    """
    Read for how many seconds a token lives; what is no positive number says nothing.

    >>> lifetime("3600"), lifetime("0"), lifetime("-1"), lifetime("true"), lifetime("soon"), lifetime(None)
    (3600.0, None, None, None, None, None)
    """
    if text is None or not _SECONDS.fullmatch(text.strip()):
        return None
    seconds = float(text)
    return min(seconds, LONGEST_LIFE) if seconds > 0 else None


def as_text(value: object) -> str:
    """Write a value as templates print it."""
    return _text(value) or ""


def _json(body: bytes) -> Any:
    for read in (orjson.loads, json.loads):  # The second takes 1e400, which a partner may send as a life.
        try:
            return read(body)
        except (ValueError, RecursionError):
            continue
    return body.decode("utf-8", "replace")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and (not math.isfinite(value) or value.is_integer()):
        return str(int(value)) if math.isfinite(value) else str(value)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return None


def _value_at(body: Any, path: str) -> Any:
    if isinstance(body, dict) and path in body:
        return body[path]
    for step in _steps(path):
        if isinstance(body, dict):
            body = body.get(step)
        elif isinstance(body, list) and step.isascii() and step.isdigit() and int(step) < len(body):
            body = body[int(step)]
        else:
            return None
    return body


def _steps(path: str) -> Iterable[str]:
    """Take a path apart; one that cannot be read leads to no value."""
    rest = path.strip().removeprefix("$")
    steps: list[str] = []
    while rest:
        step = _STEP.match(rest)
        if step is None:
            return ("",)
        steps.append(next(part for part in step.groups() if part is not None))
        rest = rest[step.end() :]
    return steps or ("",)
