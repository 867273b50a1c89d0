"""
Signing in at the partner's own page: the operator's browser goes there and comes back with a code for a token.

Whoever comes back must be who left. ``state`` is 256 random bits, counts once and for ten minutes, and names the
account; PKCE ties the code to it. A sign-in that was begun in a browser's session ends in that browser only, by a
cookie that only it has, so that nobody can be led to sign *their* partner account in for somebody else. One that a
client of the API began has no browser to be tied to: whoever is given its address signs in for that client's account.
"""

import secrets
from dataclasses import dataclass

from headrace.clock import Clock
from headrace.connect.auth import OAuthClient, pkce
from headrace.connect.keyring import Keyring
from headrace.connect.origins import Origins, UnboundOrigin
from headrace.errors import AccountError, Conflict, HeadraceError, RequestError
from headrace.events import Announce, SignInFailed
from headrace.services import declared, keys, standing
from headrace.services.accounts import ACCOUNT
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog, destination_of
from headrace.services.catalog import tenant_of as sandbox_of
from headrace.services.partners import Partners
from headrace.services.sealing import Safe
from headrace.services.standing import Holder
from headrace.services.tokens import Tokens
from headrace.store import begun_sign_ins, documents
from headrace.store.access import Tenant
from headrace.store.begun_sign_ins import BegunSignIn
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared

#: Where partners send browsers back to.
CALLBACK = "/data/core/activation/oauth/api/v1/callback"
#: How long somebody may take at the partner's page, in milliseconds.
LIFE = 10 * 60_000

_VERIFIER, _REDIRECT = "begun.verifier", "begun.redirectUri"
_AGAIN = "Go back to where you came from, and begin again."


class NotCompleted(RequestError):
    """The sign-in at the partner was not completed."""

    code = "sign-in-not-completed"


@dataclass(frozen=True, slots=True)
class Departure:
    """A sign-in that begins: the partner's page, until when, and what the browser keeps, if it began in one."""

    url: str
    expires_at: int
    cookie: str
    browser: str | None


@dataclass(frozen=True, slots=True)
class Return:
    """What a browser brings back from the partner, none of it to be believed."""

    state: str | None = None
    code: str | None = None
    error: str | None = None
    issuer: str | None = None


async def begin(
    store: Store,
    clock: Clock,
    keyring: Keyring,
    partners: Partners,
    caller: Caller,
    id_: str,
    redirect_uri: str,
) -> Departure:
    """
    Begin to sign an account in at its partner's page.

    Raises:
        NotFound: the account is not in this sandbox.
        Conflict: this account signs in without a page.
        AccountError: it is not complete.
    """

    def look(tx: Transaction) -> OAuthClient | None:
        return _client(tx, partners, caller.tenant, declared.existing(tx, caller, ACCOUNT, id_))

    client = await store.read(look)
    if client is None or not client.needs_browser:
        raise Conflict("this account signs in by itself, without a page of the partner; there is nothing to open")
    state, (verifier, challenge) = secrets.token_urlsafe(32), pkce()
    browser = secrets.token_urlsafe(32) if caller.actor.startswith("user:") else None
    now, name = clock.now(), keys.hash_of(state)
    begun = BegunSignIn(
        name,
        caller.number,
        id_,
        caller.actor,
        keys.hash_of(browser) if browser is not None else None,
        Safe(keyring, caller.tenant).seal(name, {_VERIFIER: verifier, _REDIRECT: redirect_uri}),
        now,
        now + LIFE,
    )
    await store.write(lambda tx: begun_sign_ins.add(tx, begun))
    url = client.authorization_url(redirect_uri=redirect_uri, state=state, challenge=challenge)
    return Departure(url, begun.expires_at, cookie_of(state), browser)


def cookie_of(state: str) -> str:
    """Name the cookie by which a browser shows that it began the sign-in of a ``state``."""
    return f"headrace_sign_in_{keys.hash_of(state)[:16]}"


