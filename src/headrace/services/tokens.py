"""
Tokens: kept sealed, renewed before they expire, and never by two at a time.

A partner may hand out a new refresh token with every access token and take two uses of the old one for theft, so there
is one request for a token at a time, whoever wants it: the tasks of a process share it, and a claim in the store keeps
other processes waiting until they can read the winner's.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.clock import Clock
from headrace.connect.auth import Granted, OAuthClient, SignInNeeded, Token, TokenRefused, TokenSource
from headrace.connect.keyring import Keyring
from headrace.connect.origins import Origins
from headrace.connect.secrets import Redactor, Secret
from headrace.connect.transport import NotSent
from headrace.crashpoints import crashpoint
from headrace.errors import HeadraceError, PartnerError
from headrace.events import AccountRecovered, AccountStopped, Announce, TokenRenewed, WorkerFailed
from headrace.model.http import Request, Response
from headrace.model.token import SECRET_NAMES
from headrace.services import revocations, standing
from headrace.services.presence import Moment
from headrace.services.reaching import HEADRACE, Errand, Reaching
from headrace.services.sealing import Safe
from headrace.services.standing import Holder
from headrace.store import sign_in_states
from headrace.store.access import Tenant
from headrace.store.database import Store, Transaction
from headrace.store.sign_in_states import REFUSED, REVOKED, SIGN_IN_NEEDED, SignInState

#: A token is renewed this long before it expires, in milliseconds, but never earlier than the last tenth of its life.
EARLY = 60_000
LAST_PART = 10
#: More new tokens in a minute than this are a partner that refuses each of them: the account rests.
MOST_A_MINUTE = 5
#: How often somebody who waits for another process looks whether it has the token, in seconds.
POLL = 0.1
#: What a claim to renew has over the deadline of the request, in seconds.
MARGIN = 5.0
#: How long a failed renewal is not tried again, in seconds, where the partner does not say.
PAUSE = 10.0
LONGEST_PAUSE = 300.0
#: How often it is looked for accounts that have rested long enough, in seconds.
LOOK = 5.0

#: Who asks for what nobody asked for.
_OURSELVES = "headrace"

Key = tuple[int, str]
#: Wakes the dataflows of a sandbox.
Wake = Callable[[int], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is known of a holder's token: for which credentials, the token if there is one, and when it is renewed."""

    issue: int
    generation: int
    token: Token | None
    renew_at: int | None

    def is_expired(self, now: int) -> bool:
        return self.token is None or (self.token.expires_at is not None and self.token.expires_at <= now)

    def is_due(self, now: int) -> bool:
        return self.token is None or (self.renew_at is not None and self.renew_at <= now)


