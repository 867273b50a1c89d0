"""Accounts' ways to their partners: whoever calls a partner for an operator goes through here, whatever the call."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from headrace.connect.auth import Scheme, Token, TokenSource, schemes
from headrace.connect.conversation import converse
from headrace.connect.keyring import Keyring
from headrace.connect.origins import Origins
from headrace.connect.secrets import Redactor, Secret
from headrace.connect.transport import Transport
from headrace.errors import HeadraceError
from headrace.model.http import Request, Response
from headrace.services import sealing, signing_secrets, standing
from headrace.services.bound import origins_of
from headrace.services.catalog import Edition
from headrace.services.reaching import HEADRACE, Errand, Reaching
from headrace.services.sealing import Safe
from headrace.services.signing import Signing, Signings
from headrace.services.standing import Holder
from headrace.services.tokens import Tokens
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.documents import Declared


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials as they were when they were opened, so that it shows when they are replaced or revoked."""

    holder: Holder
    tokens: Tokens
    issue: int
    changes: int

    async def refuse_if_replaced(self) -> None:
        """
        Refuse to send with them once they are others. The store is asked only when something has changed.

        Raises:
            SignInNeeded: they were replaced or revoked.
        """
        if self.tokens.changes(self.holder) != self.changes:
            await self.tokens.refuse_if_replaced(self.holder, self.issue)

    def redact(self, text: str) -> str:
        """Take out of a text what the partner gave for them."""
        return self.tokens.redact(self.holder, text)

    async def refuse(self, reason: str) -> None:
        """Let the account rest, which the partner refuses."""
        await self.tokens.refuse(self.holder, self.issue, reason)


@dataclass(frozen=True, slots=True)
class PartnerAccess:
    """
    One account's way to its partner: signs requests, and sends them to the origins that its destination names.

    ``pool`` is the account's own among the transport's connections. ``customer_data`` are the values of the operator's
    form, and ``given`` those of the account, opened both. Without ``credentials`` there is nothing to sign in with.
    ``signing_secrets`` are what messages are signed with.
    """

    pool: str
    customer_data: Mapping[str, Any]
    given: Mapping[str, str]
    origins: Origins
    credentials: Credentials | None
    signing_secrets: tuple[Secret, ...]
    _scheme: Scheme
    _tokens: TokenSource | None
    _redactor: Redactor
    _transport: Transport
    _deadline: float

    async def send(self, request: Request) -> Response:
        """
        Send a request signed in, and return the partner's answer whatever its status. Errors tell no secret.

        Raises:
            SignInNeeded: the account is not signed in, or no longer.
            UnboundOrigin: the request is for another origin than it may go to.
            AccountError: the account cannot be used.
            PartnerError: the partner was not reached, did not answer, or gave no token.
            AuthoringError: the request cannot be written as HTTP.
        """
        if self.credentials is not None:
            self.origins.check(request.url)
            await self.credentials.refuse_if_replaced()
        try:
            return await converse(
                self._scheme,
                request,
                self._transport,
                deadline=self._deadline,
                pool=self.pool,
                tokens=self._tokens,
            )
        except HeadraceError as error:
            error.message = self.redact(error.message)
            error.args = (error.message,)  # What ``str`` and a traceback show.
            raise

    async def auth_data(self) -> dict[str, str]:
        """Return what templates see as ``authData``: what the operator gave, and the token of this moment."""
        return self.auth_data_with(await self.token())

    def auth_data_with(self, token: Token | None) -> dict[str, str]:
        """Return what templates see as ``authData`` with a token."""
        fields = token.fields if token is not None else {}
        return {**self.given, **{name: secret.reveal() for name, secret in fields.items()}}

    async def token(self) -> Token | None:
        """
        Return the token of this moment; ``None`` where signing in needs none.

        Raises:
            SignInNeeded: there is none, and somebody has to sign in.
            PartnerError: the partner gives none at this moment.
        """
        return await self._tokens.token() if self._tokens is not None else None

    async def renew(self, refused: int) -> None:
        """Get another token than that of a generation, which the partner refused. Raises as ``token``."""
        if self._tokens is not None:
            await self._tokens.token(Token(Secret(""), refused))

    def unsigned(self) -> "PartnerAccess":
        """Return the same way without credentials, for requests that their author wants sent without."""
        return replace(self, given={}, _scheme=schemes.get("NONE")({}), _tokens=None, credentials=None)

    def redact(self, text: str) -> str:
        """Take the account's secrets out of a text that somebody may read."""
        text = self._redactor.redact(text)
        return self.credentials.redact(text) if self.credentials is not None else text


