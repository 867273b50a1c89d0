"""Access tokens for a storage, got in the account's own name and got anew before they end."""

import asyncio
from collections.abc import Callable
from time import monotonic

import orjson

from headrace.connect.storage.calls import Calls, Told, cause_of_status
from headrace.connect.storage.storage import NotStored
from headrace.connect.transport import Transport
from headrace.model.http import Request, Response

#: Seconds before its end when a token is no longer shown.
_BEFORE_ITS_END = 300.0
_LONGEST = 64


class Tokens:
    """One asks at a time, and the others wait for what it gets; ``form`` writes what is asked for."""

    def __init__(self, transport: Transport, url: str, origin: str, form: Callable[[], bytes]) -> None:
        self._calls = Calls(transport, frozenset({origin}), _as_it_is, _judge(Told(origin, "the sign-in")))
        self._url, self._origin = url, origin
        self._form = form
        self._token, self._ends = "", 0.0
        self._lock = asyncio.Lock()

    async def signed(self, request: Request) -> Request:
        """Return a request with a token."""
        shown = ("authorization", f"Bearer {await self.token()}")
        return Request(request.method, request.url, (*request.headers, shown), request.body)

    async def token(self) -> str:
        """Return a token that is good for a while."""
        async with self._lock:
            if monotonic() >= self._ends:
                self._token, life = await self._get()
                self._ends = monotonic() + max(0.0, life - _BEFORE_ITS_END)
            return self._token

    async def _get(self) -> tuple[str, float]:
        headers = (("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json"))
        answer = await self._calls.ask(Request("POST", self._url, headers, self._form()))
        read = _read(answer.body)
        token, life = read.get("access_token"), read.get("expires_in", 3600)
        if not isinstance(token, str) or not token.isprintable():
            raise NotStored(
                "refused", f"'{self._origin}' gave no token for the storage; see that it is the right address."
            )
        try:
            return token, float(str(life))
        except ValueError:
            return token, 3600.0


def _read(body: bytes) -> dict[str, object]:
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return read if isinstance(read, dict) else {}


async def _as_it_is(request: Request) -> Request:
    return request


def _judge(told: Told) -> Callable[[Response], NotStored | None]:
    def wrong(answer: Response) -> NotStored | None:
        if answer.status < 300:
            return None
        said = str(_read(answer.body).get("error") or "")[:_LONGEST]
        cause = "denied" if answer.status in (400, 401, 403, 404) else cause_of_status(answer.status)
        return told.refused(cause, said if said.replace("_", "").isalnum() else f"status {answer.status}")

    return wrong
