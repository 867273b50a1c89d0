"""Whoever fails to sign in must wait, longer every time, and learns nothing from it."""

import asyncio

import pytest

from headrace.errors import TooManyTries, Unauthorized
from headrace.services import sign_in
from headrace.store import failures
from unit.services.gate import PASSWORD, refusal

WAITS = [30, 60, 120, 240, 480, 900, 900]


async def tries(gate, kind):
    """Return how to fail, and how to succeed, as a client or a user who is there or is not."""
    if kind == "client":
        client, secret = await gate.client()
        return lambda: gate.token(client.client_id, "hrs-wrong"), lambda: gate.token(client.client_id, secret)
    if kind == "user":
        user = await gate.user()
        return lambda: gate.sign_in(user.email, "wrong"), lambda: gate.sign_in(user.email)
    if kind == "nobody's client id":
        return lambda: gate.token("hr-nobody", "hrs-wrong"), None
    return lambda: gate.sign_in("nobody@example.com", "wrong"), None


KINDS = ["client", "user", "nobody's client id", "nobody's e-mail"]


@pytest.mark.parametrize("kind", KINDS)
async def test_five_failures_are_free_and_then_each_costs_more(gate, kind):
    fail, _ = await tries(gate, kind)

    for _ in range(5):
        assert (await refusal(fail()))[0] is Unauthorized
    for seconds in WAITS:
        with pytest.raises(TooManyTries) as refused:
            await fail()
        assert refused.value.seconds == seconds
        gate.pass_seconds(seconds - 0.5)
        assert (await refusal(fail()))[0] is TooManyTries, "half a second too early"
        gate.pass_seconds(0.5)
        assert (await refusal(fail()))[0] is Unauthorized


@pytest.mark.parametrize("kind", ["client", "user"])
async def test_what_is_right_has_to_wait_too_and_then_makes_everything_good(gate, kind):
    fail, succeed = await tries(gate, kind)
    for _ in range(5):
        await refusal(fail())
    assert (await refusal(succeed()))[0] is TooManyTries
    gate.pass_seconds(30)

    await succeed()

    for _ in range(5):
        assert (await refusal(fail()))[0] is Unauthorized


@pytest.mark.parametrize("kind", ["client", "user"])
async def test_failures_that_are_not_in_a_row_cost_nothing(gate, kind):
    fail, succeed = await tries(gate, kind)

    for _ in range(4):
        for _ in range(4):
            assert (await refusal(fail()))[0] is Unauthorized
        await succeed()


@pytest.mark.parametrize(("known", "unknown"), [KINDS[::2], KINDS[1::2]], ids=["clients", "users"])
async def test_who_is_there_is_refused_in_the_same_words_as_who_is_not(gate, known, unknown):
    told = []
    for kind in (known, unknown):
        fail, _ = await tries(gate, kind)
        told.append([await refusal(fail()) for _ in range(8)])

    assert told[0] == told[1]


async def test_of_guesses_that_come_at_once_no_more_are_looked_at(gate):
    user = await gate.user()

    told = await asyncio.gather(*(refusal(gate.sign_in(user.email, f"guess {n}")) for n in range(40)))

    assert sum(kind is Unauthorized for kind, _ in told) == 5
    assert (await refusal(gate.sign_in(user.email)))[0] is TooManyTries


async def test_guesses_that_are_seen_to_be_wrong_in_another_order_count_no_less(gate, monkeypatch):
    user, others_are_done = await gate.user(), asyncio.Event()

    async def verify(_, password):
        if password == "first":
            await others_are_done.wait()
        return False

    monkeypatch.setattr(gate.passwords, "verify", verify)
    first = asyncio.create_task(refusal(gate.sign_in(user.email, "first")))
    await asyncio.sleep(0)
    for _ in range(4):
        await refusal(gate.sign_in(user.email, "another"))
    others_are_done.set()
    await first

    assert (await refusal(gate.sign_in(user.email)))[0] is TooManyTries


async def test_a_day_of_guessing_is_about_a_hundred_guesses(gate):
    client, _ = await gate.client()
    end, looked_at = gate.clock.now() + 24 * 60 * 60 * 1000, 0

    while gate.clock.now() < end:
        try:
            await gate.token(client.client_id, "hrs-guess")
        except TooManyTries as error:
            gate.pass_seconds(error.seconds)
        except Unauthorized:
            looked_at += 1

    assert looked_at < 110


async def test_after_a_day_without_a_failure_counting_starts_anew(gate):
    fail, _ = await tries(gate, "client")
    for _ in range(5):
        await refusal(fail())
    gate.pass_seconds(24 * 60 * 60)

    for _ in range(5):
        assert (await refusal(fail()))[0] is Unauthorized


async def test_an_e_mail_is_one_subject_however_it_is_written(gate):
    for email in ("A@example.com", "a@example.com", "a@EXAMPLE.com", "A@Example.Com", "a@example.com"):
        await refusal(gate.sign_in(email, "wrong"))

    assert (await refusal(gate.sign_in("a@example.com", "wrong")))[0] is TooManyTries


async def test_subjects_that_are_not_there_take_no_more_room_than_is_set_and_let_nobody_go(gate, monkeypatch):
    monkeypatch.setattr(failures, "MOST", 20)
    client, _ = await gate.client()
    for _ in range(5):
        await refusal(gate.token(client.client_id, "hrs-wrong"))

    for number in range(60):
        await refusal(gate.token(f"hr-{number}", "hrs-wrong"))

    count = gate.store.read_now(lambda tx: tx.run("SELECT count(*) FROM sign_in_failures").fetchone()[0])
    assert count <= 20
    assert (await refusal(gate.token(client.client_id, "hrs-wrong")))[0] is TooManyTries


async def test_what_somebody_typed_as_their_name_is_not_kept(gate):
    """It may have been a password."""
    await refusal(gate.sign_in("hunter2@example.com", "wrong"))
    await refusal(gate.token("hunter2", "wrong"))

    rows = gate.store.read_now(lambda tx: tx.run("SELECT * FROM sign_in_failures").fetchall())
    assert len(rows) == 2
    assert "hunter2" not in str(rows)


@pytest.mark.parametrize("kind", ["client", "user"])
async def test_a_lock_out_is_in_the_audit(gate, kind):
    fail, _ = await tries(gate, kind)
    before = len(gate.audit())

    for _ in range(7):
        await refusal(fail())

    (entry,) = gate.audit()[: len(gate.audit()) - before]
    assert (entry.action, entry.noun, entry.details) == ("lock-out", kind, {"failures": 5, "seconds": 30})
    assert entry.actor == f"{kind}:{entry.id}"


async def test_whether_there_is_such_a_user_changes_nothing_in_what_is_done(gate, monkeypatch):
    """One write, one hash, one write: so it takes as long."""
    user = await gate.user()
    done = []
    write, verify = gate.store.write, gate.passwords._verify

    async def counted_write(work):
        done.append("write")
        return await write(work)

    def counted_verify(password_hash, password):
        done.append("hash")
        return verify(password_hash, password)

    monkeypatch.setattr(gate.store, "write", counted_write)
    monkeypatch.setattr(gate.passwords, "_verify", counted_verify)

    for email in (user.email, "nobody@example.com"):
        done.clear()
        with pytest.raises(Unauthorized):
            await sign_in.check(gate.store, gate.clock, gate.passwords, email, PASSWORD + "!")
        assert done == ["write", "hash", "write"]
