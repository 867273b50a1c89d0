"""
Ending an account's credentials: revoked or deleted, nothing is sent with them from the moment that this is confirmed.

That neither waits for the partner nor depends on it. Where the destination says how, the partner is told afterwards, by
a run that is asked for in the same transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from headrace.clock import Clock
from headrace.connect.auth import Revocation
from headrace.connect.keyring import Keyring
from headrace.errors import AccountError, HeadraceError
from headrace.services import accounts, declared, revocations, standing
from headrace.services.accounts import ACCOUNT
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog, Edition, destination_of
from headrace.services.partners import Partners
from headrace.services.sealing import Safe
from headrace.services.standing import Holder
from headrace.services.tokens import Tokens, given_to
from headrace.store import documents
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared
from headrace.store.sign_in_states import SignInState

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Known:
    """How an account stands, and what its partner is to be told when that ends, or why it cannot be told."""

    state: SignInState
    revocation: Revocation | None = None
    fault: str | None = None

    def is_still_so(self, now: SignInState) -> bool:
        return (now.issue, now.generation) == (self.state.issue, self.state.generation)


@dataclass(frozen=True, slots=True)
class Revoking:
    """Revokes and deletes accounts."""

    store: Store
    clock: Clock
    keyring: Keyring
    partners: Partners
    tokens: Tokens

    async def revoke(self, caller: Caller, id_: str) -> Declared:
        """
        Let nobody use an account's credentials any more; what the partner gave for them is forgotten.

        What waits in its dataflows waits on, until the account is given new credentials.

        Raises:
            NotFound: it is not in this sandbox.
        """

        def work(tx: Transaction, now: int) -> Declared:
            account = declared.existing(tx, caller, ACCOUNT, id_)
            self.tokens.revoke(tx, Holder(caller.tenant, id_), caller.actor, now)
            return account

        return await self._end(caller, id_, work)

    async def delete(self, caller: Caller, id_: str, if_match: str | None = None) -> None:
        """
        Delete an account that nothing uses, its credentials and what the partner gave it.

        Raises:
            NotFound: it is not in this sandbox.
            StaleVersion: it was changed since it was read.
            InUse: connections use it; it says which.
        """
        await self._end(caller, id_, lambda tx, now: accounts.remove_account(tx, caller, id_, now, if_match))
        self.tokens.forget(caller.tenant, id_)

    async def _end(self, caller: Caller, id_: str, work: Callable[[Transaction, int], T]) -> T:
        """Do what ends an account's credentials, and have its partner told."""
        while (done := await self._try_to_end(caller, id_, work)) is None:
            pass
        return done[0]

    async def _try_to_end(self, caller: Caller, id_: str, work: Callable[[Transaction, int], T]) -> tuple[T] | None:
        """
        Do it, unless the account has another token by now than the one that was sealed for its partner.

        That is sealed before: to seal may need a new key, which the store cannot keep inside of other work.
        """
        holder, now = Holder(caller.tenant, id_), self.clock.now()
        known = await self.store.read(lambda tx: self._look(tx, holder))
        notice = revocations.seal(self._safe(holder), known.revocation) if known.revocation is not None else None

        def end(tx: Transaction) -> tuple[T] | None:
            if not known.is_still_so(standing.state_of(tx, holder)):
                return None
            done = work(tx, now)
            if notice is not None:
                revocations.ask(tx, holder, notice, caller.actor, now)
            elif known.fault is not None:
                revocations.note(tx, caller.number, id_, caller.actor, now, known.fault)
            return (done,)

        return await self.store.write(end)

    def _look(self, tx: Transaction, holder: Holder) -> _Known:
        """See how an account stands. Whatever is wrong with its configuration does not keep it from being ended."""
        known = standing.state_of(tx, holder)
        account = documents.get(tx, holder.tenant.tenant, ACCOUNT, holder.id)
        if known.sealed is None or account is None:
            return _Known(known)
        try:
            return _Known(known, self._revocation(tx, holder, account, known))
        except HeadraceError as error:
            return _Known(known, fault=error.message)

    def _revocation(self, tx: Transaction, holder: Holder, account: Declared, known: SignInState) -> Revocation | None:
        edition = _edition_of(tx, holder, account)
        if edition is None:
            raise AccountError("The destination of this account is not offered any more, so that nobody knows how.")
        signing = self.partners.signing(holder.tenant, edition, account)
        if signing.client is None or signing.holder != holder:
            return None
        fields = given_to(self._safe(holder), known)
        return signing.client.revocation({name: secret.reveal() for name, secret in fields.items()})

    def _safe(self, holder: Holder) -> Safe:
        return Safe(self.keyring, holder.tenant)


def _edition_of(tx: Transaction, holder: Holder, account: Declared) -> Edition | None:
    """Return the edition to which the operator agreed where the account is used, else the one that is offered."""
    catalog, targets = Catalog(tx, holder.tenant), documents.all_of(tx, holder.tenant.tenant, accounts.TARGET)
    newest = next((item for item in reversed(targets) if item.document.get("baseConnectionId") == account.id), None)
    return catalog.in_force(newest) if newest is not None else catalog.offered(destination_of(account))
