"""
An authorization server on loopback: it issues tokens as RFC 6749 has it, and misbehaves on demand.

    with AuthorizationServer.in_thread([429, "html"], life=60) as server:
        ...                                  # ask server.token_url for tokens
    assert server.counts["refresh_token"] == 1

Refresh tokens rotate, and one that is used twice takes its whole family with it. ``accepts`` is what a ``Partner``
asks about the tokens it is shown: ``Partner(token=server.accepts)``.
"""

import base64
import binascii
import hashlib
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote_plus, urlencode

import orjson

from headrace.testkit.partner import Answer, Partner, Received

#: What the token endpoint does in the place of answering rightly: a status, a name of ``MISCHIEF``, an answer, what
#: makes one of the request, or members that are put over those of the right answer (``None`` takes one out).
Scripted = int | str | Answer | Mapping[str, Any] | Callable[[Received], Answer]

_JSON = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
_HTML = (("Content-Type", "text/html; charset=utf-8"),)
MISCHIEF: Mapping[str, Answer | Mapping[str, Any]] = {
    "slow": Answer(503, delay=1.0),
    "hang": Answer(hang=True),
    "reset": Answer(reset=True),
    "huge": Answer(200, _JSON, b'{"access_token": "' + b"a" * 10_000_000 + b'"}'),
    "html": Answer(200, _HTML, b"<!doctype html><title>Down for maintenance</title>"),
    "no-json": Answer(200, _JSON, b'{"access_token": '),
    "a-list": Answer(200, _JSON, b'["access_token"]'),
    "revoked": Answer(400, _JSON, b'{"error": "invalid_grant", "error_description": "The grant was revoked."}'),
    "no-token": {"access_token": None},
    "no-expiry": {"expires_in": None},
    "no-refresh": {"refresh_token": None},
}
#: What the page does in the place of sending the browser back rightly.
DETOURS: Mapping[str, Mapping[str, str | None]] = {
    "denied": {},
    "wrong-state": {"state": "of-somebody-else"},
    "no-state": {"state": None},
    "other-issuer": {"iss": "http://evil.example"},
    "no-code": {"code": None},
}


@dataclass(slots=True)
class Family:
    """Tokens that go back to one sign-in."""

    subject: str
    scope: str = ""
    is_revoked: bool = False


@dataclass(slots=True)
class _Code:
    family: Family
    redirect_uri: str
    challenge: str
    is_used: bool = False


@dataclass(slots=True)
class _Refresh:
    family: Family
    is_used: bool = False


@dataclass(slots=True)
class _Access:
    family: Family
    expires_at: float
    is_dead: bool = False


class _Refused(Exception):
    def __init__(self, error: str, description: str = "", status: int = 400) -> None:
        self.error, self.description, self.status = error, description, status