class Partners:
    """Makes the ways of accounts, as a transaction sees what they are made of."""

    def __init__(
        self,
        keyring: Keyring,
        reaching: Reaching,
        tokens: Tokens,
        deadline: float,
        *,
        password_grant: bool = False,
    ) -> None:
        self._keyring = keyring
        self._reaching = reaching
        self._tokens = tokens
        self._deadline = deadline
        self._signings = Signings(keyring, password_grant=password_grant)

    def signing(self, tenant: Tenant, edition: Edition, account: Declared | None) -> Signing:
        """Open what an account signs in with, whether or not it is signed in. Raises as ``access``."""
        return self._signings.of(tenant, edition, account)

    def access(
        self,
        tx: Transaction,
        tenant: Tenant,
        edition: Edition,
        account: Declared | None,
        target: Declared | None,
        actor: str = HEADRACE,
        *,
        own: str | None = None,
    ) -> PartnerAccess:
        """
        Return the way of an account to its partner, under an edition of the destination.

        ``target`` brings the customer data; without one there is none, as before anything is connected. ``actor`` is
        whoever wants the partner to be called. ``own`` are the author's credentials, which sign in the account's place.

        Raises:
            SignInNeeded: the account is not signed in; the message says what to do.
            AccountError: the credentials are not complete.
            OperationError: they cannot be opened.
        """
        safe = Safe(self._keyring, tenant)
        signing = self._signings.of(tenant, edition, account, own)
        credentials, source = self._credentials(tx, signing, actor)
        for_messages = signing_secrets.opened(safe, account)
        secrets, customer_data = [*signing.secrets, *for_messages], {}
        if target is not None:
            customer_data = sealing.opened(safe, target.id, target.document).get("params", {})
            secrets += sealing.secrets_of(safe, target.id, target.document)
        errand = _errand(tenant, actor, edition, account, target)
        return PartnerAccess(
            f"{tenant.tenant}:{errand.id}",
            customer_data,
            signing.given,
            origins_of(edition, customer_data, signing.given, signing.client.addresses() if signing.client else ()),
            credentials,
            for_messages,
            signing.scheme,
            source,
            Redactor(secrets),
            self._reaching.transport_for(errand),
            self._deadline,
        )

    def to_one_address(self, holder: Holder, url: str, secrets: Iterable[Secret]) -> PartnerAccess:
        """Return a way to one address of a holder's partner, which signs nothing: the holder may be gone."""
        return PartnerAccess(
            f"{holder.tenant.tenant}:{holder.id}:token",
            {},
            {},
            Origins.of([url]),
            None,
            (),
            schemes.get("NONE")({}),
            None,
            Redactor(secrets),
            self._reaching.transport_for(Errand(holder.tenant.tenant, HEADRACE, "account", holder.id)),
            self._deadline,
        )

    def _credentials(
        self, tx: Transaction, signing: Signing, actor: str
    ) -> tuple[Credentials | None, TokenSource | None]:
        """Return the credentials as they are now, and where their tokens come from if they have any."""
        holder, client = signing.holder, signing.client
        if holder is None:
            return None, None
        changes, known = self._tokens.changes(holder), standing.state_of(tx, holder)
        needs_browser = client is not None and client.needs_browser
        standing.refuse_unless_usable(holder, known, needs_browser=needs_browser)
        source = self._tokens.source(holder, client, known.issue, actor) if client is not None else None
        return Credentials(holder, self._tokens, known.issue, changes), source


def _errand(tenant: Tenant, actor: str, edition: Edition, account: Declared | None, target: Declared | None) -> Errand:
    named = (("account", account), ("target-connection", target))
    noun, id_ = next(((noun, item.id) for noun, item in named if item is not None), ("destination", edition.id))
    return Errand(tenant.tenant, actor, noun, id_)
