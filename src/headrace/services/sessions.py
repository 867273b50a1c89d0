"""Sessions: a user signs in once, and a secret in the browser stands for them until they leave or stay away."""

from contextlib import suppress
from dataclasses import dataclass

from headrace.clock import Clock
from headrace.errors import NotFound, Unauthorized
from headrace.model.access import SignIn
from headrace.model.reading import read
from headrace.services import keys, sign_in
from headrace.services.access import USE_IS_NOTED_EVERY
from headrace.services.caller import Principal
from headrace.services.grants import of_user
from headrace.services.passwords import Passwords
from headrace.store import access, audit, sessions, users
from headrace.store.access import Tenant
from headrace.store.database import Store, StoreUnavailable, Transaction
from headrace.store.sessions import Session
from headrace.store.users import EVERYWHERE, User

IDLE = 12 * 60 * 60 * 1000
ABSOLUTE = 7 * 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user with their session: which sandboxes they see, with their roles in each."""

    user: User
    principal: Principal
    sandboxes: tuple[tuple[Tenant, tuple[str, ...]], ...]


async def begin(store: Store, clock: Clock, passwords: Passwords, document: object) -> tuple[str, SignedIn]:
    """
    Sign a user in and return the secret of a session that is new every time.

    Raises:
        ConfigurationError: what was sent is not an e-mail address and a password.
        Unauthorized: they are not right.
        TooManyTries: there were too many failures in a row.
    """
    given, _ = read(SignIn, document)
    checked = await sign_in.check(store, clock, passwords, given.email, given.password.get_secret_value())
    secret, now = keys.new_session_secret(), clock.now()
    session = Session(keys.hash_of(secret), checked.number, now, now, now + ABSOLUTE)

    def work(tx: Transaction) -> SignedIn:
        user = users.find_by_number(tx, checked.number)
        if user is None or user.disabled_at is not None or user.version != checked.version:
            raise Unauthorized("the user was changed meanwhile; sign in again")
        sessions.forget_ended(tx, now, now - IDLE)
        sessions.add(tx, session)
        audit.note_in_organization(tx, user.organization, sign_in.actor_of(user), "sign-in", "user", user.id, now)
        return _signed_in(tx, user, session)

    return secret, await store.write(work)


async def principal_of_session(store: Store, clock: Clock, secret: str) -> Principal:
    """
    Return the user whose session a secret is. Nothing is remembered: whatever changed counts at once.

    Raises:
        Unauthorized: there is no such session, or it has ended.
    """
    now, session_hash = clock.now(), keys.hash_of(secret)

    def work(tx: Transaction) -> tuple[Session, Principal]:
        session = _open(tx, session_hash, now)
        user = users.find_by_number(tx, session.user)
        if user is None or user.disabled_at is not None:
            raise Unauthorized("the session has ended; sign in again")
        return session, _principal(tx, user, session)

    session, principal = await store.read(work)
    unless_since = now - USE_IS_NOTED_EVERY
    if session.seen_at < unless_since:
        with suppress(StoreUnavailable):
            await store.write(lambda tx: sessions.note_use(tx, session_hash, now, unless_since))
    return principal


async def current(store: Store, principal: Principal) -> SignedIn:
    """
    Return the session that somebody asks through.

    Raises:
        NotFound: they are an API client and have none.
    """

    def work(tx: Transaction) -> SignedIn:
        session = sessions.find(tx, principal.session) if principal.session is not None else None
        user = users.find_by_number(tx, session.user) if session is not None else None
        if session is None or user is None:
            raise NotFound("there is no session; an API client signs in with its token")
        return _signed_in(tx, user, session)

    return await store.read(work)


async def end(store: Store, clock: Clock, principal: Principal) -> None:
    """
    End the session that somebody asks through.

    Raises:
        NotFound: they are an API client and have none.
    """
    signed_in, now = await current(store, principal), clock.now()

    def work(tx: Transaction) -> None:
        user = signed_in.user
        sessions.end(tx, str(principal.session))
        audit.note_in_organization(tx, user.organization, principal.actor, "sign-out", "user", user.id, now)

    await store.write(work)


def _open(tx: Transaction, session_hash: str, now: int) -> Session:
    session = sessions.find(tx, session_hash)
    if session is None or session.expires_at <= now or session.seen_at + IDLE <= now:
        raise Unauthorized("the session has ended; sign in again")
    return session


def _principal(tx: Transaction, user: User, session: Session) -> Principal:
    organization = access.organization_of(tx, user.organization)
    return Principal(sign_in.actor_of(user), organization, of_user(user), session.session_hash)


def _signed_in(tx: Transaction, user: User, session: Session) -> SignedIn:
    principal = _principal(tx, user, session)
    seen = [tenant for tenant in access.tenants_of(tx, user.organization) if principal.grants.reaches(tenant.tenant)]
    return SignedIn(user, principal, tuple((tenant, _roles_at(user, tenant)) for tenant in seen))


def _roles_at(user: User, tenant: Tenant) -> tuple[str, ...]:
    return tuple(sorted({role for where, role in user.roles if where in (EVERYWHERE, tenant.tenant)}))
