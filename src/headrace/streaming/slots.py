"""
Slots: how many requests may be under way for one account, so that a hanging partner holds only its own.

A group is claimed a little before its request can leave, so that a fast partner never waits for the store: as many as
the account's requests will carry in ``AHEAD`` seconds at the pace of the last ones. With a partner that hangs that is
no more than the requests themselves.

How many requests that are, the partner's answers say (``concurrency.py``). One that asks to be left alone is, with all
dataflows of the account, and so is one that keeps failing (``breaker.py``); what was claimed already goes back.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Literal

from headrace.model.outcome import HELD_BACK, Outcome, Retry
from headrace.streaming.breaker import FIRST_INTERVAL, Breaker
from headrace.streaming.concurrency import Concurrency
from headrace.streaming.pressure import Heard, heard

#: How far ahead of its requests an account's groups are claimed, in seconds and in groups for each request.
AHEAD = 0.1
MOST_AHEAD = 32
_MEMORY = 0.8
#: The longest that one answer keeps a whole account waiting; its own changes wait as long as it asks for.
LONGEST_PAUSE = 3600.0
#: Seconds that an account waits whose partner has too much to do with one request and does not say for how long; the
#: next in a row are twice as long each.
FIRST_PAUSE = 1.0
LONGEST_OWN_PAUSE = 60.0
#: For how long after such an answer nothing is claimed ahead, and the account counts as slowed.
CAREFUL = 10.0


@dataclass(frozen=True, slots=True)
class Turn:
    """How an account goes from now on. ``slowed`` and ``down`` are told again when that lasts, with the next wait."""

    account: str
    kind: Literal["slowed", "down", "back"]
    seconds: float = 0.0
    reason: str = ""
    is_first: bool = True


class _Account:
    """The requests and the claimed groups of one account. ``pace`` is the seconds a request takes, slowly forgotten."""

    __slots__ = (
        "breaker",
        "careful_until",
        "concurrency",
        "held",
        "is_slowed",
        "name",
        "pace",
        "pauses",
        "reason",
        "shut_until",
        "under_way",
        "waiting",
    )

    def __init__(self, name: str, each: int, probe_after: float) -> None:
        self.name = name
        self.concurrency = Concurrency(each)
        self.breaker = Breaker(probe_after)
        self.under_way = 0
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.held = 0
        self.pace = AHEAD
        self.shut_until = self.careful_until = 0.0
        self.pauses = 0
        self.is_slowed = False
        self.reason = ""

    def wait(self, now: float) -> float:
        """Say for how many seconds nothing may leave."""
        return max(self.shut_until - now, self.breaker.wait(now), 0.0)

    async def enter(self) -> None:
        """Wait, in the order of coming, until a request may be under way."""
        if self.under_way < self.concurrency.limit and not self.waiting:
            self.under_way += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()  # The place was given to somebody who is gone.
            raise

    def leave(self) -> None:
        """Give a request's place to those who wait."""
        self.under_way -= 1
        while self.waiting and self.under_way < self.concurrency.limit:
            turn = self.waiting.popleft()
            if not turn.done():
                self.under_way += 1
                turn.set_result(None)


class Slots:
    """The free places of every account. ``freed`` is set whenever one is given back, or an account goes otherwise."""

    def __init__(
        self, each: int, monotonic: Callable[[], float] = time.monotonic, probe_after: float = FIRST_INTERVAL
    ) -> None:
        self.freed = asyncio.Event()
        self.turns: list[Turn] = []
        self._each = each
        self._monotonic = monotonic
        self._probe_after = probe_after
        self._accounts: dict[str, _Account] = {}

    def free(self, account: str) -> int:
        """Return how many more groups may be claimed for an account: of one that keeps failing, a probe at its time."""
        known = self._accounts.get(account)
        if known is None:
            return Concurrency(self._each).limit
        now = self._monotonic()
        if known.wait(now) > 0:
            return 0
        if known.breaker.is_open:
            return 1 - known.held
        ahead = 1.0 if now < known.careful_until else min(max(AHEAD / max(known.pace, 1e-6), 1.0), MOST_AHEAD)
        return int(known.concurrency.limit * ahead) - known.held

    def wait(self, account: str) -> float:
        """Return for how many seconds nothing is to be claimed for an account, whatever is free."""
        known = self._accounts.get(account)
        return 0.0 if known is None else known.wait(self._monotonic())

    def is_down(self, account: str) -> bool:
        """Say whether what may be claimed for an account is a probe."""
        known = self._accounts.get(account)
        return known is not None and known.breaker.is_open

    def held(self, account: str) -> int:
        """Return how many groups of an account are claimed here."""
        known = self._accounts.get(account)
        return 0 if known is None else known.held

    def unsent(self, account: str) -> int:
        """Return how many groups of an account are claimed whose request is not under way."""
        known = self._accounts.get(account)
        return 0 if known is None else known.held - known.under_way

    def take(self, account: str) -> None:
        """Hold a place for a claimed group."""
        self._of(account).held += 1

    def returner(self, account: str) -> Callable[[Any], None]:
        """Return the function that gives a group's place back, for the end of its task."""
        known = self._of(account)

        def give_back(_task: object) -> None:
            known.held -= 1
            self.freed.set()

        return give_back

    def request(self, account: str) -> "Place":
        """Return the place of one request of an account; to enter it waits until the request may leave."""
        return Place(self, self._of(account), self._monotonic)

    def take_turns(self) -> list[Turn]:
        """Return what has changed with accounts since it was last asked."""
        turns, self.turns = self.turns, []
        return turns

    def turn(self, known: _Account, turn: Turn) -> None:
        known.reason = turn.reason
        self.turns.append(turn)
        self.freed.set()

    def names(self) -> list[str]:
        """Return the accounts of which something is remembered."""
        return [*self._accounts]

    def forget(self, account: str) -> bool:
        """Forget what was learned of an account that is gone, once nothing of it is here; say whether nothing is."""
        known = self._accounts.get(account)
        if known is not None and (known.held or known.under_way or known.waiting):
            return False
        self._accounts.pop(account, None)
        return True

    def under_way(self) -> dict[str, int]:
        """Return how many requests of each account are under way at this moment."""
        return {account: known.under_way for account, known in self._accounts.items()}

    def _of(self, account: str) -> _Account:
        known = self._accounts.get(account)
        if known is None:
            known = self._accounts[account] = _Account(account, self._each, self._probe_after)
        return known


