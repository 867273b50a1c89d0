"""Roles at Amazon that a partner lets the house assume, so that no key is ever handed over."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

from headrace.connect.storage.calls import Calls, Judge, Told, cause_of_status
from headrace.connect.storage.sigv4 import Keys, Scope, query_of, sign
from headrace.connect.storage.storage import NotStored, Way
from headrace.connect.transport import Transport
from headrace.errors import AccountError
from headrace.model.http import Request, Response

#: How long a session is good, and how long before its end the next one is got.
_LIFE = timedelta(hours=1)
_BEFORE_ITS_END = timedelta(minutes=10)
_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/[A-Za-z0-9+=,.@_/-]{1,512}")
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")


class AssumedRole:
    """The keys of a role, got anew before they end; whoever asks meanwhile waits for the one who got there first."""

    def __init__(self, transport: Transport, role: str, way: Way) -> None:
        """
        Raises:
            AccountError: it is no role, or the house has no keys of its own to assume it with.
        """
        if not _ARN.fullmatch(role):
            raise AccountError("The role is written 'arn:aws:iam::<account>:role/<name>'.")
        if way.house is None:
            raise AccountError(
                "Roles are assumed with keys of the house, which it has not got; enter an access key, or have whoever "
                "runs Headrace set HEADRACE_AWS_ACCESS_KEY_ID and HEADRACE_AWS_SECRET_ACCESS_KEY."
            )
        self._role = role
        self._house = way.house
        origin = way.egress.admit(way.house.sts_url).origin
        self._calls = Calls(transport, frozenset({origin}), self._signed, _judge(Told(origin, f"the role '{role}'")))
        self._held: tuple[Keys, datetime] | None = None
        self._lock = asyncio.Lock()

    async def keys(self) -> Keys:
        """Return keys that are good for a while."""
        async with self._lock:
            if self._held is None or self._held[1] - datetime.now(UTC) < _BEFORE_ITS_END:
                self._held = await self._assume()
            return self._held[0]

    async def _assume(self) -> tuple[Keys, datetime]:
        asked = {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": self._role,
            "RoleSessionName": "headrace",
            "DurationSeconds": str(int(_LIFE.total_seconds())),
            **({"ExternalId": self._house.external_id} if self._house.external_id else {}),
        }
        headers = (("content-type", "application/x-www-form-urlencoded"),)
        answer = await self._calls.ask(Request("POST", self._house.sts_url, headers, query_of(asked).encode()))
        return _read(answer.body.decode(errors="replace"))

    async def _signed(self, request: Request) -> Request:
        own = Keys(self._house.access_key, self._house.secret_key)
        return sign(request, own, Scope(self._house.region, "sts"), datetime.now(UTC))


def _read(text: str) -> tuple[Keys, datetime]:
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    found = [match[1] for name in names if (match := re.search(f"<{name}>([^<]+)</{name}>", text)) is not None]
    if len(found) != len(names):
        raise NotStored("refused", "What assumed the role did not answer with keys.")
    access_key, secret_key, token, end = found
    until = datetime.fromisoformat(end.replace("Z", "+00:00"))
    return Keys(access_key, secret_key, token), until if until.tzinfo is not None else until.replace(tzinfo=UTC)


def _judge(told: Told) -> Judge:
    def wrong(answer: Response) -> NotStored | None:
        if answer.status < 300:
            return None
        found = _CODE.search(answer.body)
        said = found[1].decode() if found is not None else f"status {answer.status}"
        return told.refused("busy" if said == "Throttling" else cause_of_status(answer.status), said)

    return wrong