@dataclass
class AuthorizationServer:
    """
    An authorization server with one client and a few users.

    ``answers`` are given in order at the token endpoint, and then right ones; ``revocations`` likewise where tokens are
    ended, and ``detours`` where the browser is sent back. ``life`` is in seconds. With ``asks`` the page asks for user
    name and password; without, everybody is let in. ``counts`` has how often each grant was given, each error told,
    each endpoint called, and how the client showed itself (``by_header``, ``by_form``).
    """

    answers: deque[Scripted] = field(default_factory=deque)
    revocations: deque[Scripted] = field(default_factory=deque)
    detours: deque[str] = field(default_factory=deque)
    client_id: str = "headrace"
    client_secret: str = "the secret of the client: 100 % & more"  # noqa: S105  nothing is behind it
    users: Mapping[str, str] = field(default_factory=lambda: {"ada": "correct horse"})
    life: float = 3600
    rotates: bool = True
    asks: bool = False
    port: int = 0
    mint: Callable[[str], str] = lambda _: secrets.token_urlsafe(24)
    clock: Callable[[], float] = time.time
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.answers, self.revocations = deque(self.answers), deque(self.revocations)
        self.detours = deque(self.detours)
        self._partner = Partner(default=self._answer, port=self.port)
        self._codes: dict[str, _Code] = {}
        self._refreshes: dict[str, _Refresh] = {}
        self._accesses: dict[str, _Access] = {}

    @classmethod
    @contextmanager
    def in_thread(cls, answers: Iterable[Scripted] = (), **options: Any) -> Iterator[Self]:
        """Run a server in a thread of its own, for tests that have no event loop."""
        server = cls(deque(answers), **options)
        with Partner.in_thread(default=server._answer, port=server.port) as partner:
            server._partner = partner
            yield server

    async def __aenter__(self) -> Self:
        await self._partner.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._partner.stop()

    @property
    def issuer(self) -> str:
        """Scheme, host and port."""
        return self._partner.origin

    @property
    def authorization_url(self) -> str:
        return f"{self.issuer}/authorize"

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/token"

    @property
    def revocation_url(self) -> str:
        return f"{self.issuer}/revoke"

    @property
    def received(self) -> deque[Received]:
        """What it was sent, as it arrived."""
        return self._partner.received

    # --- what a test asks it and does to it

    def accepts(self, token: str) -> bool:
        """Whether an access token is good at this moment."""
        access = self._accesses.get(token)
        return access is not None and not access.is_dead and not access.family.is_revoked and self._lives(access)

    def kill(self, token: str | None = None) -> None:
        """Let one access token die, or all there are; refresh tokens live on."""
        for text, access in list(self._accesses.items()):
            access.is_dead = access.is_dead or token in (None, text)

    def revoke_all(self) -> None:
        """Take back every grant: nothing that was issued is good any longer."""
        families = [access.family for access in list(self._accesses.values())]
        families += [refresh.family for refresh in list(self._refreshes.values())]
        for family in families:
            family.is_revoked = True

    def code_for(self, redirect_uri: str, challenge: str, subject: str = "ada") -> str:
        """Issue an authorization code, as the page does for whoever has signed in."""
        code = self.mint("code")
        self._codes[code] = _Code(Family(subject), redirect_uri, challenge)
        return code

    def _lives(self, access: _Access) -> bool:
        return self.clock() < access.expires_at

    # --- the endpoints

    def _answer(self, received: Received) -> Answer:
        self.counts[received.path] += 1
        endpoints = {
            "/authorize": self._authorize,
            "/token": self._token,
            "/revoke": self._revoke,
        }
        if received.path not in endpoints:
            return Answer(404)
        try:
            return endpoints[received.path](received)
        except _Refused as refused:
            return self._refuse(refused)

    def _refuse(self, refused: _Refused) -> Answer:
        self.counts[refused.error] += 1
        told = {"error": refused.error, "error_description": refused.description}
        headers = (*_JSON, ("WWW-Authenticate", "Basic")) if refused.status == 401 else _JSON
        return Answer(refused.status, headers, orjson.dumps(told))

    def _authorize(self, received: Received) -> Answer:
        asked = dict(parse_qsl(received.query))
        if asked.get("client_id") != self.client_id or "redirect_uri" not in asked:
            return Answer(400, _HTML, b"<p>This client is not known here.</p>")
        typed = dict(parse_qsl(received.body.decode()))
        subject = typed.get("username", next(iter(self.users)))
        if self.asks and not self._knows(typed.get("username"), typed.get("password")):
            return Answer(200, _HTML, _FORM.format(escape(received.query)).encode())
        return self._send_back(asked, subject)

    def _send_back(self, asked: Mapping[str, str], subject: str) -> Answer:
        detour = self.detours.popleft() if self.detours else ""
        error = "access_denied" if detour == "denied" else _wrong_in(asked)
        query: dict[str, str | None] = {"state": asked.get("state"), "iss": self.issuer}
        if error:
            self.counts[error] += 1
            query["error"] = error
        else:
            query["code"] = self.code_for(asked["redirect_uri"], asked["code_challenge"], subject)
        told = {name: value for name, value in {**query, **DETOURS.get(detour, {})}.items() if value is not None}
        join = "&" if "?" in asked["redirect_uri"] else "?"
        return Answer(302, (("Location", f"{asked['redirect_uri']}{join}{urlencode(told)}"),))

    def _token(self, received: Received) -> Answer:
        scripted = _next_of(self.answers, received)
        if isinstance(scripted, Answer):
            return scripted
        form = dict(parse_qsl(received.body.decode(), keep_blank_values=True))
        self._know_client(received, form)
        family = self._family_of(form)
        self.counts[form["grant_type"]] += 1
        right = self._issue(family, with_refresh=form["grant_type"] != "client_credentials")
        members = {name: value for name, value in {**right, **scripted}.items() if value is not None}
        return Answer(200, _JSON, orjson.dumps(members))

    def _revoke(self, received: Received) -> Answer:
        scripted = _next_of(self.revocations, received)
        if isinstance(scripted, Answer):
            return scripted
        form = dict(parse_qsl(received.body.decode()))
        self._know_client(received, form)
        token = form.get("token", "")
        if (refresh := self._refreshes.get(token)) is not None:
            refresh.family.is_revoked = True
        elif (access := self._accesses.get(token)) is not None:
            access.is_dead = True
        return Answer(200)

    # --- who asks, and for what

    def _know_client(self, received: Received, form: Mapping[str, str]) -> None:
        header = received.headers.get("authorization", "")
        if header and "client_secret" in form:
            raise _Refused("invalid_request", "The client shows itself twice.")
        shown = _basic(header) if header else (form.get("client_id", ""), form.get("client_secret", ""))
        self.counts["by_header" if header else "by_form"] += 1
        if shown != (self.client_id, self.client_secret):
            raise _Refused("invalid_client", "The client is not known here.", 401)

    def _family_of(self, form: Mapping[str, str]) -> Family:
        grants: Mapping[str, Callable[[Mapping[str, str]], Family]] = {
            "authorization_code": self._by_code,
            "refresh_token": self._by_refresh_token,
            "password": self._by_password,
            "client_credentials": lambda form: Family(self.client_id, form.get("scope", "")),
        }
        if form.get("grant_type") not in grants:
            raise _Refused("unsupported_grant_type")
        return grants[form["grant_type"]](form)

    def _by_code(self, form: Mapping[str, str]) -> Family:
        code = self._codes.get(form.get("code", ""))
        if code is None or code.family.is_revoked:
            raise _Refused("invalid_grant", "The code is not known here.")
        if code.is_used:
            code.family.is_revoked = True
            raise _Refused("invalid_grant", "The code was used before.")
        code.is_used = True
        if form.get("redirect_uri") != code.redirect_uri:
            raise _Refused("invalid_grant", "The code was for another address.")
        if _challenge(form.get("code_verifier", "")) != code.challenge:
            raise _Refused("invalid_grant", "The verifier is not the one of the code.")
        return code.family

    def _by_refresh_token(self, form: Mapping[str, str]) -> Family:
        refresh = self._refreshes.get(form.get("refresh_token", ""))
        if refresh is None or refresh.family.is_revoked:
            raise _Refused("invalid_grant", "The refresh token is not good any longer.")
        if refresh.is_used:
            self.counts["reuse"] += 1
            refresh.family.is_revoked = True
            raise _Refused("invalid_grant", "The refresh token was used before.")
        refresh.is_used = self.rotates
        return refresh.family

    def _by_password(self, form: Mapping[str, str]) -> Family:
        if not self._knows(form.get("username"), form.get("password")):
            raise _Refused("invalid_grant", "The user name or the password is wrong.")
        return Family(form["username"], form.get("scope", ""))

    def _knows(self, user: str | None, password: str | None) -> bool:
        return user is not None and self.users.get(user) == password

    def _issue(self, family: Family, *, with_refresh: bool) -> dict[str, Any]:
        access = self.mint("access token")
        self._accesses[access] = _Access(family, self.clock() + self.life)
        told: dict[str, Any] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.life,
            "scope": family.scope,
        }
        if with_refresh and (self.rotates or not self._has_refresh(family)):
            refresh = self.mint("refresh token")
            self._refreshes[refresh] = _Refresh(family)
            told["refresh_token"] = refresh
        return told

    def _has_refresh(self, family: Family) -> bool:
        return any(refresh.family is family for refresh in list(self._refreshes.values()))


