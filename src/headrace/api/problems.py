"""How errors leave: one shape for all (RFC 9457), and the gateway's own where clients of the original expect it."""

from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from headrace.connect.keyring import KeyUnavailable, SealError
from headrace.connect.secrets import without_ours
from headrace.errors import (
    AuthoringError,
    Conflict,
    Forbidden,
    HeadraceError,
    NotFound,
    PartnerError,
    RequestError,
    StaleVersion,
    TooManyCalls,
    TooManyTries,
    TooSoon,
    Unauthorized,
)
from headrace.events import Announce, RequestFailed, told
from headrace.model.problem import ConfigurationError
from headrace.services.governance.evaluating import PolicyViolation
from headrace.services.in_use import InUse
from headrace.services.ingestion import IdempotencyKeyReused
from headrace.services.quotas import QuotaFull
from headrace.store.database import StoreUnavailable

#: What a disk that is full or slow needs before it is worth trying again, in seconds.
RETRY_AFTER = 5


class GatewayError(Exception):
    """A header of the original's gateway is missing or wrong; answered in the gateway's shape."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class BadRequestError(RequestError):
    """The body is not what the request says it is."""

    code = "bad-request"


class TooLarge(RequestError):
    """The body is larger than what is read."""

    code = "too-large"


def problem(status: int, title: str, detail: str, code: str, **more: Any) -> JSONResponse:
    """Make an answer that says what is wrong: ``type``, ``title``, ``status``, ``detail``, ``code`` to script on."""
    words = {"title": title, "status": status, "detail": without_ours(detail), "code": code}
    body = {"type": f"urn:headrace:{code}", **words, **more}
    return JSONResponse(body, status, media_type="application/problem+json")


async def gateway(_request: Request, error: Exception) -> JSONResponse:
    """Answer a wrong header as the original's gateway does."""
    assert isinstance(error, GatewayError)
    return JSONResponse({"error_code": error.code, "message": error.message}, error.status)


async def ours(_request: Request, error: Exception) -> JSONResponse:
    """Answer an error of ours by who can put it right."""
    assert isinstance(error, HeadraceError)
    title = type(error).__name__
    if isinstance(error, ConfigurationError):
        listed = [item.as_json() for item in error.problems]
        count = len(listed)
        detail = "there is 1 problem" if count == 1 else f"there are {count} problems"
        return problem(400, title, detail, error.code, errors=listed)
    if isinstance(error, StoreUnavailable):
        answer = problem(503, title, error.message, error.code)
        answer.headers["Retry-After"] = str(error.seconds if isinstance(error, QuotaFull) else RETRY_AFTER)
        return answer
    more: dict[str, Any] = {}
    more |= {"uses": error.uses, "usesElsewhere": error.elsewhere} if isinstance(error, InUse) else {}
    more |= {"violations": error.violations} if isinstance(error, PolicyViolation) else {}
    answer = problem(_status(error), title, error.message, error.code, **more)
    if isinstance(error, TooManyTries | TooManyCalls | TooSoon):
        answer.headers["Retry-After"] = str(error.seconds)
    return answer


async def wrong_request(_request: Request, error: Exception) -> JSONResponse:
    """Answer a query or path parameter that is not right."""
    assert isinstance(error, RequestValidationError)
    listed = [
        {"code": "invalid", "path": "/" + "/".join(map(str, item["loc"])), "message": item["msg"], "severity": "error"}
        for item in error.errors()
    ]
    return problem(400, "RequestError", "the request is not right", "request", errors=listed)


async def plain(_request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework refuses: unknown paths, methods that are not there."""
    assert isinstance(error, HTTPException)
    answer = problem(error.status_code, "RequestError", str(error.detail), "request")
    answer.headers.update(error.headers or {})
    return answer


class Unexpected:
    """Answers a fault of ours without showing its inside, and announces it."""

    def __init__(self, announce: Announce) -> None:
        self._announce = announce

    async def __call__(self, request: Request, error: Exception) -> JSONResponse:
        self._announce(RequestFailed(method=request.method, path=request.url.path, error=told(error)))
        return problem(500, "InternalError", "Headrace failed; its log says why", "internal")


def _status(error: HeadraceError) -> int:
    statuses: list[tuple[type[HeadraceError], int]] = [
        (Unauthorized, 401),
        (Forbidden, 403),
        (NotFound, 404),
        (Conflict, 409),
        (StaleVersion, 412),
        (IdempotencyKeyReused, 422),
        (TooManyTries, 429),
        (TooManyCalls, 429),
        (TooSoon, 429),
        (TooLarge, 413),
        (AuthoringError, 400),
        (SealError, 503),
        (KeyUnavailable, 503),
        (PartnerError, 502),
    ]
    return next((status for kind, status in statuses if isinstance(error, kind)), 400)
