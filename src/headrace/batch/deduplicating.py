# ruff: noqa: S608 - what is put into these queries are names of ours, and names of columns in quotes.
"""
Who keeps a row, of those who have the same key: the one who changed last.

What changed last is the membership, told by when the person qualified, and then the identities, told by the number of
the state that brought the newest; among those who are equal, the one whose other columns come first as texts, one after
the other, and at last who was here first. Somebody who has nothing in the whole key shares it with nobody.

By an identity, whoever shares one competes, and whoever shares one with one of those: one of all these keeps the rows,
one for each of their identities.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.batch.asked import Asked
from headrace.batch.members import Members, packed
from headrace.datasets.engine import Engine

#: Where candidates are.
PICKED = "picked"
#: Rows that are looked at together when those who lost are taken out.
_BATCH = 8192
_LOST, _SHARED, _IDS, _BETWEEN, _LABELS = "lost", "shared", "ids", "between", "labels"
_NEWEST_FIRST = "qualified_at DESC NULLS LAST, identities_at DESC NULLS LAST"


@dataclass(frozen=True, slots=True)
class Lost:
    """Who has lost their rows, in each audience by its place, and how many rows those are."""

    people: Mapping[int, Members]
    counts: Mapping[int, int]
    rows: Mapping[int, int]

    def kept(self, file: Path) -> pa.RecordBatchReader:
        """Return the candidates in a file who keep their rows, as they stand there."""
        candidates = pq.ParquetFile(file)
        return pa.RecordBatchReader.from_batches(candidates.schema_arrow, self._kept(candidates))

    def _kept(self, candidates: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
        with candidates:
            for batch in candidates.iter_batches(_BATCH):
                lost = pa.array([False] * batch.num_rows)
                for place, people in self.people.items():
                    of_audience = pc.equal(batch.column("audience"), place)
                    lost = pc.or_(lost, pc.and_(of_audience, people.has(batch.column("profile"))))
                yield batch.filter(pc.invert(lost))


def lost(engine: Engine, asked: Asked) -> Lost:
    """Find out who loses their rows, of those whom the engine has as candidates."""
    is_any = _lose_connected(engine, asked) if asked.many is not None else _lose_same(engine, asked)
    if not is_any:
        return Lost({}, {}, {})
    people = {
        place: Members(packed(_numbers(engine, f"SELECT profile FROM {_LOST} WHERE audience = {place}")))
        for place, _ in enumerate(asked.audiences)
    }
    rows = f"{PICKED} SEMI JOIN {_LOST} USING (audience, profile)"
    return Lost(people, _counted(engine, _LOST), _counted(engine, rows))


def _numbers(engine: Engine, sql: str) -> pa.ChunkedArray:
    return engine.read(sql).read_all().column("profile")


def _counted(engine: Engine, rows: str) -> dict[int, int]:
    sql = f"SELECT audience, count(*) AS n FROM {rows} GROUP BY audience"
    return {row["audience"]: row["n"] for row in engine.read(sql).read_all().to_pylist()}


def _lose_same(engine: Engine, asked: Asked) -> int:
    """Find out who loses where one or two attributes are the key; most often few share one."""
    values = [f"nullif(c{place}::VARCHAR, '')" for place in asked.keys]
    named = ", ".join(f"{value} AS k{number}" for number, value in enumerate(values))
    has_any = " OR ".join(f"{value} IS NOT NULL" for value in values)
    keys = ", ".join(f"k{number}" for number, _ in enumerate(values))
    same = " AND ".join(f"{value} IS NOT DISTINCT FROM k{number}" for number, value in enumerate(values))
    grouped = f"SELECT audience, {named} FROM {PICKED} WHERE place = 0 AND ({has_any})"
    sql = f"SELECT audience, {keys} FROM ({grouped}) GROUP BY ALL HAVING count(*) > 1"
    if not engine.table(_SHARED, sql):
        return 0
    of = f"{PICKED} AS p JOIN {_SHARED} AS s ON p.audience = s.audience AND {same}"
    return _lose(engine, asked, of, keys)


def _lose(engine: Engine, asked: Asked, rivals: str, keys: str) -> int:
    """Note who of those who have the same keys does not come first."""
    return engine.table(
        _LOST,
        f"""
        SELECT p.audience, p.profile FROM {rivals} WHERE place = 0
        QUALIFY row_number() OVER (PARTITION BY p.audience, {keys} ORDER BY {_order(asked)}) > 1
        """,
    )


def _order(asked: Asked) -> str:
    """Return SQL for who comes first."""
    others = (f"c{place}" for place, column in enumerate(asked.columns) if column.type != "object")
    ties = [f"{name}::VARCHAR NULLS LAST" for name in others if int(name[1:]) not in asked.keys]
    return ", ".join([_NEWEST_FIRST, *ties, "p.profile"])


def _lose_connected(engine: Engine, asked: Asked) -> int:
    """Find out who loses where an identity is the key: of all who are connected, all but one."""
    id_ = f"c{asked.many}::VARCHAR"
    engine.table(_IDS, f"SELECT audience, profile, {id_} AS id FROM {PICKED} WHERE nullif({id_}, '') IS NOT NULL")
    shared = f"SELECT audience, id, min(profile) AS first FROM {_IDS} GROUP BY audience, id HAVING count(*) > 1"
    between = f"SELECT DISTINCT audience, profile, first FROM {_IDS} JOIN ({shared}) USING (audience, id)"
    if not engine.table(_BETWEEN, between):
        return 0
    _label(engine)
    of = f"{PICKED} AS p JOIN {_LABELS} AS l ON p.audience = l.audience AND p.profile = l.profile"
    return _lose(engine, asked, of, "label")


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
