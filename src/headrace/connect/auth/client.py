"""
Getting tokens by OAuth 2, held as conversations: requests are yielded, answers handed in, and a grant comes out.

Nothing here opens a connection, waits, or knows what time it is, and no error tells a secret.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote_plus, urlencode

from headrace.connect.auth.answer import (
    ACCESS_TOKEN,
    EXPIRES_IN,
    OUTPUTS,
    REFRESH_TOKEN,
    TOKENS,
    Granted,
    TokenAnswer,
    as_text,
    granted,
)
from headrace.connect.auth.own_request import Check, OwnRequest, check_all, context_of
from headrace.connect.auth.refusal import SignInNeeded, refusal, told_in
from headrace.connect.auth.revocation import Revocation
from headrace.connect.auth.signature import basic
from headrace.connect.secrets import Redactor
from headrace.errors import AccountError, HeadraceError
from headrace.model.authentication import CustomerAuthentication
from headrace.model.http import Headers, Request, Response
from headrace.model.kinds import is_web_url
from headrace.model.token import AuthenticationDataField

#: Requests are yielded, answers handed in; the conversation returns what was granted, or raises why nothing was.
Exchange = Generator[Request, Response, Granted]

AUTHORIZATION_CODE, PASSWORD_GRANT = "OAUTH2_AUTHORIZATION_CODE", "OAUTH2_PASSWORD"
_TYPED = ("username", "password")
#: What a partner is told to end, the best first, and what RFC 7009 calls it.
_HINTS = ((REFRESH_TOKEN, "refresh_token"), (ACCESS_TOKEN, "access_token"))
_ADDRESSES = ("accessTokenUrl", "refreshTokenUrl", "authorizationUrl", "revocationUrl")
_PLAIN = frozenset({EXPIRES_IN, "tokenType", "scope", "clientId", *_ADDRESSES})


@dataclass(frozen=True, slots=True)
class UserContext:
    """Who runs an attempt to sign in: what templates see as ``userContext``."""

    sandbox_name: str = ""
    sandbox_id: str = ""
    ims_org_id: str = ""
    client: str = ""

    def seen(self) -> dict[str, str]:
        """Return it by the names that templates know."""
        return {
            "sandboxName": self.sandbox_name,
            "sandboxId": self.sandbox_id,
            "imsOrgId": self.ims_org_id,
            "client": self.client,
        }


class OAuthClient:
    """One account's way to tokens: what the author declared, with what the operator gave."""

    def __init__(
        self, way: CustomerAuthentication, inputs: Mapping[str, str], user: UserContext, headers: Headers = ()
    ) -> None:
        self._way = way
        self._inputs = inputs
        self._user = user.seen()
        self._headers = headers
        self._own = OwnRequest.of(way.access_token_request) if way.access_token_request is not None else None
        self._checks = tuple(map(Check.of, way.validations))

    def __repr__(self) -> str:
        return f"OAuthClient({self._way.grant})"

    @classmethod
    def of(cls, way: CustomerAuthentication, given: Mapping[str, str], user: UserContext) -> Self:
        """
        Make the client of an account; ``given`` is what the operator typed, opened.

        Raises:
            AccountError: something is missing; the message names it.
        """
        asked = {field.name for field in way.authentication_data_fields if field.is_asked_for}
        asked |= set(_TYPED) if way.grant == PASSWORD_GRANT else set()
        typed = {name: value for name, value in given.items() if name in asked and value}
        inputs = declared_inputs(way) | _preset(way) | typed
        _refuse_gaps(way, inputs)
        _refuse_addresses(inputs)
        return cls(way, inputs, user)

    @property
    def needs_browser(self) -> bool:
        """Whether the operator has to go to the partner's page for the first token."""
        return not self.can_renew({})

    def addresses(self) -> tuple[str, ...]:
        """
        Return every URL that secrets are ever sent to, as far as it is known by now.

        A URL that is made of what an answer brings is not among them: it may not say where secrets go.
        """
        ends = self._inputs.get("revocationUrl")
        return tuple(filter(None, (self._token_url(), self._refresh_url(), self._own_url(), ends)))

    def authorization_url(self, *, redirect_uri: str, state: str, challenge: str) -> str:
        """
        Return the partner's page where the operator signs in; it is asked for PKCE by S256 always.

        Raises:
            AccountError: this way of signing in has no such page.
        """
        page = self._inputs.get("authorizationUrl")
        if page is None:
            raise AccountError("This way of signing in needs no browser; ask for a token at once.")
        query = {
            "response_type": "code",
            "client_id": self._inputs["clientId"],
            "redirect_uri": redirect_uri,
            **self._scope(),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        page = page.partition("#")[0]  # RFC 6749 allows a page no fragment.
        return f"{page}{'&' if '?' in page else '?'}{urlencode(query)}"

    def exchange(self, *, code: str, redirect_uri: str, verifier: str) -> Exchange:
        """
        Get the first token for the code that the browser brought back.

        An author's own request does this only where no ``accessTokenUrl`` is declared; it reads ``authData.code``,
        ``authData.redirectUri`` and ``authData.codeVerifier``.
        """
        url = self._token_url()
        if url is None:
            return (yield from self._ask_own({}, code=code, redirectUri=redirect_uri, codeVerifier=verifier))
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        return (yield from self._ask(url, {**form, "code_verifier": verifier}, {}, code, verifier))

    def obtain(self, known: Mapping[str, str]) -> Exchange:
        """
        Get a first token, where nothing is ``known``, or the next one: by the author's own request if there is one,
        else with the refresh token, else by repeating the grant. ``known`` is the ``fields`` of the last grant.

        Raises:
            SignInNeeded: there is no way without the operator.
            TokenRefused: the partner gives none at this moment.
            RenderError: the author's own request cannot be written.
        """
        known = self._kept(known)
        if not self.can_renew(known):
            raise SignInNeeded("The account's access token cannot be renewed; sign in anew.")
        if self._own is not None:
            return (yield from self._ask_own(known))
        if self._can_refresh(known):
            try:
                return (yield from self._refresh(known))
            except SignInNeeded:
                if self._way.grant == AUTHORIZATION_CODE:
                    raise
        return (yield from self._grant(known))

    def can_renew(self, known: Mapping[str, str]) -> bool:
        """Whether ``obtain`` has a way to a token without the operator."""
        if self._way.grant != AUTHORIZATION_CODE:
            return True
        return bool(known) if self._own is not None else self._can_refresh(self._kept(known))

    def revocation(self, known: Mapping[str, str]) -> Revocation | None:
        """
        Return how the partner is told that what it granted is not used any more: the refresh token, else the access
        token. ``None``: it cannot be told, or there is nothing to tell.
        """
        url, kept = self._inputs.get("revocationUrl"), self._kept(known)
        token = next(({"token": kept[name], "token_type_hint": hint} for name, hint in _HINTS if name in kept), None)
        if url is None or token is None:
            return None
        headers, credentials = self._as_client() if "clientId" in self._inputs else ((), {})
        return Revocation(
            url=url,
            form=urlencode({**token, **credentials}),
            authorization=next((value for _, value in headers), ""),
            client_secret=self._inputs.get("clientSecret", ""),
        )

    # --- the requests

    def _grant(self, known: Mapping[str, str]) -> Exchange:
        """Ask as if for the first time; a refresh token that is known has had its turn."""
        form = {"grant_type": "client_credentials"}
        if self._way.grant == PASSWORD_GRANT:
            form = {"grant_type": "password", **{name: self._inputs[name] for name in _TYPED}}
        known, past = {**known}, known.get(REFRESH_TOKEN)
        known.pop(REFRESH_TOKEN, None)
        return (yield from self._ask(self._inputs["accessTokenUrl"], {**form, **self._scope()}, known, past))

    def _refresh(self, known: Mapping[str, str]) -> Exchange:
        form = {"grant_type": "refresh_token", "refresh_token": self._auth_data(known)[REFRESH_TOKEN]}
        return (yield from self._ask(self._inputs["refreshTokenUrl"], form, known))

    def _ask(self, url: str, form: Mapping[str, str], known: Mapping[str, str], *secrets: str | None) -> Exchange:
        """Ask as RFC 6749 has it, and read the answer by the declared paths. ``secrets`` are no more than that."""
        headers, credentials = self._as_client()
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        headers = (kind, ("Accept", "application/json"), *headers, *self._headers)
        answer = TokenAnswer.of((yield Request("POST", url, headers, urlencode({**form, **credentials}).encode())))
        redactor = self._redactor(known, *secrets)
        found = self._found(answer)
        answer.refuse_failure(redactor)
        if not isinstance(answer.body, dict) or (not found[ACCESS_TOKEN] and told_in(answer.body)[0]):
            raise refusal(answer.response, answer.body, redactor)
        check_all(self._checks, context_of(self._auth_data(known), self._user, answer), redactor)
        return granted(found, known, self._fixed())

    def _ask_own(self, known: Mapping[str, str], **more: str) -> Exchange:
        """Ask in the author's words, and read the answer by them."""
        own = self._own
        assert own is not None, "there is a request of the author's own"
        auth_data, redactor = {**self._auth_data(known), **more}, self._redactor(known, *more.values())
        request = own.request(context_of(auth_data, self._user), redactor)
        answer = TokenAnswer.of((yield request))
        answer.refuse_failure(redactor)
        context = context_of(auth_data, self._user, answer)
        check_all((*self._checks, *own.checks), context, redactor)
        found = own.read(context, redactor)
        if not found.get(ACCESS_TOKEN) and told_in(answer.body)[0]:
            raise refusal(answer.response, answer.body, redactor)
        return granted({**self._captured(answer), **found}, known, self._fixed())

    def _as_client(self) -> tuple[Headers, dict[str, str]]:
        """Return the client's id and secret where they are wanted: in a header, or in the form."""
        id_, secret = self._inputs["clientId"], self._inputs.get("clientSecret")
        if secret is None:
            return (), {"client_id": id_}
        if self._way.uses_basic_auth:
            return (("Authorization", basic(quote_plus(id_), quote_plus(secret))),), {}
        return (), {"client_id": id_, "client_secret": secret}

    def _scope(self) -> dict[str, str]:
        return {"scope": self._inputs["scope"]} if "scope" in self._inputs else {}

    # --- what is known, found and kept

    def _auth_data(self, known: Mapping[str, str]) -> dict[str, str]:
        return {**self._inputs, **known, **self._fixed()}

    def _found(self, answer: TokenAnswer) -> dict[str, str | None]:
        paths = {
            ACCESS_TOKEN: self._way.access_token_response_path,
            REFRESH_TOKEN: self._way.refresh_token_response_path,
            EXPIRES_IN: self._way.expires_in_response_path,
            "tokenType": "token_type",
            "scope": "scope",
        }
        found = {name: answer.at(path, is_token=name in TOKENS) for name, path in paths.items()}
        return found | self._captured(answer)

    def _captured(self, answer: TokenAnswer) -> dict[str, str | None]:
        """Return what the author's fields read from the answer; one that finds nothing takes its own value."""
        fields = self._way.authentication_data_fields
        paths = {field.name: field.authentication_response_path for field in fields}
        preset = _preset(self._way)
        return {
            name: answer.at(path, is_token=name in TOKENS) or preset.get(name)
            for name, path in paths.items()
            if path is not None
        }

    def _fixed(self) -> dict[str, str]:
        """Return what the author fixes, but for the secrets that are for signing in alone."""
        fixed = {field.name for field in self._way.authentication_data_fields if _is_fixed(field)}
        return {name: value for name, value in _preset(self._way).items() if name in fixed - _FOR_US}

    def _kept(self, known: Mapping[str, str]) -> dict[str, str]:
        """Return of what was granted before what this way of signing in still knows of."""
        captured = {field.name for field in self._way.authentication_data_fields if field.authentication_response_path}
        own = {name for name, _ in self._own.fields} if self._own is not None else set()
        return {name: value for name, value in known.items() if name in captured | own | set(OUTPUTS) and value}

    def _can_refresh(self, known: Mapping[str, str]) -> bool:
        return self._refresh_url() is not None and bool(self._auth_data(known).get(REFRESH_TOKEN))

    def _redactor(self, known: Mapping[str, str], *more: str | None) -> Redactor:
        values = {**self._auth_data(known)}
        secrets = [value for name, value in values.items() if name not in _PLAIN]
        return Redactor([*secrets, *filter(None, more)])

    # --- where it asks

    def _token_url(self) -> str | None:
        is_used = self._own is None or self._way.grant == AUTHORIZATION_CODE
        return self._inputs.get("accessTokenUrl") if is_used else None

    def _refresh_url(self) -> str | None:
        return self._inputs.get("refreshTokenUrl") if self._own is None else None

    def _own_url(self) -> str | None:
        if self._own is None:
            return None
        try:
            return self._own.address(context_of(self._auth_data({}), self._user))
        except HeadraceError:
            return None


_FOR_US = frozenset({"clientSecret", "password"})


def declared_inputs(way: CustomerAuthentication) -> dict[str, str]:
    """Return the inputs that have fields of their own, by their names; a data field may take the place of each."""
    inputs = {
        "clientId": way.client_id,
        "clientSecret": way.client_secret,
        "scope": " ".join(way.scope),
        "accessTokenUrl": way.access_token_url,
        "refreshTokenUrl": way.refresh_token_url,
        "authorizationUrl": way.authorization_url,
        "revocationUrl": way.extension.revocation_url,
    }
    return {name: value for name, value in inputs.items() if value}


def _refuse_addresses(inputs: Mapping[str, str]) -> None:
    for name in _ADDRESSES:
        if name in inputs and not is_web_url(inputs[name]):
            raise AccountError(f"`{name}` of the account is no absolute URL; begin it with `https://`.")


def _preset(way: CustomerAuthentication) -> dict[str, str]:
    """Return the values that the author gives to data fields."""
    return {field.name: as_text(field.value) for field in way.authentication_data_fields if field.value is not None}


def _is_fixed(field: AuthenticationDataField) -> bool:
    """Say whether the author's value stands whatever the operator types and the partner answers."""
    return not field.is_asked_for and field.authentication_response_path is None


def _refuse_gaps(way: CustomerAuthentication, inputs: Mapping[str, str]) -> None:
    needed = [field.name for field in way.authentication_data_fields if field.is_asked_for and field.is_required]
    needed += _TYPED if way.grant == PASSWORD_GRANT else ()
    if way.access_token_request is None:
        needed += ("clientId", "clientSecret", "accessTokenUrl")
    if way.grant == AUTHORIZATION_CODE:
        needed += ("clientId", "authorizationUrl")
    missing = sorted({name for name in needed if not inputs.get(name)})
    if missing:
        raise AccountError(f"The account lacks what signing in needs; give: {', '.join(missing)}.")
