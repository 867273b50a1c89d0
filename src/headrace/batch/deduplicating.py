# ruff: noqa: S608 - what is put into these queries are names of ours, and names of columns in quotes.
"""
Who keeps a row, of those who have the same key: the one who changed last.

What changed last is the membership, told by when the person qualified, and then the identities, told by the number of
the state that brought the newest; among those who are equal, the one whose other columns come first as texts, one after
the other, and at last who was here first. Somebody who has nothing in the whole key shares it with nobody.

By an identity, whoever shares one competes, and whoever shares one with one of those: one of all these keeps the rows,
one for each of their identities.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.batch.asked import Asked
from headrace.datasets.engine import Engine

#: Where candidates are, and who of them keeps the rows.
PICKED, KEPT = "picked", "kept"
_IDS, _BETWEEN, _LABELS = "ids", "between", "labels"
_NEWEST_FIRST = "qualified_at DESC NULLS LAST, identities_at DESC NULLS LAST"
_ONE_OF_ALL = f"SELECT audience, profile FROM {PICKED} WHERE place = 0"


@dataclass(frozen=True, slots=True)
class Kept:
    """How many people keep their rows, and how many rows that are; by the places of audiences."""

    people: Mapping[int, int]
    rows: Mapping[int, int]


def keep(engine: Engine, asked: Asked, *, is_each_a_row: bool) -> Kept:
    """
    Find out who keeps their rows, of those whom the engine has as candidates.

    ``is_each_a_row``: by an identity, somebody has a row for each of theirs.
    """
    if asked.many is not None:
        _keep_connected(engine, asked)
    else:
        engine.table(KEPT, _first_of_each(asked))
    people = _counted(engine, f"SELECT audience, count(*) AS n FROM {KEPT} GROUP BY audience")
    if not is_each_a_row:
        return Kept(people, people)
    rows = f"{PICKED} SEMI JOIN {KEPT} USING (audience, profile)"
    return Kept(people, _counted(engine, f"SELECT audience, count(*) AS n FROM {rows} GROUP BY audience"))


def _counted(engine: Engine, sql: str) -> dict[int, int]:
    return {row["audience"]: row["n"] for row in engine.read(sql).read_all().to_pylist()}


def _first_of_each(asked: Asked) -> str:
    """Return SQL for who keeps a row, where one or two attributes are the key."""
    keys = [f"nullif(c{place}::VARCHAR, '')" for place in asked.keys]
    # Whoever has nothing in the key is alone.
    alone = f"CASE WHEN {' AND '.join(f'{key} IS NULL' for key in keys)} THEN profile END"
    order = _order(asked)
    return f"""
        SELECT audience, profile FROM {PICKED} WHERE place = 0
        QUALIFY row_number() OVER (PARTITION BY audience, {", ".join(keys)}, {alone} ORDER BY {order}) = 1
    """


def _order(asked: Asked) -> str:
    """Return SQL for who comes first."""
    others = (f"c{place}" for place, column in enumerate(asked.columns) if column.type != "object")
    ties = [f"{name}::VARCHAR NULLS LAST" for name in others if int(name[1:]) not in asked.keys]
    return ", ".join([_NEWEST_FIRST, *ties, "profile"])


def _keep_connected(engine: Engine, asked: Asked) -> None:
    id_ = f"c{asked.many}"
    engine.table(_IDS, f"SELECT audience, profile, {id_} AS id FROM {PICKED} WHERE nullif({id_}, '') IS NOT NULL")
    shared = engine.table(
        _BETWEEN,
        f"""
        SELECT DISTINCT audience, profile, first FROM {_IDS} JOIN (
            SELECT audience, id, min(profile) AS first FROM {_IDS} GROUP BY audience, id HAVING count(*) > 1
        ) USING (audience, id)
        """,
    )
    if not shared:
        engine.table(KEPT, _ONE_OF_ALL)
        return
    _label(engine)
    engine.table(
        KEPT,
        f"""
        SELECT audience, profile FROM {PICKED} LEFT JOIN {_LABELS} USING (audience, profile) WHERE place = 0
        QUALIFY row_number() OVER (PARTITION BY audience, coalesce(label, profile) ORDER BY {_order(asked)}) = 1
        """,
    )


def _label(engine: Engine) -> None:
    """
    Give all who are connected the number of the first of them as their label.

    Each takes the smallest label of those next to it, so does who that label is of, and then everybody the label of
    their label; a long chain takes few rounds.
    """
    engine.table(_LABELS, f"SELECT DISTINCT audience, profile, profile AS label FROM {_BETWEEN}")
    while engine.table("changed", f"{_NEXT} SELECT audience FROM next WHERE label <> was LIMIT 1"):
        engine.table("relabelled", f"{_NEXT} SELECT audience, profile, label FROM next")
        engine.table(_LABELS, "SELECT * FROM relabelled")


_NEXT = f"""
    WITH hub AS (
        SELECT b.audience, b.first, min(l.label) AS label
        FROM {_BETWEEN} b JOIN {_LABELS} l USING (audience, profile) GROUP BY b.audience, b.first
    ), near AS (
        SELECT audience, profile, min(label) AS label FROM (
            SELECT audience, profile, label FROM {_LABELS}
            UNION ALL SELECT b.audience, b.profile, h.label FROM {_BETWEEN} b JOIN hub h USING (audience, first)
        ) GROUP BY audience, profile
    ), hooked AS (
        SELECT audience, profile, min(label) AS label FROM (
            SELECT audience, profile, label FROM near
            UNION ALL
            SELECT l.audience, l.label AS profile, n.label FROM {_LABELS} l JOIN near n USING (audience, profile)
        ) GROUP BY audience, profile
    ), next AS (
        SELECT h.audience, h.profile, least(h.label, up.label) AS label, l.label AS was
        FROM hooked h JOIN hooked up ON up.audience = h.audience AND up.profile = h.label
        JOIN {_LABELS} l ON l.audience = h.audience AND l.profile = h.profile
    )
"""