class Place:
    """
    The place of one request among those of its account.

    ``closed``, once it is entered, says why the request is not to leave after all: its account is left alone. What is
    answered is told to ``heard``, which learns from it.
    """

    __slots__ = ("_account", "_began", "_is_probe", "_monotonic", "_slots", "closed")

    def __init__(self, slots: Slots, account: _Account, monotonic: Callable[[], float]) -> None:
        self._slots = slots
        self._account = account
        self._monotonic = monotonic
        self._began = 0.0
        self._is_probe = False
        self.closed: Retry | None = None

    async def __aenter__(self) -> "Place":
        account = self._account
        await account.enter()
        self._began = now = self._monotonic()
        wait = account.wait(now)
        if wait <= 0:
            self._is_probe = account.breaker.is_open and account.breaker.probes(now)
        else:
            self.closed = Retry(HELD_BACK, account.reason, wait, counts=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_probe:
            self._account.breaker.drop_probe()
        self._account.leave()

    def begins_now(self) -> None:
        """Measure the request from this moment on, for what it waited for until now was not the partner."""
        self._began = self._monotonic()

    def heard(self, answer: Outcome | tuple[Outcome, ...]) -> Outcome | tuple[Outcome, ...]:
        """
        Learn from an answer, and return it; of a probe of which the partner certainly took nothing, whatever it was, as
        one that uses up no attempt.
        """
        said = heard(answer)
        if said is None:
            return answer
        now, is_probe, self._is_probe = self._monotonic(), self._is_probe, False
        if not said.fails:
            self._succeeded(now)
            return answer
        self._failed(said, now, is_probe=is_probe)
        return _uncounted(answer, self._account.wait(now)) if is_probe and said.took_nothing else answer

    def _succeeded(self, now: float) -> None:
        account = self._account
        account.pace = _MEMORY * account.pace + (1 - _MEMORY) * (now - self._began)
        if account.breaker.succeeded():
            account.concurrency.begin_anew(now)
            account.is_slowed, account.pauses, account.shut_until = False, 0, 0.0
            self._slots.turn(account, Turn(account.name, "back"))
            return
        account.concurrency.answered(self._began, now, account.under_way)
        if account.pauses and self._began >= account.shut_until:
            account.pauses = 0
        if account.is_slowed and now >= account.careful_until:
            account.is_slowed = False
            self._slots.turn(account, Turn(account.name, "back", is_first=False))

    def _failed(self, said: Heard, now: float, *, is_probe: bool) -> None:
        account = self._account
        account.pace = max(account.pace, _MEMORY * account.pace + (1 - _MEMORY) * (now - self._began))
        if said.is_pressed:
            self._pressed(said, now)
        opened = account.breaker.failed(now, is_probe=is_probe)
        if opened or is_probe:
            wait = account.wait(now)
            self._slots.turn(account, Turn(account.name, "down", wait, said.reason, is_first=opened))

    def _pressed(self, said: Heard, now: float) -> None:
        account = self._account
        was_least = account.concurrency.limit == 1
        cut = account.concurrency.pressed(self._began, now, account.under_way, is_plain=said.is_plain)
        account.careful_until = now + CAREFUL
        pause = min(said.asked, LONGEST_PAUSE) if said.asked is not None else 0.0
        if pause == 0.0 and cut and was_least:
            pause = min(FIRST_PAUSE * 2**account.pauses, LONGEST_OWN_PAUSE)
            account.pauses = min(account.pauses + 1, 10)
        if now + pause <= account.shut_until or (pause == 0.0 and (account.is_slowed or not cut)):
            return
        account.shut_until = now + pause
        account.careful_until = account.shut_until + CAREFUL
        is_first, account.is_slowed = not account.is_slowed, True
        if not account.breaker.is_open:
            self._slots.turn(account, Turn(account.name, "slowed", pause, said.reason, is_first=is_first))


def _uncounted(answer: Outcome | tuple[Outcome, ...], wait: float) -> Outcome | tuple[Outcome, ...]:
    """Let what served as a probe keep its attempts, and wait for others to take its turn."""
    if isinstance(answer, tuple):
        return tuple(_uncounted_one(outcome, wait) for outcome in answer)
    return _uncounted_one(answer, wait)


def _uncounted_one(outcome: Outcome, wait: float) -> Outcome:
    if not isinstance(outcome, Retry):
        return outcome
    return replace(outcome, counts=False, is_probe=True, after=max(wait, outcome.after or 0.0))
