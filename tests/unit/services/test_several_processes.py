"""Several processes on one PostgreSQL: who is there, whose claims are whose, and what they tell each other."""

import asyncio
import contextlib
import subprocess
import sys
import threading
from datetime import timedelta
from random import Random

import pytest

from headrace.connect.retry import RetryPolicy
from headrace.connect.transport import NotSent
from headrace.model.message import Settled
from headrace.model.outcome import Delivered
from headrace.services.hearing import Hearing
from headrace.services.presence import SILENCE, Presence
from headrace.store import executors, workers
from unit.services.house import STEPS, House, SteppedOutbox, person

PEOPLE = [person(number, "a") for number in range(1, 41)]


class Neighbour(House):
    """A house that shares its database, its partner and its time with another."""

    def __init__(self, directory, address, first=None):
        super().__init__(directory, first.partner if first else None, address)
        if first is not None:
            self.clock.at = first.clock.at
            for handed in ("clock", "servers", "destinations", "flows"):
                setattr(self, handed, getattr(first, handed))
            self.live._clock = first.clock

    async def enter(self, **more):
        """Say that it is there, as a process does that begins, and open the outbox."""
        self.presence = Presence(self.store, self.clock, self.events.append, **more)
        self.presence.moment = lambda _: self.clock.now()
        await self.presence.begin()
        policy = RetryPolicy(tuple(timedelta(seconds=step) for step in STEPS), jitter=0)
        self.outbox = await SteppedOutbox.open(
            self.store,
            self.clock,
            self.live,
            self.events.append,
            policy,
            Random(1),
            lease=60,
            deadline=30,
            presence=self.presence,
        )

    async def claim(self):
        """Claim what there is, and go no further."""
        self.outbox._closed = False
        return [group for group, _ in await self.outbox._claim(self.slots)]


@pytest.fixture
def address(postgres):
    with postgres.lent() as address:
        yield address


@pytest.fixture
def first(tmp_path, address):
    house = Neighbour(tmp_path, address)
    yield house
    house.close()


@pytest.fixture
def second(tmp_path, address, first):
    house = Neighbour(tmp_path, address, first)
    yield house
    house.close()


async def begin(*houses):
    """Let a dataflow have something waiting that all houses know of."""
    first = houses[0]
    await first.activate("a", most=1)
    await first.ingest(*PEOPLE)
    for house in houses:
        await house.enter()


def row(house, presence):
    return next(worker for worker in house.store.read_now(workers.everyone) if worker.epoch == presence.epoch)


def told(house):
    return sorted(who for who, _, _ in house.partner.told())


# -- delivering beside each other ---------------------------------------------------------------------------------


async def test_two_that_deliver_beside_each_other_tell_everything_once(first, second):
    await begin(first, second)

    await asyncio.gather(first.run(), second.run())

    assert told(first) == sorted(str(number) for number in range(1, 41))
    assert await first.balance() == {"accepted": 40, "delivered": 40, "messages": 40}
    assert first.announced()["MessageDelivered"] > 0
    assert second.announced()["MessageDelivered"] > 0


async def test_what_one_has_claimed_the_other_leaves_alone(first, second):
    await begin(first, second)
    claimed = await first.claim()

    await second.run()

    mine = {who for group in claimed for who in [str(group.entries[0].profile)]}
    assert len(mine) == 4
    assert len(told(first)) == 36


async def test_the_numbers_of_groups_are_never_those_of_another(first, second):
    await begin(first, second)

    numbers = [group.number for group in await first.claim() + await second.claim()]

    assert len(set(numbers)) == 8


# -- who is gone --------------------------------------------------------------------------------------------------


async def test_who_is_silent_is_gone_and_what_it_had_claimed_is_free_at_once(first, second):
    await begin(first, second)
    claimed = await first.claim()
    first.pass_time(SILENCE - 1)
    await second.presence.beat()
    await second.presence.beat()
    assert second.announced()["ProcessGone"] == 0

    first.pass_time(2)
    await second.presence.beat()
    second.outbox._maybe.add((1, 1))
    await second.run()

    assert second.announced()["ProcessGone"] == 1
    assert len(told(first)) == 40
    assert not any([await first.outbox.holds(group) for group in claimed])


