"""Exports that have gone on as far as a test needs: what is told of them is written as whoever carries them does."""

import pyarrow as pa

from headrace.batch import members
from headrace.batch.export import Part
from headrace.batch.selection import OfAudience, Outcome
from headrace.services.catalog import tenant_of
from headrace.services.exports import telling
from headrace.services.exports.planning import plan
from headrace.services.exports.telling import Progress
from headrace.store import exports, runs
from headrace.store.exports import Published


def begin(house, run):
    """The run is under way."""
    now = house.clock.now()
    house.store.write_now(lambda tx: runs.take_asked(tx, run.kind, "a-process", now, 10))


def half(house, run, rows=40, of=100, seconds=20.0):
    """So many rows are written, in so many seconds."""
    progress = Progress(0.0, of)
    progress(part=1, rows=rows, size=rows * 10)
    house.store.write_now(lambda tx: runs.advance(tx, run.run, house.clock.now(), progress.told(seconds)))


def publish(house, run, rows=40, excluded=None, people=(), path="out/a_1.csv"):
    """The files are there, of those people as members; they count where the run is one of the schedule."""
    parts = [Part(1, path, rows, rows * 20, rows * 10, "5e" * 32)]
    now = house.clock.now()

    def work(tx):
        made = plan(tx, tenant_of(tx, run.tenant), run)
        blocks = [*members.packed(pa.array(sorted(people), pa.int64()))]
        audiences = tuple(_of(number, rows, excluded or {}, blocks) for number in run.subject["audiences"])
        outcome = Outcome(7, 1000, audiences)
        written = [{"path": part.path, "rows": part.rows, "bytes": part.size, "sha256": part.sha256} for part in parts]
        told = telling.ended(made, {"beganAt": now - 5000, "endedAt": now}, outcome, parts, written)
        for one in audiences if made.is_counted else ():
            published = Published(7, run.subject["slot"], run.run, now)
            exports.publish(tx, run.tenant, made.stored.dataflow, one.number, published, one.members)
        runs.advance(tx, run.run, now, told)
        runs.end(tx, run.run, "succeeded", now)

    house.store.write_now(work)


def fail(house, run, reason="the storage has no room"):
    house.store.write_now(lambda tx: runs.end(tx, run.run, "failed", house.clock.now(), reason))


def _of(number, rows, excluded, blocks):
    received = rows + sum(excluded.values())
    return OfAudience(number=number, received=received, rows=rows, excluded=excluded, members=blocks)
