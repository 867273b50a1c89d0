"""A person who was erased is found nowhere: in no row, and in no byte of the data directory."""

from dataclasses import replace

import orjson
import pytest
from sqlalchemy import select

from headrace.connect.transport import Unanswered
from headrace.store import evaluations, runs
from headrace.store.erasing import REMOVED
from headrace.store.evaluations import Evaluation
from headrace.store.tables import metadata
from unit.services.house import person

#: What only this person has; each in a place of its own.
CANARIES = {
    "crm": "canary-crm-0815",
    "email": "canary.person@example.com",
    "attribute": "Canary Lane 77 in Canaryville",
    "older attribute": "Canary Street 12, where the canary lived before",
}


def canary(*, minute, address="attribute", **more):
    return person(CANARIES["crm"], "a", minute=minute, email=[CANARIES["email"]], city=CANARIES[address], **more)


def others(first, *, minute, size=40):
    return [person(n, "a", minute=minute, city="x" * (n % size)) for n in range(first, first + 60)]


def found_in_rows(house):
    """Return the tables of which a row has a canary, with the canary."""

    def work(tx):
        return {
            (table.name, name)
            for table in metadata.tables.values()
            for row in tx.core.execute(select(table))
            for name, text in CANARIES.items()
            if text.encode() in b"|".join(_bytes(value) for value in row)
        }

    return house.store.read_now(work)


def _bytes(value):
    return (
        value
        if isinstance(value, bytes)
        else orjson.dumps(value)
        if isinstance(value, dict | list)
        else str(value).encode()
    )


def found_in_files(directory):
    """Return the files of which some byte is a canary's, with the canary."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {
        (path.name, name) for path in files for name, text in CANARIES.items() if text.encode() in path.read_bytes()
    }


async def lives(house):
    """Let the canary live: known, changed, refused, laid aside, waited with, and named by who sends."""
    await house.activate("a", name="taken")
    await house.activate("a", name="refused", body='{"people": []}')
    await house.open()
    for round_ in range(6):
        await house.ingest(*others(60 * round_, minute=round_, size=30 + 7 * round_))
        which = "older attribute" if round_ < 4 else "attribute"
        house.partner.answers = [200, 400, 503, Unanswered("no answer")][round_ % 4 :][:1]
        await house.ingest(canary(minute=round_, address=which, note="y" * (200 * (round_ % 3))))
        await house.run()
    await house.run_out()
    await house.ingest(*others(0, minute=30, size=90), canary(minute=30))
    body = orjson.dumps(canary(minute=31))
    await house.ingestion.take(house.caller, body, lines=True, key=f"request-{CANARIES['crm']}")


@pytest.mark.parametrize(
    "whose", [{"key": f"crmId:{CANARIES['crm']}"}, {"namespace": "Email", "id": CANARIES["email"]}]
)
async def test_a_canary_that_was_erased_is_found_nowhere(house, tmp_path, whose):
    await lives(house)
    row = {"line": 1, "code": "x", "reason": f"the address {CANARIES['attribute']!r} is none"}
    progress = {"done": 1, "rejects": [{**row, "file": "a"}]}
    house.store.write_now(lambda tx: runs.ask(tx, 1, "rest", {}, "client:a", 0, due_at=1 << 60, progress=progress))
    said = Evaluation(1, 1, 1, "run", "asked", "all", "failed", 0, reason=f"no number: {CANARIES['email']}")
    house.store.write_now(lambda tx: evaluations.add(tx, 1, replace(said, rejects=({"file": "query", **row},))))
    assert {name for _, name in found_in_rows(house)} >= {"crm", "email", "attribute"}

    id_ = await house.erase(**whose)
    await house.run_out()
    state, receipts = await house.receipts(id_)
    while state != "done":
        house.pass_time(4000)
        await house.run_out()
        state, receipts = await house.receipts(id_)

    assert receipts["taken"] == "told"
    kept = house.store.read_now(lambda tx: evaluations.get(tx, 1, 1, 1))
    assert kept.reason == REMOVED
    assert kept.rejects == ({"file": "query", **row, "reason": REMOVED},)
    assert found_in_rows(house) == set()
    assert found_in_files(tmp_path) == set()


async def test_the_partner_that_is_away_is_all_that_still_knows_them(house):
    await lives(house)
    house.partner.default = 503

    await house.erase(f"crmId:{CANARIES['crm']}")
    await house.run()

    assert {table for table, _ in found_in_rows(house)} == {"lanes"}
