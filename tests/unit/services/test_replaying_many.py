"""Very many parked changes at once: replayed within bounds, and each counted."""

import resource
from collections import deque

import orjson
import pytest

from headrace.model.profile import encode
from headrace.services.backfilling import MOST_WAITING
from headrace.services.replaying import STEP
from headrace.store import ledger, profiles
from headrace.store.profiles import Kept
from unit.services.house import person

MANY = 100_000
#: Megabytes that a replay may take, whatever is parked.
MOST_MEMORY = 128


def lay_aside(tx, tenant, audience, count):
    """Have a change of so many people parked, as if each had been refused."""
    profiles.insert(
        tx, tenant, (Kept(n, f"crmId:{n}", encode(person(n, "a", city="Lisbon")), n) for n in range(1, count + 1))
    )
    row = (
        "INSERT INTO parked (tenant, dataflow, parked, profile, audience, seq, parked_at, attempts, code, reason)"
        " VALUES (:tenant, 1, :n, :n, :audience, :n, 0, 1, 'status-400', 'the partner answered 400')"
    )
    tx.many(row, ({"tenant": tenant, "n": n, "audience": audience} for n in range(1, count + 1)))
    ledger.post(tx, tenant, ledger.Tally({(1, audience, "accepted"): count, (1, audience, "parked"): count}), 0)
    profiles.next_sequence(tx, tenant, count)


@pytest.mark.campaign
async def test_a_hundred_thousand_are_replayed_within_bounded_memory(house):
    await house.activate("a", most=100)
    ((audience,),) = house.rows("SELECT audience FROM audiences")
    await house.open()
    house.store.write_now(lambda tx: lay_aside(tx, house.caller.number, audience, MANY))
    house.partner.messages = deque(maxlen=10)
    told = 0

    def count(request):
        nonlocal told
        told += len(orjson.loads(request.body)["people"])
        return 200

    house.partner.default = count
    asked = await house.ask()
    before, most_waiting = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    while await house.replayer.step():
        while await house.replayer.step():
            pass
        ((waiting,),) = house.rows("SELECT count(*) FROM lanes WHERE due IS NOT NULL")
        most_waiting = max(most_waiting, waiting)
        await house.run()
        house.events.clear()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert asked.changes == told == MANY
    assert most_waiting <= MOST_WAITING + STEP
    assert (after - before) / 1024 < MOST_MEMORY
    balance = await house.balance()
    assert (balance["accepted"], balance["delivered"]) == (MANY, MANY)
    assert "parked" not in balance
