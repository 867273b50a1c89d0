"""
What it costs to remember what became of whose changes, and how long it takes to be told of one person.

    python benchmarks/history.py [--rounds 9] [--messages 1000000]

Accepting and settling is done in a store that remembers and in one that does not, in turns: for each of the two, the
best may differ by 2 microseconds a change at the most, with a hundred changes a message. Then a day of so many
messages to one person each is written, and somebody's history asked for: it may take 2 seconds.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path
from random import Random

from headrace.model.change import Changes, LaneTouched
from headrace.model.message import Group, Settled
from headrace.model.outcome import Delivered
from headrace.model.profile import encode
from headrace.store import history, ledger, outbox, profiles
from headrace.store.database import Store, Transaction
from headrace.store.history import DAY, Fate
from headrace.store.migrate import migrate
from headrace.store.profiles import Kept

MOST_MICROSECONDS = 2.0
MOST_SECONDS = 2.0
PEOPLE, A_REQUEST, A_MESSAGE = 10_000, 500, 100
LANE = (LaneTouched(0, "", 0),)
SHOWN = b'{"audiences":{"1":"2026-03-01T12:00:00Z"},"identities":{"customer":[{"id":"C-77"}]}}'
_seqs, _groups = itertools.count(1), outbox.Numbers(1)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=9)
    asked.add_argument("--messages", type=int, default=1_000_000)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        is_dear = cost(Path(folder), given.rounds)
        is_slow = look_up(Path(folder), given.messages)
    if is_dear or is_slow:
        raise SystemExit("remembering costs too much, or somebody waits too long")


def cost(folder: Path, rounds: int) -> bool:
    """Measure both ways in turns, in CPU time of the whole process; say whether either difference is too much."""
    stores = {name: _store(folder / name, remembers=name == "with") for name in ("with", "without")}
    found: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds):
        for name, store in [*stores.items()][:: 1 if number % 2 else -1]:
            for path, work in (("accept", accept), ("settle", settle)):
                found.setdefault((path, name), []).append(work(store))
    differences = []
    for path in ("accept", "settle"):
        after, before = (min(found[path, name]) for name in ("with", "without"))
        differences.append(after - before)
        print(
            f"{path}: {before:6.2f} us a change without, {after:6.2f} with:"
            f" {after - before:+.2f}, x{after / before:.3f}"
        )
    for store in stores.values():
        store.close()
    print(f"both together: {sum(differences):+.2f} us a change")
    return max(differences) > MOST_MICROSECONDS


def _store(folder: Path, *, remembers: bool) -> Store:
    store = Store.open(folder, remembers=remembers)
    migrate(store)
    people = [Kept(number, f"crmId:{number}", encode({"n": number}), 1) for number in range(1, PEOPLE + 1)]
    store.write_now(lambda tx: profiles.insert(tx, 1, people))
    return store


def accept(store: Store) -> float:
    """Accept a change of everybody, five hundred a request; return microseconds of CPU a change."""
    batches = [
        [Changes(1, number, next(_seqs), (1,), LANE) for number in range(first, first + A_REQUEST)]
        for first in range(1, PEOPLE, A_REQUEST)
    ]
    began = time.process_time()
    for batch in batches:
        store.write_now(lambda tx, batch=batch: outbox.accept(tx, 1, batch, _now()))  # type: ignore[misc]
    return (time.process_time() - began) * 1e6 / PEOPLE


def settle(store: Store) -> float:
    """Deliver what waits, twenty messages a commit; return microseconds of CPU a change, without those of claiming."""
    seconds = 0.0
    while groups := store.write_now(_claim):
        began = time.process_time()
        store.write_now(lambda tx, some=groups: _settle(tx, some))  # type: ignore[misc]
        seconds += time.process_time() - began
    store.write_now(ledger.fold)
    return seconds * 1e6 / PEOPLE


DELIVERED = Delivered(200)


def _settle(tx: Transaction, groups: list[Group]) -> None:
    concluded = [
        outbox.Conclusion(group, [Settled(entry, DELIVERED, "0123456789abcdef" * 2, SHOWN) for entry in group.entries])
        for group in groups
    ]
    outbox.settle(tx, concluded, _now())


def _claim(tx: Transaction) -> list[Group]:
    return outbox.claim(tx, outbox.Claim(1, 1, 1, 20, A_MESSAGE, 60_000, _groups), _now())


def _now() -> int:
    return time.time_ns() // 1_000_000


def look_up(folder: Path, messages: int) -> bool:
    """Write a day, and ask for the history of some; say whether the slowest takes too long."""
    random = Random(1)
    is_slow = False
    for title, at_once, count in (("one person", 1, messages), ("a hundred people", 100, messages // 100)):
        store = _store(folder / f"day-{at_once}", remembers=True)
        for first in range(0, count, 10_000):
            some = min(10_000, count - first)
            store.write_now(lambda tx, n=some, s=at_once: _day(tx, random, n, s))  # type: ignore[misc]
        slowest = max(_seconds(store, random.randrange(1, 1_000_000)) for _ in range(5))
        is_slow |= slowest > MOST_SECONDS
        size = sum(file.stat().st_size for file in (folder / f"day-{at_once}").glob("headrace.db*")) / 1e6
        print(f"a day of {count} messages to {title}: {slowest * 1000:.0f} ms at the most, {size:.0f} MB")
        store.close()
    return is_slow


def _day(tx: Transaction, random: Random, count: int, at_once: int) -> None:
    for _ in range(count):
        seq = random.randrange(1 << 40)
        traced = [(random.randrange(1, 1_000_000), 1, seq + place, 1) for place in range(at_once)]
        history.write(tx, 1, {Fate(1, "sent", None, f"{seq:032x}", 200, 1): traced}, 5 * DAY)


def _seconds(store: Store, profile: int) -> float:
    began = time.perf_counter()
    store.read_now(lambda tx: history.of_person(tx, 1, 1, profile, 5))
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
