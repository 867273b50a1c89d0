"""
What it costs to decide what a record triggers, in microseconds of CPU time for one person and one dataflow.

    python benchmarks/triggers.py [--rounds 15]

A person of ten audiences, of whom a dataflow sends five and maps six attributes and two identities. Each decision has
to take 15 microseconds at the most, with the lanes that a change leaves by.
"""

import argparse
import time
from collections.abc import Callable

from headrace.batch.select import Manner, Sight, row_of
from headrace.mapping import AttributeRow, IdentityRow, Mapping
from headrace.model.aggregation import BestEffortAggregation
from headrace.model.profile import Profile
from headrace.render.parts import Parting
from headrace.render.recipe import MappedAudience
from headrace.render.target import Audiences
from headrace.streaming.triggers import Watched, changed, lanes

MOST_MICROSECONDS = 15.0
TIMES = 5_000
PATHS = ("person.name.firstName", "person.name.lastName", "homeAddress.city", "loyalty.tier", "loyalty.points", "gone")
ATTRIBUTES = tuple(AttributeRow(path, f"t{place}") for place, path in enumerate(PATHS))
IDENTITIES = (IdentityRow("crmId", "customer"), IdentityRow("Email", "mail"))
POLICY = BestEffortAggregation.model_validate({"maxUsersPerRequest": 100})
AUDIENCES = Audiences([MappedAudience(n, "ups", f"audience-{n}", None, None, 0, 0, 0, 0) for n in range(1, 6)])


def person(city: str = "Lisbon", **statuses: str) -> Profile:
    """Make a person of ten audiences, of whom some statuses differ."""
    names = [f"audience-{n}" for n in range(1, 11)]
    memberships = {
        name: {"status": statuses.get(name.replace("-", "_"), "realized"), "lastQualificationTime": "2026-03-01T12:00Z"}
        for name in names
    }
    return {
        "person": {"name": {"firstName": "Ana", "lastName": "Silva"}},
        "homeAddress": {"city": city, "country": "PT"},
        "loyalty": {"tier": "gold", "points": 120},
        "identityMap": {"Email": [{"id": "ana@example.com"}], "crmId": [{"id": "C-77"}], "ECID": [{"id": "1"}]},
        "segmentMembership": {"ups": memberships},
    }


SAME, MOVED, LEFT = person(), person("Porto"), person(audience_2="exited")


def watched(identities: tuple[IdentityRow, ...] = IDENTITIES, *, follows_profiles: bool = False) -> Watched:
    """Make what a dataflow watches."""
    mapping = Mapping(ATTRIBUTES, identities, namespaces=("customer", "mail"))
    return Watched(1, AUDIENCES, mapping, POLICY, Parting.of(POLICY, ("customer", "mail")), follows_profiles)


def decided(after: Profile, flow: Watched) -> Callable[[], object]:
    """Decide what a record triggers, and by which lanes it leaves."""
    return lambda: lanes(after, changed(SAME, after, flow, after), flow)


def main() -> None:
    """Measure, print a line for each decision, and fail if one takes too long."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    audiences, profiles = watched(), watched((), follows_profiles=True)
    manner = Manner("incremental", tells_status=True)
    decisions = {
        "following audiences, nothing changes": decided(SAME, audiences),
        "following audiences, an attribute changes": decided(MOVED, audiences),
        "following audiences, one is left": decided(LEFT, audiences),
        "following profiles, written as it was": decided(SAME, profiles),
        "following profiles, one is left": decided(LEFT, profiles),
        "files, somebody has left": lambda: row_of(Sight("exited", "realized"), manner),
    }
    found = {name: best(rounds, decide) for name, decide in decisions.items()}
    for name, microseconds in found.items():
        print(f"{name:<42} {microseconds:6.2f} us")
    if max(found.values()) > MOST_MICROSECONDS:
        raise SystemExit(f"a decision takes more than {MOST_MICROSECONDS} microseconds")


def best(rounds: int, work: Callable[[], object]) -> float:
    """Return what one call costs, in the best of some rounds."""
    return min(_round(work) for _ in range(rounds)) * 1e6 / TIMES


def _round(work: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(TIMES):
        work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