class Completion:
    """Completes sign-ins whose browser has come back."""

    def __init__(
        self, store: Store, clock: Clock, keyring: Keyring, partners: Partners, tokens: Tokens, announce: Announce
    ) -> None:
        self._store = store
        self._clock = clock
        self._keyring = keyring
        self._partners = partners
        self._tokens = tokens
        self._announce = announce

    async def complete(self, back: Return, browser: str | None) -> None:
        """
        Exchange the code for a token and keep it; what waited for the account goes on.

        Raises:
            NotCompleted: it was not begun here, or not by this browser, or the partner did not sign anybody in. The
                message is for whoever sits in front of the browser and holds no word of the partner's.
        """
        begun = await self._begun(back, browser)
        try:
            await self._exchange(begun, back)
        except NotCompleted as error:
            await self._note_failure(begun, error.message)
            raise
        except HeadraceError as error:
            await self._note_failure(begun, error.message)
            message = f"The partner gave no token for the sign-in ({error.code}); Headrace's log says more. {_AGAIN}"
            raise NotCompleted(message) from None

    async def _note_failure(self, begun: BegunSignIn, reason: str) -> None:
        self._announce(SignInFailed(account=begun.account, reason=reason))
        now = self._clock.now()

        def work(tx: Transaction) -> None:
            if documents.get(tx, begun.tenant, ACCOUNT, begun.account) is not None:
                standing.note_failure(tx, Holder(sandbox_of(tx, begun.tenant), begun.account), reason, now)

        await self._store.write(work)

    async def _begun(self, back: Return, browser: str | None) -> BegunSignIn:
        if not back.state:
            raise NotCompleted(f"The address has no `state`, so this is not the end of a sign-in. {_AGAIN}")
        hashed, now = keys.hash_of(back.state), self._clock.now()
        begun = await self._store.write(lambda tx: begun_sign_ins.take(tx, hashed, now))
        if begun is None:
            raise NotCompleted(f"This sign-in has ended already, took longer than ten minutes, or is unknown. {_AGAIN}")
        if begun.browser_hash is not None and not keys.is_same(keys.hash_of(browser or ""), begun.browser_hash):
            raise NotCompleted(f"This sign-in was begun in another browser, and nobody was signed in. {_AGAIN}")
        return begun

    async def _exchange(self, begun: BegunSignIn, back: Return) -> None:
        tenant, client = await self._store.read(lambda tx: self._client_of(tx, begun))
        if back.issuer is not None:
            _refuse_other_issuer(client, back.issuer)
        if back.error is not None:
            said = "access was denied" if back.error == "access_denied" else "it answered with an error"
            raise NotCompleted(f"The partner did not sign you in: {said}. {_AGAIN}")
        if not back.code:
            raise NotCompleted(f"The partner sent no code. {_AGAIN}")
        opened = Safe(self._keyring, tenant).open(begun.state_hash, begun.sealed)
        verifier, redirect_uri = opened[_VERIFIER].reveal(), opened[_REDIRECT].reveal()
        holder, asked_at = Holder(tenant, begun.account), self._clock.now()
        conversation = client.exchange(code=back.code, redirect_uri=redirect_uri, verifier=verifier)
        granted = await self._tokens.ask(holder, client, conversation, begun.actor)
        await self._tokens.sign_in(holder, granted, asked_at, begun.actor)

    def _client_of(self, tx: Transaction, begun: BegunSignIn) -> tuple[Tenant, OAuthClient]:
        tenant = sandbox_of(tx, begun.tenant)
        account = documents.get(tx, begun.tenant, ACCOUNT, begun.account)
        client = _client(tx, self._partners, tenant, account) if account is not None else None
        if client is None:
            raise NotCompleted("The account that this was for is not there any more, or signs in differently by now.")
        return tenant, client


def _client(tx: Transaction, partners: Partners, tenant: Tenant, account: Declared) -> OAuthClient | None:
    edition = Catalog(tx, tenant).offered(destination_of(account))
    if edition is None:
        raise AccountError("The destination of this account is not offered any more.")
    return partners.signing(tenant, edition, account).client


def _refuse_other_issuer(client: OAuthClient, issuer: str) -> None:
    """Refuse an answer of another server than the one that was asked (RFC 9207): its code is not for this partner."""
    pages = (client.authorization_url(redirect_uri="", state="", challenge=""), *client.addresses())
    try:
        Origins.of(pages).check(issuer)
    except UnboundOrigin:
        raise NotCompleted(f"The answer comes from another server than the partner's. {_AGAIN}") from None
