"""Accounts' ways to their partners: whoever calls a partner for an operator goes through here, whatever the call."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from headrace.connect.auth import Scheme, TokenSource, schemes
from headrace.connect.conversation import converse
from headrace.connect.keyring import Keyring
from headrace.connect.origins import Origins
from headrace.connect.secrets import Redactor
from headrace.connect.transport import Transport
from headrace.errors import HeadraceError
from headrace.model.http import Request, Response
from headrace.services import accounts, sealing
from headrace.services.catalog import Edition
from headrace.services.sealing import Safe
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.documents import Declared


@dataclass(frozen=True, slots=True)
class PartnerAccess:
    """
    One account's way to its partner: signs requests, and sends them to the origins that its destination names.

    ``pool`` is the account's own among the transport's connections. ``customer_data`` are the values of the operator's
    form, and ``given`` those of the account, opened both.
    """

    pool: str
    customer_data: Mapping[str, Any]
    given: Mapping[str, str]
    origins: Origins
    _scheme: Scheme
    _tokens: TokenSource | None
    _redactor: Redactor
    _transport: Transport
    _deadline: float

    async def send(self, request: Request) -> Response:
        """
        Send a request signed in, and return the partner's answer whatever its status. Errors tell no secret.

        Raises:
            AccountError: the account is not signed in, or the request is for another origin than it may go to.
            PartnerError: the partner was not reached, did not answer, or gave no token.
            AuthoringError: the request cannot be written as HTTP.
        """
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
            raise

    async def auth_data(self) -> dict[str, str]:
        """Return what templates see as ``authData``: what the operator gave, and the token of this moment."""
        if self._tokens is None:
            return dict(self.given)
        token = await self._tokens.token()
        return {**self.given, **{name: secret.reveal() for name, secret in token.fields.items()}}

    def unsigned(self) -> "PartnerAccess":
        """Return the same way without credentials, for requests that their author wants sent without."""
        return replace(self, given={}, _scheme=schemes.get("NONE")({}), _tokens=None)

    def redact(self, text: str) -> str:
        """Take the account's secrets out of a text that somebody may read."""
        return self._redactor.redact(text)


class Partners:
    """Makes the ways of accounts, as a transaction sees what they are made of."""

    def __init__(self, keyring: Keyring, transport: Transport, deadline: float) -> None:
        self._keyring = keyring
        self._transport = transport
        self._deadline = deadline

    def access(
        self, tx: Transaction, tenant: Tenant, edition: Edition, account: Declared | None, target: Declared | None
    ) -> PartnerAccess:
        """
        Return the way of an account to its partner, under an edition of the destination.

        ``target`` brings the customer data; without one there is none, as before anything is connected.

        Raises:
            AccountError: the credentials are not complete.
            OperationError: they cannot be opened.
        """
        safe = Safe(self._keyring, tenant)
        opened = accounts.credentials(safe, account)
        secrets, customer_data = [*opened.secrets], {}
        if target is not None:
            customer_data = sealing.opened(safe, target.id, target.document).get("params", {})
            secrets += sealing.secrets_of(safe, target.id, target.document)
        holder = account.id if account is not None else (target.id if target is not None else edition.id)
        return PartnerAccess(
            f"{tenant.tenant}:{holder}",
            customer_data,
            opened.auth_data,
            Origins(frozenset()),
            opened.scheme,
            None,
            Redactor(secrets),
            self._transport,
            self._deadline,
        )