async def test_the_late_answer_of_who_was_held_for_gone_changes_nothing(first, second):
    await begin(first, second)
    claimed = await first.claim()
    assert all([await first.outbox.holds(group) for group in claimed])
    first.pass_time(SILENCE + 1)
    await second.presence.beat()
    await second.presence.beat()
    await second.ingest(*[person(number, a=False, minute=1) for number in range(1, 41)])
    second.outbox._maybe.add((1, 1))
    await second.run()
    before = await first.balance()

    for group in claimed:
        await first.outbox.settle(group, [Settled(entry, Delivered(), "late", None) for entry in group.entries])

    assert await first.balance() == before
    assert first.rows("SELECT 1 FROM groups") == []


async def test_who_was_held_for_gone_and_is_not_is_there_again(first, second):
    await begin(first, second)
    first.pass_time(SILENCE + 1)
    await second.presence.beat()
    await second.presence.beat()
    assert len(first.store.read_now(workers.everyone)) == 1

    await first.presence.beat()
    await first.run()

    assert [worker.epoch for worker in first.store.read_now(workers.everyone)] == [1, 2]
    assert len(told(first)) == 40


async def test_who_was_away_itself_holds_nobody_for_gone(first, second):
    await begin(first, second)
    first.pass_time(SILENCE * 3)

    await second.presence.beat()

    assert len(first.store.read_now(workers.everyone)) == 2


async def test_a_process_that_this_machine_knows_to_have_ended_is_gone_at_once(first, second):
    await begin(first, second)
    claimed = await first.claim()
    with _stopped() as process:
        pass
    move(first, process)

    await second.presence.beat()
    second.outbox._maybe.add((1, 1))
    await second.run()

    assert len(claimed) == 4
    assert len(told(first)) == 40


async def test_who_is_stopped_is_not_gone_before_its_time(first, second):
    await begin(first, second)
    with _stopped() as process:
        move(first, process)
        await second.presence.beat()

    assert len(first.store.read_now(workers.everyone)) == 2


def move(house, process):
    """Say that the first process has another number."""
    house.store.write_now(lambda tx: tx.run("UPDATE workers SET process = :p WHERE epoch = 1", {"p": process}))


async def test_who_was_kept_with_all_others_holds_nobody_for_gone(first, second):
    """One that stopped while it wrote kept both from saying that they are there, and the server cut it off."""
    await begin(first, second)
    busy, go_on = threading.Event(), threading.Event()

    def stop(_):
        busy.set()
        assert go_on.wait(30)

    writing = asyncio.ensure_future(first.store.write(stop))
    await asyncio.to_thread(busy.wait)
    beats = [asyncio.ensure_future(house.presence.beat()) for house in (second, first)]
    await asyncio.sleep(0.05)
    first.pass_time(SILENCE + 1)
    go_on.set()
    await asyncio.gather(writing, *beats)

    assert len(first.store.read_now(workers.everyone)) == 2