def _next_of(script: deque[Scripted], received: Received) -> Answer | Mapping[str, Any]:
    """Return what an endpoint does this time: an answer, or what is put over the right one."""
    scripted = script.popleft() if script else {}
    scripted = MISCHIEF.get(scripted, {}) if isinstance(scripted, str) else scripted
    if isinstance(scripted, int):
        return Answer(scripted, _JSON, b'{"error": "temporarily_unavailable"}')
    return scripted(received) if callable(scripted) else scripted


def _basic(header: str) -> tuple[str, str]:
    """Read a client's id and secret from its header; each is a part of a form, as RFC 6749 has it."""
    try:
        id_, _, secret = base64.b64decode(header.removeprefix("Basic "), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _Refused("invalid_client", "The header cannot be read.", 401) from None
    return unquote_plus(id_), unquote_plus(secret)


def _wrong_in(asked: Mapping[str, str]) -> str | None:
    """Say what error the browser is sent back with; PKCE by S256 is asked for."""
    is_by_code = asked.get("response_type") == "code"
    is_proved = asked.get("code_challenge_method") == "S256" and bool(asked.get("code_challenge"))
    return None if is_by_code and is_proved else "invalid_request"


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


_FORM = """<!doctype html><html lang="en"><title>Sign in</title>
<form method="post" action="?{}">
<label>User name <input name="username" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button>Sign in</button>
</form></html>"""