@dataclass(frozen=True, slots=True)
class _Pause:
    """A renewal that failed and may pass: until when nobody tries again, and what everybody is told meanwhile."""

    until: int
    message: str


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for tokens: for whom, in what way, and with which of the credentials that there have been."""

    holder: Holder
    client: OAuthClient
    issue: int
    actor: str = HEADRACE


class Tokens:
    """The tokens of all holders in this process."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        keyring: Keyring,
        reaching: Reaching,
        announce: Announce,
        wake: Wake,
        *,
        deadline: float,
        moment: Moment | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keyring = keyring
        self._reaching = reaching
        self._announce = announce
        self._wake = wake
        self._deadline = deadline
        self._name = uuid.uuid4().hex
        self._known: dict[Key, _Kept] = {}
        self._secrets: dict[Key, tuple[Secret, ...]] = {}
        self._changes: dict[Key, int] = {}
        self._doubts: Counter[int] = Counter()
        self._moment: Moment = moment or (lambda _: clock.now())
        #: Whether this process would hear of it if another one changed credentials.
        self.trusts_itself = True
        self._renewing: dict[Key, asyncio.Task[Token]] = {}
        self._pauses: dict[Key, _Pause] = {}

    # -- for whoever calls partners ---------------------------------------------------------------------------------

    def source(self, holder: Holder, client: OAuthClient, issue: int, actor: str) -> TokenSource:
        """Return where the tokens of a holder come from, for as long as its credentials are those of ``issue``."""
        return _Source(self, Asking(holder, client, issue, actor))

    async def token(self, asking: Asking, refused: int | None = None) -> Token:
        """
        Return the token there is, renewed if its time has come, or a newer one than that of generation ``refused``.

        Raises:
            SignInNeeded: there is none, and none can be got without a person.
            PartnerError: the partner does not give one at this moment.
        """
        kept = self._known.get(asking.holder.key)
        if kept is None or kept.issue != asking.issue:
            kept = await self._read(asking)
        now = self._clock.now()
        is_refused = refused is not None and kept.generation <= refused
        if kept.token is not None and not is_refused and not kept.is_due(now):
            return kept.token
        try:
            return await self._renewed(asking, kept.generation)
        except PartnerError:
            if kept.token is None or is_refused or kept.is_expired(now):
                raise
            return kept.token  # It has not expired, and the partner may be well again before it does.

    def changes(self, holder: Holder) -> int:
        """Return a number that rises whenever a holder's credentials are, or may be, replaced or revoked."""
        if not self.trusts_itself:
            self.doubt(holder.tenant.tenant)
        return self._changes.get(holder.key, 0) + self._doubts[holder.tenant.tenant]

    def doubt(self, tenant: int) -> None:
        """Note that credentials of a sandbox may have been changed by another process: the store knows."""
        self._doubts[tenant] += 1

    def redact(self, holder: Holder, text: str) -> str:
        """Take the tokens of this moment, and those before them, out of a text that somebody may read."""
        return Redactor(self._secrets.get(holder.key, ())).redact(text)

    async def refuse_if_replaced(self, holder: Holder, issue: int) -> None:
        """
        Refuse to send with credentials that were replaced or revoked since somebody opened them.

        Raises:
            SignInNeeded: they were.
        """
        known = await self._store.read(lambda tx: standing.state_of(tx, holder))
        _refuse_unless_same(holder, known, issue)

    async def refuse(self, holder: Holder, issue: int, reason: str) -> None:
        """Let an account rest whose credentials the partner refuses, unless they were replaced meanwhile."""

        def work(tx: Transaction) -> bool:
            is_same = standing.state_of(tx, holder).issue == issue
            return is_same and standing.stop(tx, holder, REFUSED, reason, self._clock.now())

        if await self._store.write(work):
            self._announce(AccountStopped(account=holder.id, reason=reason))

    # -- what people and time change --------------------------------------------------------------------------------

    def forget(self, tenant: Tenant, holder: str) -> None:
        """Forget what is in memory of credentials that were replaced or deleted; whoever opened them asks the store."""
        key = (tenant.tenant, holder)
        self._changes[key] = self._changes.get(key, 0) + 1
        self._known.pop(key, None)
        self._pauses.pop(key, None)

    def revoke(self, tx: Transaction, holder: Holder, actor: str, now: int) -> None:
        """Let nobody use a holder's credentials any more, in the transaction of whoever decides it."""
        standing.revoke(tx, holder, actor, now)
        self.forget(holder.tenant, holder.id)

    async def sign_in(self, holder: Holder, granted: Granted, asked_at: int, actor: str) -> None:
        """Keep what the partner gave to somebody who signed in there; what waited for the account goes on."""
        sealed = self._sealed(holder, granted.fields)
        expires_at = _expiry(granted, asked_at)

        def work(tx: Transaction) -> list[int]:
            standing.sign_in(tx, holder, sealed, expires_at, actor, self._clock.now())
            self.forget(holder.tenant, holder.id)
            return standing.concerned(tx, holder)

        await self._go_on(holder, await self._store.write(work))

    async def keep_trying(self) -> None:
        """Until cancelled: let accounts that the partner refused be used again when they have rested."""
        while True:
            try:
                await self.try_again()
            except Exception as error:  # A fault of ours must not keep accounts resting for ever.
                self._announce(WorkerFailed(step="keep_trying", error=f"{type(error).__name__}: {error}"))
            await asyncio.sleep(LOOK)

    async def try_again(self) -> None:
        """Let accounts that rested for long enough be used again."""
        now = self._clock.now()
        if not await self._store.read(lambda tx: sign_in_states.refused_since(tx, now - standing.REST)):
            return

        def work(tx: Transaction) -> list[tuple[Holder, list[int]]]:
            return [(holder, standing.concerned(tx, holder)) for holder in standing.try_again(tx, now)]

        for holder, sandboxes in await self._store.write(work):
            await self._go_on(holder, sandboxes)

    async def ask(
        self,
        holder: Holder,
        client: OAuthClient,
        conversation: Generator[Request, Response, Granted],
        actor: str,
    ) -> Granted:
        """
        Hold a client's conversation with the partner; its requests go to the client's own addresses and nowhere else.

        Raises:
            SignInNeeded, PartnerError: it brought no token.
            UnboundOrigin: a request was for another origin.
        """
        origins, loop = Origins.of(client.addresses()), asyncio.get_running_loop()
        ends, pool = loop.time() + self._deadline, f"{holder.tenant.tenant}:{holder.id}:token"
        transport = self._reaching.transport_for(_errand(holder, actor))
        try:
            request = next(conversation)
            while True:
                origins.check(request.url)
                answer = await transport.send(request, deadline=ends - loop.time(), pool=pool)
                request = conversation.send(answer)
        except StopIteration as end:
            granted: Granted = end.value
            return granted
        finally:
            conversation.close()

    # -- inside -----------------------------------------------------------------------------------------------------

    async def _go_on(self, holder: Holder, sandboxes: list[int]) -> None:
        self._announce(AccountRecovered(account=holder.id))
        for number in sandboxes:
            await self._wake(number)

    async def _read(self, asking: Asking) -> _Kept:
        """Read what the store has, and keep it in memory for these credentials."""
        kept = self._opened(asking.holder, await self._state(asking))
        if kept.token is not None:
            self._known[asking.holder.key] = kept
        return kept

    async def _state(self, asking: Asking) -> SignInState:
        known = await self._store.read(lambda tx: standing.state_of(tx, asking.holder))
        _refuse_unless_same(asking.holder, known, asking.issue, needs_browser=asking.client.needs_browser)
        return known

    def _opened(self, holder: Holder, known: SignInState) -> _Kept:
        if known.sealed is None:
            return _Kept(known.issue, known.generation, None, None)
        fields = given_to(self._safe(holder), known)
        token = Token(fields["accessToken"], known.generation, known.expires_at, fields)
        self._hide(holder, fields)
        born = known.refreshed[-1] if known.refreshed else known.since
        return _Kept(known.issue, known.generation, token, _renewal(born, known.expires_at))

    def _hide(self, holder: Holder, fields: Mapping[str, Secret]) -> None:
        """Remember what must not be read in texts, of this token and of the one before it."""
        shown = tuple(secret for name, secret in fields.items() if name in SECRET_NAMES)
        before = self._secrets.get(holder.key, ())
        if not set(shown) <= set(before):
            self._secrets[holder.key] = (*before[-len(SECRET_NAMES) :], *shown)

    async def _renewed(self, asking: Asking, generation: int) -> Token:
        """Wait for the renewal that is under way, or begin it; it goes on when whoever waits gives up."""
        key = asking.holder.key
        task = self._renewing.get(key)
        if task is None or task.done():
            task = asyncio.create_task(self._renew(asking, generation))
            self._renewing[key] = task
            task.add_done_callback(_retrieved)
        return await asyncio.shield(task)

    async def _renew(self, asking: Asking, generation: int) -> Token:
        """Ask the partner, or wait for whoever is asking."""
        self._refuse_in_a_pause(asking.holder)
        now = asyncio.get_running_loop().time
        waits_until = now() + self._deadline + MARGIN
        while (claimed_at := await self._claimed(asking.holder, generation)) is None:
            kept = await self._read(asking)
            if kept.generation != generation and kept.token is not None:
                return kept.token
            generation = kept.generation
            if now() > waits_until:
                raise NotSent("Another process is asking the partner for a token, and has not got one in time.")
            await asyncio.sleep(POLL)
        return await self._ask_for_the_next(asking, claimed_at)

    async def _claimed(self, holder: Holder, generation: int) -> float | None:
        """Claim to be the one who asks, in the time that all processes share; return since when by our own clock."""
        lasts, began = int((self._deadline + MARGIN) * 1000), self._clock.monotonic()

        def work(tx: Transaction) -> bool:
            now = self._moment(tx)
            return sign_in_states.claim(tx, *holder.key, self._name, now, now + lasts, generation)

        return began if await self._store.write(work) else None

    async def _ask_for_the_next(self, asking: Asking, claimed_at: float) -> Token:
        """Ask the partner for the next token, holding the claim; every way out of here gives it back."""
        holder, client, asked_at = asking.holder, asking.client, self._clock.now()
        known: SignInState | None = None
        try:
            known = await self._state(asking)
            await self._rest_if_too_often(holder, known, asked_at)
            fields = _revealed(self._opened(holder, known))
            self._refuse_too_late(claimed_at)
            granted = await self.ask(holder, client, client.obtain(fields), asking.actor)
        except SignInNeeded as error:
            return await self._given_up(asking, known, error)
        except HeadraceError as error:
            await self._give_back(holder)
            raise self._paused(holder, error) from None
        crashpoint("after_token_answer")
        return await self._keep(asking, known, granted, asked_at)

    def _refuse_too_late(self, claimed_at: float) -> None:
        """Refuse to ask when the claim might end before the answer: another one would ask with the same token."""
        if self._clock.monotonic() - claimed_at > MARGIN:
            raise NotSent("This process was held up before it could ask for a token.")

    async def _keep(self, asking: Asking, known: SignInState, granted: Granted, asked_at: int) -> Token:
        key, generation = asking.holder.key, known.generation
        sealed, expires_at = self._sealed(asking.holder, granted.fields), _expiry(granted, asked_at)

        def work(tx: Transaction) -> bool:
            return sign_in_states.keep(tx, *key, self._name, generation, sealed, expires_at, asked_at)

        if await self._store.write(work):
            self._announce(TokenRenewed(account=asking.holder.id))
        else:
            await self._let_go(asking, granted)
        kept = await self._read(asking)
        assert kept.token is not None, "credentials of one issue do not lose their token"
        return kept.token

    async def _let_go(self, asking: Asking, granted: Granted) -> None:
        """Have the partner told of a token that came too late: its account was revoked or deleted meanwhile."""
        holder, revocation = asking.holder, asking.client.revocation(granted.fields)
        if revocation is None:
            return
        notice = revocations.seal(self._safe(holder), revocation)

        def work(tx: Transaction) -> None:
            known = sign_in_states.get(tx, *holder.key)
            if known is None or known.state == REVOKED:
                revocations.ask(tx, holder, notice, _OURSELVES, self._clock.now())

        await self._store.write(work)

    async def _given_up(self, asking: Asking, known: SignInState | None, error: SignInNeeded) -> Token:
        """Stop the account, for the refusal is final, unless somebody has a newer token by now."""
        holder = asking.holder

        def work(tx: Transaction) -> tuple[bool, bool]:
            sign_in_states.give_back(tx, *holder.key, self._name)
            now_known = standing.state_of(tx, holder)
            is_same = known is None or now_known.generation == known.generation
            is_ours = is_same and now_known.issue == asking.issue
            return is_same, is_ours and standing.stop(tx, holder, SIGN_IN_NEEDED, error.message, self._clock.now())

        is_same, is_stopped = await self._store.write(work)
        self._known.pop(holder.key, None)
        if is_stopped:
            self._announce(AccountStopped(account=holder.id, reason=error.message))
        if not is_same and (kept := await self._read(asking)).token is not None:
            return kept.token
        raise error

    async def _give_back(self, holder: Holder) -> None:
        await self._store.write(lambda tx: sign_in_states.give_back(tx, *holder.key, self._name))

    async def _rest_if_too_often(self, holder: Holder, known: SignInState, now: int) -> None:
        """Let an account rest whose every new token is refused at once."""
        lately = [moment for moment in known.refreshed if moment > now - 60_000]
        if len(lately) < MOST_A_MINUTE:
            return
        reason = f"it was given {len(lately)} new tokens within a minute, and each was refused or expired at once"
        await self.refuse(holder, known.issue, reason)
        raise SignInNeeded(f"The account rests: {reason}.")

    def _refuse_in_a_pause(self, holder: Holder) -> None:
        pause = self._pauses.get(holder.key)
        if pause is not None and self._clock.now() < pause.until:
            raise TokenRefused(pause.message, (pause.until - self._clock.now()) / 1000)

    def _paused(self, holder: Holder, error: HeadraceError) -> HeadraceError:
        """Remember a failure that may pass, so that not everybody who wants the token asks again at once."""
        if not isinstance(error, PartnerError):
            return error
        asked = error.after if isinstance(error, TokenRefused) else None
        after = min(asked if asked is not None else PAUSE, LONGEST_PAUSE)
        self._pauses[holder.key] = _Pause(self._clock.now() + int(after * 1000), error.message)
        return TokenRefused(error.message, after)

    def _safe(self, holder: Holder) -> Safe:
        return Safe(self._keyring, holder.tenant)

    def _sealed(self, holder: Holder, fields: Mapping[str, str]) -> dict[str, str]:
        return self._safe(holder).seal(holder.id, {f"token.{name}": value for name, value in fields.items()})


