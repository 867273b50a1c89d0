"""What a partner knows of people, and what it is about to be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from headrace.model.change import Changes
from headrace.store.database import Transaction
from headrace.store.outbox.lanes import FORGET_LANE

_KNOWN_LANES = """
    SELECT audience, part FROM lanes WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile
"""


def known_lanes(tx: Transaction, tenant: int, dataflow: int, profile: int) -> list[tuple[int, str]]:
    """Return the lanes, by audience and part, through which the partner was told of a person or is about to be."""
    whose = {"tenant": tenant, "dataflow": dataflow, "profile": profile}
    return tx.run(_KNOWN_LANES, whose).fetchall()


#: Since when somebody is in an audience of whom it is only believed that the partner was told so.
BELIEVED = ""
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
    Whom a partner knows to be in an audience, and whose change of the two is about to be told.

    ``believed``: whom it may know, for it is not known whether they were told of.
    """

    shown: frozenset[int]
    waiting: frozenset[int]
    believed: frozenset[int] = frozenset()


def told(tx: Transaction, tenant: int, dataflow: int, audience: int, first: int, last: int) -> Told:
    """Return who, of the people between two numbers, the partner has been told to be in an audience, or is about to."""
    which = {"tenant": tenant, "dataflow": dataflow, "audience": audience, "first": first, "last": last}
    waiting = frozenset(profile for (profile,) in tx.run(_UNDER_WAY, which))
    name = str(audience)
    rows = tx.run(_SHOWN, which)
    found = [(profile, orjson.loads(text)["audiences"]) for profile, text in rows]
    members = [(profile, audiences[name]) for profile, audiences in found if name in audiences]
    believed = frozenset(profile for profile, since in members if since == BELIEVED)
    return Told(frozenset(profile for profile, _ in members), waiting, believed)


_SHOWN_LANES = """
    SELECT audience, part, profile, shown FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile BETWEEN :first AND :last AND shown IS NOT NULL
"""
SHOW = """
    UPDATE lanes SET shown = :shown
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
"""


_SHOWN_BY_LANE = """
    SELECT shown FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
"""
_SUPPOSE = """
    UPDATE lanes SET shown = coalesce(shown, :shown)
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
"""


def believe(tx: Transaction, lane: Mapping[str, Any], may: bytes) -> None:
    """Note that the partner may have been shown something by a lane, besides what it is known to have been."""
    row = tx.run(_SHOWN_BY_LANE, lane).fetchone()
    known = orjson.loads(row[0]) if row is not None and row[0] else {}
    more = orjson.loads(may)
    audiences = dict.fromkeys(more.get("audiences", {}), BELIEVED) | known.get("audiences", {})
    identities = {**known.get("identities", {}), **more.get("identities", {})}
    tx.run(SHOW, {**lane, "shown": orjson.dumps({"audiences": audiences, "identities": identities})})


def suppose(tx: Transaction, tenant: int, changes: Changes, shown: bytes) -> None:
    """Suppose that a partner knows somebody by the lanes of some changes, where nothing says what it knows."""
    whose = {"tenant": tenant, "dataflow": changes.dataflow, "profile": changes.profile, "shown": shown}
    tx.many(_SUPPOSE, ({**whose, "audience": lane.audience, "part": lane.part} for lane in changes.lanes))


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
_CLAIMED = """
    SELECT DISTINCT c.profile, c.audience FROM lanes l JOIN changes c
        ON c.tenant = l.tenant AND c.dataflow = l.dataflow AND c.profile = l.profile AND c.seq <= l.claimed_seq
    WHERE l.tenant = :tenant AND l.dataflow = :dataflow AND l.profile BETWEEN :first AND :last
        AND l.claim_group IS NOT NULL AND c.audience <> 0 AND (l.audience = 0 OR c.audience = l.audience)
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


def claimed(tx: Transaction, tenant: int, dataflow: int, first: int, last: int) -> set[tuple[int, int]]:
    """Return the people between two numbers of whom a message may be rendered by now, each with the audience."""
    which = {"tenant": tenant, "dataflow": dataflow, "first": first, "last": last}
    return {(profile, audience) for profile, audience in tx.run(_CLAIMED, which)}


def laid_aside(tx: Transaction, tenant: int, dataflow: int, first: int, last: int) -> set[tuple[int, int]]:
    """Return the people between two numbers of whom something is parked, each with the audience."""
    which = {"tenant": tenant, "dataflow": dataflow, "first": first, "last": last}
    return {(profile, audience) for profile, audience in tx.run(_PARKED_BETWEEN, which)}
