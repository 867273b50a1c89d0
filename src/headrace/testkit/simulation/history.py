"""One history: everything that happens under one seed, and the oracle's judgement of it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from headrace import worker
from headrace.testkit.simulation.ground import POLICIES, ground, named_by
from headrace.testkit.simulation.loop import Loop, Stuck
from headrace.testkit.simulation.world import World


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What came of a history.

    ``broken`` are promises that were not kept, none if all is well; ``trace`` is the fingerprint of all that happened,
    the same each time; ``counts`` say how often what happened; ``diary`` has it in words, if it was asked for.
    """

    seed: int
    policy: str
    broken: tuple[str, ...]
    trace: str
    counts: Counter[str]
    diary: tuple[str, ...] = ()


def simulate(seed: int, *, verbose: bool = False) -> Verdict:
    """Live through the history of a seed."""
    policy = [*POLICIES][seed % len(POLICIES)]
    luck = Random(f"{seed} loop")  # noqa: S311 - to be repeated, not to be secret
    standing = ground(policy)
    loop = Loop.seeded(luck)
    with named_by(Random(f"{seed} names")), _paced():  # noqa: S311
        world = World(loop, seed, standing)
        world.oracle.diary = [] if verbose else None
        world.oracle.note(policy, sorted(world.troubles))
        try:
            loop.run(world.live())
        except Stuck as error:
            world.oracle.accuse("stuck", str(error))
        except Exception as error:
            world.oracle.accuse("simulation", f"{type(error).__name__}: {error}")
            if verbose:
                raise
        verdict = _verdict(seed, policy, world)
        for process in world.processes:
            process.kill()
        loop.bury()
    return verdict


def _verdict(seed: int, policy: str, world: World) -> Verdict:
    counts = Counter(world.counts)
    for more in (world.oracle.counts, world.network.counts, world.disk.counts):
        counts.update(more)
    counts["requests"] = len(world.network.attempts)
    counts["unknown outcomes"] = sum(attempt.heard in ("unknown", None) for attempt in world.network.attempts)
    counts["virtual seconds"] = int(world.loop.time())
    counts["steps"] = world.loop.steps
    return Verdict(
        seed, policy, tuple(world.oracle.broken), world.oracle.trace, counts, tuple(world.oracle.diary or ())
    )


@contextmanager
def _paced() -> Iterator[None]:
    """Have the loops that look whether there is something to do look less often: there, time costs nothing."""
    names = ("HOUSEKEEPING", "BACKFILLING", "HELD_UP")
    kept = {name: getattr(worker, name) for name in names}
    for name, seconds in zip(names, (20.0, 10.0, 1.0), strict=True):
        setattr(worker, name, seconds)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(worker, name, value)
