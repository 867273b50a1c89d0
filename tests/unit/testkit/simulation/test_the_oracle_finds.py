"""The oracle finds what is broken on purpose: each promise, broken in one place of the engine, within a few seeds."""

import itertools
from dataclasses import replace

from headrace.connect.transport import Unanswered
from headrace.model.outcome import Delivered
from headrace.render import destination
from headrace.services import consenting, erasing, live
from headrace.store import ledger, outbox
from headrace.store.outbox import Recorded, accepting
from headrace.testkit.simulation import simulate

MOST = 60


def found(promise):
    """Look for a broken promise in one seed after the other."""
    return any(line.startswith(promise) for seed in range(MOST) for line in simulate(seed).broken)


def every(nth):
    """Say yes every so many times."""
    counter = itertools.count(1)
    return lambda: next(counter) % nth == 0


def test_a_change_that_is_lost(monkeypatch):
    real, now_and_then = outbox.accept, every(20)

    def accept(tx, tenant, batch, now, *more):
        return real(tx, tenant, batch[:-1] if batch and now_and_then() else batch, now, *more)

    monkeypatch.setattr(outbox, "accept", accept)

    assert found("I1")


def test_a_guess_that_what_was_not_answered_arrived(monkeypatch):
    real = live.explain
    monkeypatch.setattr(live, "explain", lambda error: Delivered() if isinstance(error, Unanswered) else real(error))

    assert found("I1")


def test_books_that_do_not_add_up(monkeypatch):
    real = ledger.post

    def post(tx, tenant, tally, now):
        real(tx, tenant, ledger.Tally({key: n for key, n in tally.items() if key[2] != "superseded"}), now)

    monkeypatch.setattr(ledger, "post", post)

    assert found("I1")


def test_a_lane_that_has_two_messages_under_way(monkeypatch):
    held = "WHEN lanes.claim_group IS NOT NULL THEN NULL"
    assert held in accepting._UPSERT_LANE
    monkeypatch.setattr(accepting, "_UPSERT_LANE", accepting._UPSERT_LANE.replace(held, "WHEN 1 = 0 THEN NULL"))

    assert found("I3") or found("I1")


def test_a_delivery_that_is_told_and_not_recorded(monkeypatch):
    real, now_and_then = outbox.settle, every(10)

    def settle(tx, concluded, now):
        if now_and_then() and all(one.is_delivered for one in concluded):
            return [Recorded() for _ in concluded]
        return real(tx, concluded, now)

    monkeypatch.setattr(outbox, "settle", settle)

    assert found("I4")


def test_consent_that_is_not_looked_at(monkeypatch):
    monkeypatch.setattr(consenting, "cleared", lambda tx, flow, group, now: consenting.Cleared(group))
    monkeypatch.setattr(consenting, "objection", lambda consents, newer: None)

    assert found("I5")


def test_a_message_that_says_what_never_was(monkeypatch):
    real, now_and_then = live.PartnerRoute.compose, every(20)

    async def compose(self, group):
        if now_and_then():
            wrong = [replace(one, document=one.document.replace(b"realized", b"existing")) for one in group.entries]
            group = replace(group, entries=tuple(wrong))
        return await real(self, group)

    monkeypatch.setattr(live.PartnerRoute, "compose", compose)

    assert found("I2")


def test_a_receipt_that_says_what_is_not_so(monkeypatch):
    monkeypatch.setattr(erasing, "_with_left", lambda tx, tenant, receipt, left: receipt)

    assert any(line.startswith("I5") for line in simulate(1168).broken)


def test_an_id_that_does_not_follow_what_is_no_news(monkeypatch):
    monkeypatch.setattr(destination, "_written", lambda target: b"")

    assert found("I2")


def test_a_repeat_that_nobody_can_recognise(monkeypatch):
    counter = itertools.count()
    monkeypatch.setattr(destination, "message_id", lambda *_: f"message {next(counter)}")

    assert found("I4")
