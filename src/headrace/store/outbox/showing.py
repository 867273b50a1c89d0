"""What a partner knows of people, and what it is about to be told."""

from dataclasses import dataclass

import orjson

from headrace.store.database import Transaction
from headrace.store.outbox.lanes import FORGET_LANE

_KNOWN_LANES = """
    SELECT audience, part FROM lanes WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile
"""


def known_lanes(tx: Transaction, tenant: int, dataflow: int, profile: int) -> list[tuple[int, str]]:
    """Return the lanes, by audience and part, through which the partner was told of a person or is about to be."""
    whose = {"tenant": tenant, "dataflow": dataflow, "profile": profile}
    return tx.run(_KNOWN_LANES, whose).fetchall()


_UNDER_WAY = """
    SELECT DISTINCT profile FROM changes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile BETWEEN :first AND :last AND audience = :audience
"""
_SHOWN = """
    SELECT profile, shown FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile BETWEEN :first AND :last AND shown IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Told:
    """
    Whom a partner may know to be in an audience, whose change of the two is about to be told, and whom it has said that
    it knows: what became of the message of the others, nobody knows any more.
    """

    shown: frozenset[int]
    waiting: frozenset[int]
    acknowledged: frozenset[int]


def told(tx: Transaction, tenant: int, dataflow: int, audience: int, first: int, last: int) -> Told:
    """Return who, of the people between two numbers, the partner has been told to be in an audience, or is about to."""
    which = {"tenant": tenant, "dataflow": dataflow, "audience": audience, "first": first, "last": last}
    waiting = frozenset(profile for (profile,) in tx.run(_UNDER_WAY, which))
    name = str(audience)
    held = [(profile, orjson.loads(text)["audiences"].get(name)) for profile, text in tx.run(_SHOWN, which)]
    shown = frozenset(profile for profile, since in held if since is not None)
    return Told(shown, waiting, frozenset(profile for profile, since in held if since))


_SHOWN_LANES = """
    SELECT audience, part, profile, shown FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile BETWEEN :first AND :last AND shown IS NOT NULL
"""
SHOW = """
    UPDATE lanes SET shown = :shown
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
"""


def forget_shown(tx: Transaction, tenant: int, dataflow: int, audience: int, first: int, last: int) -> int:
    """
    Forget that the partner knows people between two numbers to be in an audience: it has none of that name any more.

    Returns how many were forgotten.
    """
    whose = {"tenant": tenant, "dataflow": dataflow}
    forgotten = []
    for lane, part, profile, text in tx.run(_SHOWN_LANES, {**whose, "first": first, "last": last}):
        shown = orjson.loads(text)
        if shown["audiences"].pop(str(audience), None) is not None:
            left = orjson.dumps(shown) if shown["audiences"] else None
            forgotten.append({**whose, "profile": profile, "audience": lane, "part": part, "shown": left})
    tx.many(SHOW, forgotten)
    tx.many(FORGET_LANE, [{name: value for name, value in row.items() if name != "shown"} for row in forgotten])
    return len(forgotten)


_ALL_UNDER_WAY = """
    SELECT DISTINCT profile, audience FROM changes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile BETWEEN :first AND :last AND audience <> 0
"""
_PARKED_BETWEEN = """
    SELECT DISTINCT profile, audience FROM parked
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile BETWEEN :first AND :last
"""


def shown(tx: Transaction, tenant: int, dataflow: int, first: int, last: int) -> dict[tuple[int, int], bool]:
    """
    Return what the partner may know of the people between two numbers: (person, audience) of each membership, and
    whether it has said that it does.
    """
    which = {"tenant": tenant, "dataflow": dataflow, "first": first, "last": last}
    found: dict[tuple[int, int], bool] = {}
    for profile, text in tx.run(_SHOWN, which):
        for audience, since in orjson.loads(text)["audiences"].items():
            entry = (profile, int(audience))
            found[entry] = bool(since) or found.get(entry, False)
    return found


def under_way(tx: Transaction, tenant: int, dataflow: int, first: int, last: int) -> set[tuple[int, int]]:
    """Return the people between two numbers of whom the partner is about to be told, each with the audience."""
    which = {"tenant": tenant, "dataflow": dataflow, "first": first, "last": last}
    return {(profile, audience) for profile, audience in tx.run(_ALL_UNDER_WAY, which)}


def laid_aside(tx: Transaction, tenant: int, dataflow: int, first: int, last: int) -> set[tuple[int, int]]:
    """Return the people between two numbers of whom something is parked, each with the audience."""
    which = {"tenant": tenant, "dataflow": dataflow, "first": first, "last": last}
    return {(profile, audience) for profile, audience in tx.run(_PARKED_BETWEEN, which)}
