"""Revoking an account: from the moment that this is confirmed, nothing is sent with its credentials any more."""

from headrace.clock import Clock
from headrace.services import declared
from headrace.services.accounts import ACCOUNT
from headrace.services.caller import Caller
from headrace.services.standing import Holder
from headrace.services.tokens import Tokens
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared


async def revoke(store: Store, clock: Clock, tokens: Tokens, caller: Caller, id_: str) -> Declared:
    """
    Let nobody use an account's credentials any more; what the partner gave for them is forgotten.

    What waits in its dataflows waits on, until the account is given new credentials.

    Raises:
        NotFound: it is not in this sandbox.
    """
    now = clock.now()

    def work(tx: Transaction) -> Declared:
        account = declared.existing(tx, caller, ACCOUNT, id_)
        tokens.revoke(tx, Holder(caller.tenant, id_), caller.actor, now)
        return account

    return await store.write(work)