@contextlib.contextmanager
def _stopped():
    """A process that is stopped, and has ended afterwards."""
    process = subprocess.Popen([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


async def test_the_runs_of_who_is_gone_are_free_at_once(first, second):
    await first.enter(executor="run-carrier")
    first.store.write_now(lambda tx: executors.beat(tx, "run-carrier"))
    await second.enter()
    first.pass_time(SILENCE + 1)

    await second.presence.beat()
    await second.presence.beat()

    assert first.rows("SELECT 1 FROM executors") == []


async def test_claims_of_a_headrace_that_knew_no_workers_are_free_when_the_next_begins(first, second):
    await begin(first)
    await first.claim()
    first.store.write_now(lambda tx: tx.run("DELETE FROM workers"))

    await second.enter()
    await second.run()

    assert len(told(first)) == 40


async def test_one_alone_is_the_first_and_the_next_follows(first, second):
    await begin(first, second)
    await second.presence.beat()
    assert (first.presence.is_first, second.presence.is_first) == (True, False)

    await first.presence.end()
    await second.presence.beat()

    assert second.presence.is_first


async def test_who_does_not_deliver_is_never_the_first(first, second):
    await first.enter(delivers=False)
    await second.enter()

    assert (first.presence.is_first, second.presence.is_first) == (False, True)


# -- how long a claim is ours -------------------------------------------------------------------------------------


async def test_nothing_is_sent_for_as_long_as_nobody_hears_of_us(first, second):
    """The claim lasts; but others may be about to take us for gone."""
    await begin(first, second)
    (group, *_) = await first.claim()
    first.pass_time(SILENCE)
    seen = row(first, first.presence).seen_at

    assert await first.outbox.holds(group)

    assert row(first, first.presence).seen_at == seen + int(SILENCE * 1000)


async def test_a_claim_that_is_about_to_end_is_renewed_or_lost(first, second):
    await begin(first, second)
    mine, lost, *_ = await first.claim()
    first.pass_time(40)
    first.store.write_now(
        lambda tx: tx.run("UPDATE groups SET epoch = 2 WHERE claim_group = :number", {"number": lost.number})
    )

    assert await first.outbox.holds(mine)
    assert not await first.outbox.holds(lost)
    ((until,),) = first.rows("SELECT lease_until FROM groups WHERE claim_group = :number", number=mine.number)
    assert until == first.clock.now() + 60_000


async def test_a_clock_that_is_set_back_does_not_make_a_lease_longer(first, second):
    await begin(first, second)
    (group, *_) = await first.claim()
    monotonic = first.clock.monotonic() + 61
    first.store.write_now(lambda tx: tx.run("UPDATE groups SET epoch = 2"))
    first.clock.monotonic = lambda: monotonic
    first.presence._beaten_at = monotonic
    first.clock.at -= 3_600_000

    assert not await first.outbox.holds(group)


# -- stopping -----------------------------------------------------------------------------------------------------


async def test_what_was_never_sent_is_given_back_and_no_attempt_is_counted(first, second):
    await begin(first, second)
    sent, *others = await first.claim()
    assert await first.outbox.holds(sent)
    first.outbox.close()

    assert not any([await first.outbox.holds(group) for group in others])
    assert await first.outbox.holds(sent), "what has begun to leave goes on"
    await first.outbox.release()
    again = await second.claim()

    assert {(group.number, group.attempt) for group in others} == {
        (group.number, group.attempt) for group in again if group.number in {other.number for other in others}
    }
    assert sent.number not in {group.number for group in again}


async def test_what_was_under_way_when_a_process_ended_is_free_at_once_and_counted(first, second):
    await begin(first, second)
    (group, *_) = await first.claim()
    await first.outbox.holds(group)
    first.outbox.close()
    await first.outbox.release()
    await first.presence.end()

    again = {found.number: found.attempt for found in await second.claim()}

    assert again[group.number] == 2


# -- telling each other -------------------------------------------------------------------------------------------


async def eventually(look):
    async with asyncio.timeout(30):
        while not look():  # noqa: ASYNC110 - what is waited for is what the product does, which tells nobody
            await asyncio.sleep(0.01)


@pytest.fixture
async def hearing(second):
    """The other house listens."""
    second.tokens.trusts_itself = False
    heard = Hearing(second.store, second.events.append, second.tokens, second._wake)
    task = asyncio.create_task(heard.keep_listening())
    await eventually(lambda: second.tokens.trusts_itself)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.usefixtures("hearing")
async def test_what_one_takes_in_wakes_the_other(first, second):
    await first.activate("a")
    second.woken.clear()

    await first.ingest(person(1, "a"))

    await eventually(lambda: (1, [1]) in second.woken)


@pytest.mark.usefixtures("hearing")
async def test_credentials_that_may_have_changed_elsewhere_are_asked_for(first, second):
    before = second.tokens._doubts[1]

    await first.activate("a")

    await eventually(lambda: second.tokens._doubts[1] > before)


@pytest.mark.usefixtures("hearing")
async def test_who_cannot_hear_does_not_trust_its_memory_and_listens_again(first, second, postgres, address):
    await first.activate("a")
    second.woken.clear()
    await asyncio.to_thread(postgres.disconnect, address)

    await eventually(lambda: not second.tokens.trusts_itself)
    await eventually(lambda: second.tokens.trusts_itself)

    assert second.announced()["WorkerFailed"] <= 1
    await eventually(lambda: (1, [1]) in second.woken)


async def test_what_nobody_told_of_is_found_by_looking(first, second):
    await begin(first, second)
    await second.run()
    await first.ingest(person(50, "a"))
    await second.run()
    assert "50" not in told(first)

    first.pass_time(5)
    await second.run()

    assert len(told(first)) == 41


# -- tokens -------------------------------------------------------------------------------------------------------


async def test_who_was_held_up_before_it_could_ask_for_a_token_does_not(first):
    began = first.clock.monotonic()
    first.tokens._refuse_too_late(began)
    first.pass_time(6)

    with pytest.raises(NotSent, match="held up"):
        first.tokens._refuse_too_late(began)