def given_to(safe: Safe, known: SignInState) -> dict[str, Secret]:
    """
    Return what the partner gave to a holder, opened, by its names in ``authData``.

    Raises:
        OperationError: it cannot be opened.
    """
    opened = safe.open(known.holder, known.sealed or {})
    return {name.removeprefix("token."): value for name, value in opened.items()}


class _Source:
    """The tokens of one holder, as a conversation asks for them."""

    def __init__(self, tokens: Tokens, asking: Asking) -> None:
        self._tokens = tokens
        self._asking = asking

    async def token(self, refused: Token | None = None) -> Token:
        return await self._tokens.token(self._asking, refused.generation if refused is not None else None)


def _errand(holder: Holder, actor: str) -> Errand:
    """Say what a token is asked for. Shared credentials are their author's, who is not told which operator asked."""
    if holder.is_shared:
        return Errand(holder.tenant.tenant, HEADRACE, "credentials", holder.id)
    return Errand(holder.tenant.tenant, actor, "account", holder.id)


def _refuse_unless_same(holder: Holder, known: SignInState, issue: int, *, needs_browser: bool = False) -> None:
    standing.refuse_unless_usable(holder, known, needs_browser=needs_browser)
    if known.issue != issue:
        raise SignInNeeded("The account's credentials were replaced while this waited; it goes on with the new ones.")


def _renewal(born: int, expires_at: int | None) -> int | None:
    return None if expires_at is None else expires_at - min(EARLY, max(expires_at - born, 0) // LAST_PART)


def _expiry(granted: Granted, asked_at: int) -> int | None:
    return None if granted.expires_in is None else asked_at + int(granted.expires_in * 1000)


def _revealed(kept: _Kept) -> dict[str, str]:
    return {name: value.reveal() for name, value in kept.token.fields.items()} if kept.token is not None else {}


def _retrieved(task: asyncio.Task[Token]) -> None:
    """Take note of a failed task's error, which nobody may have waited for."""
    if not task.cancelled():
        task.exception()
