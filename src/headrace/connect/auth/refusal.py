"""Why there is no token: whether somebody has to act, or it may pass by itself."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from headrace.connect.retry import retry_after
from headrace.connect.secrets import Redactor
from headrace.errors import AccountError, PartnerError
from headrace.model.http import Response

#: The errors of RFC 6749 that no repeating mends: whoever signed in has to do so again, or to mend what was given.
FINAL = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "access_denied"})
LONGEST_DESCRIPTION = 200

_CODE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_UNAUTHORIZED = 401


class SignInNeeded(AccountError):
    """The account has to be signed in anew."""

    code = "sign-in-needed"


class TokenRefused(PartnerError):
    """
    The partner gave no token.

    It may at another time. ``after`` is how many seconds the partner asks to wait; ``None``: it does not say.
    """

    code = "token-refused"

    def __init__(self, message: str | None = None, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


def refusal(response: Response, body: Any, redactor: Redactor) -> SignInNeeded | TokenRefused:
    """Say why an answer holds no token, in the partner's words as far as it has any; the secrets are taken out."""
    said = said_in(body, redactor)
    if told_in(body)[0] in FINAL or (response.status == _UNAUTHORIZED and isinstance(body, dict)):
        reason = f" ({said})" if said else ""
        return SignInNeeded(f"The partner gives this account no token{reason}; sign in anew.")
    what = f"{response.status}, {said}" if said else f"{response.status}{_kind(response, body)}"
    return TokenRefused(f"The partner gave no token: it answered {what}.", asked_wait(response))


def said_in(body: Any, redactor: Redactor) -> str:
    """Return what an answer says for a reader: its error and what describes it, cut, with the secrets taken out."""
    error, description = told_in(body)
    told = redactor.redact(f"{error}: {description}" if error and description else error or description)
    return _cut(_UNSEEN.sub(" ", told).strip())


def told_in(body: Any) -> tuple[str, str]:
    """Return the ``error`` and ``error_description`` of an answer, as RFC 6749 has them; empty where it has none."""
    if not isinstance(body, dict):
        return "", ""
    error, description = body.get("error"), body.get("error_description")
    return (
        error if isinstance(error, str) and _CODE.fullmatch(error) else "",
        description if isinstance(description, str) else "",
    )


def asked_wait(response: Response) -> float | None:
    """Return the seconds that ``Retry-After`` asks for; a date in it is held against the partner's own clock."""
    now = _date(response)
    seconds = retry_after(response.headers, now or datetime.now(UTC))
    return None if seconds is None else seconds.total_seconds()


def _date(response: Response) -> datetime | None:
    try:
        date = parsedate_to_datetime(response.header("Date") or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_DESCRIPTION else text[:LONGEST_DESCRIPTION] + "…"


def _kind(response: Response, body: Any) -> str:
    """Say in a word what came in the place of what was agreed."""
    if response.truncated:
        return " with more than Headrace reads"
    if "html" in (response.header("Content-Type") or "").lower():
        return " with a page for people (HTML)"
    return " with something else than a JSON object" if not isinstance(body, dict) else ""
