"""One history: everything that happens under one seed, and the oracle's judgement of it."""

import gc
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from random import Random
from types import ModuleType
from typing import Any

import orjson

from headrace import worker
from headrace.model.block import Block
from headrace.model.reading import examine
from headrace.services.checks import nouns
from headrace.testkit.simulation.ground import POLICIES, ground, named_by
from headrace.testkit.simulation.loop import Loop, Stuck
from headrace.testkit.simulation.world import World

_examined: dict[tuple[type[Block], bytes, bool], Any] = {}


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
    with _uncollected():
        return _lived_through(seed, verbose=verbose)


def _lived_through(seed: int, *, verbose: bool) -> Verdict:
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
    """Have the loops that look whether there is something to do look less often, and nothing be read twice."""
    with ExitStack() as stack:
        for name, seconds in (("HOUSEKEEPING", 30.0), ("BACKFILLING", 10.0), ("HELD_UP", 1.0)):
            stack.enter_context(_instead(worker, name, seconds))
        stack.enter_context(_instead(nouns, "examine", _examine))
        yield


@contextmanager
def _uncollected() -> Iterator[None]:
    """
    Have the collector look at a history once, when it is over: that takes a third less time.

    Lives that were ended in the middle of something complain when they are taken away; nobody is to hear that.
    """
    gc.disable()
    try:
        yield
    finally:
        kept, sys.unraisablehook = sys.unraisablehook, lambda _: None
        gc.enable()
        gc.collect(0)
        sys.unraisablehook = kept


@contextmanager
def _instead(module: ModuleType, name: str, value: object) -> Iterator[None]:
    kept = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, kept)


def _examine(block: type[Block], document: Any, *, strict: bool = True) -> Any:
    """Read a document as it was read before: what comes of it is never changed, and it is always the same few."""
    key = (block, orjson.dumps(document), strict)
    known = _examined.get(key)
    if known is None:
        if len(_examined) > 4096:
            _examined.clear()
        known = _examined[key] = examine(block, document, strict=strict)
    return known
