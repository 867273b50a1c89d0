# ruff: noqa: S608 - what is put into these queries are names of ours, and names of columns in quotes.
"""
Who keeps a row, of those who have the same key: a member, and of members the one who changed last.

Who has left takes no row from a member, and has none where a member has none either who has the same key: by it the
partner would take out whom it knows the member by. What changed last
is the membership, told by when the person qualified, and then the identities, told by the number of the state that
brought the newest; among those who are equal, the one whose other columns come first as texts, one after the other, and
at last who was here first. Somebody who has nothing in the whole key shares it with nobody.

By an identity that stands in a column, members who share one compete, and so does whoever shares one with one of those:
one of all these keeps the rows, one for each of their identities. Who has left keeps those of identities that no member
has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.batch.asked import Asked
from headrace.batch.members import Members, packed
from headrace.datasets.engine import Engine

#: Where candidates are, and the keys of members who are none.
PICKED, SILENT = "picked", "silent"
#: Rows that are looked at together when those who lost are taken out.
_BATCH = 8192
_LOST, _LATER, _SPARED, _SHARED, _IDS, _BETWEEN, _LABELS = (
    "lost",
    "later",
    "spared",
    "shared",
    "ids",
    "between",
    "labels",
)
_LEFT, _BARE = "left_rows", "bare"
_NUMBER = "file_row_number"
_NEWEST_FIRST = "has_left, qualified_at DESC NULLS LAST, identities_at DESC NULLS LAST"


@dataclass(frozen=True, slots=True)
class Lost:
    """
    Who has lost all their rows, in each audience by its place, and how many rows are lost.

    ``left`` are single rows of people who have left, by their places in the file of candidates.
    """

    people: Mapping[int, Members]
    counts: Mapping[int, int]
    rows: Mapping[int, int]
    left: Members = field(default_factory=Members)

    @property
    def is_any(self) -> bool:
        """Whether anybody has lost a row."""
        return any(self.rows.values())

    def kept(self, file: Path) -> pa.RecordBatchReader:
        """Return the candidates in a file who keep their rows, as they stand there."""
        candidates = pq.ParquetFile(file)
        return pa.RecordBatchReader.from_batches(candidates.schema_arrow, self._kept(candidates))

    def _kept(self, candidates: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
        with candidates:
            before = 0
            for batch in candidates.iter_batches(_BATCH):
                lost = self.left.has(pa.array(range(before, before + batch.num_rows), pa.int64()))
                before += batch.num_rows
                for place, people in self.people.items():
                    of_audience = pc.equal(batch.column("audience"), place)
                    lost = pc.or_(lost, pc.and_(of_audience, people.has(batch.column("profile"))))
                yield batch.filter(pc.invert(lost))


def lost(engine: Engine, asked: Asked, file: Path, *, is_each_a_row: bool) -> Lost:
    """Find out who loses rows, of the candidates in a file. ``is_each_a_row``: each identity of the key has one."""
    by_row = is_each_a_row and asked.asks_members
    left = _leave_to_members(engine, asked, file) if by_row else Members()
    engine.table(_SPARED, f"SELECT audience, profile FROM {PICKED} LIMIT 0" if by_row else _spared(asked))
    is_any = _lose_connected(engine, asked, by_row) if asked.many is not None else _lose_same(engine, asked)
    if not is_any:
        engine.table(_LATER, f"SELECT audience, profile FROM {PICKED} LIMIT 0")
    engine.table(_LOST, f"SELECT * FROM {_LATER} UNION SELECT * FROM {_SPARED}")
    people = {
        place: Members(packed(_numbers(engine, f"SELECT profile FROM {_LOST} WHERE audience = {place}")))
        for place, _ in enumerate(asked.audiences)
    }
    rows = f"{PICKED} SEMI JOIN {_LOST} USING (audience, profile)"
    counts, of_people = _counted(engine, _LOST), _counted(engine, rows)
    if not by_row:
        return Lost(people, counts, of_people)
    bare, all_left = _counted(engine, _BARE), _counted(engine, _LEFT)
    places = {*of_people, *all_left}
    return Lost(
        people,
        {place: counts.get(place, 0) + bare.get(place, 0) for place in places},
        {place: of_people.get(place, 0) + all_left.get(place, 0) for place in places},
        left,
    )


def _spared(asked: Asked) -> str:
    """Return SQL for those who have left with the key of a member who has no row."""
    keys = [(f"nullif(p.c{place}::VARCHAR, '')", f"nullif(s.c{place}::VARCHAR, '')") for place in asked.keys]
    same = " AND ".join(f"{ours} IS NOT DISTINCT FROM {theirs}" for ours, theirs in keys)
    has_any = " OR ".join(f"{ours} IS NOT NULL" for ours, _ in keys)
    found = (
        f"SELECT DISTINCT p.audience, p.profile FROM {PICKED} p JOIN {SILENT} s ON p.audience = s.audience AND {same}"
    )
    return f"{found} WHERE p.has_left AND ({has_any})"


def _leave_to_members(engine: Engine, asked: Asked, file: Path) -> Members:
    """
    Find the rows of people who have left that say of an identity what another row says otherwise: one of a member, or
    of somebody else who has left and comes first.
    """
    path = str(file).replace("'", "''")
    numbered = f"read_parquet('{path}', {_NUMBER} = true)"
    id_ = f"c{asked.many}::VARCHAR"
    rows = f"SELECT *, {id_} AS id FROM {numbered} WHERE nullif({id_}, '') IS NOT NULL"
    held = f"SELECT audience, id FROM rows WHERE NOT has_left UNION SELECT audience, {id_} FROM {SILENT}"
    order = _order(asked)
    engine.table(
        _LEFT,
        f"""
        WITH rows AS ({rows}), held AS ({held}), gone AS (
            SELECT p.*, row_number() OVER (PARTITION BY p.audience, p.id ORDER BY {order}) AS rank
            FROM rows p WHERE has_left
        )
        SELECT g.audience, g.profile, g.{_NUMBER} AS number FROM gone g
        LEFT JOIN held h ON g.audience = h.audience AND g.id = h.id
        WHERE g.rank > 1 OR h.id IS NOT NULL
        """,
    )
    every = f"SELECT audience, profile, count(*) AS n FROM {PICKED} WHERE has_left GROUP BY audience, profile"
    some = f"SELECT audience, profile, count(*) AS n FROM {_LEFT} GROUP BY audience, profile"
    engine.table(_BARE, f"SELECT audience, profile FROM ({every}) JOIN ({some}) USING (audience, profile, n)")
    return Members(packed(engine.read(f"SELECT number FROM {_LEFT}").read_all().column("number").cast(pa.int64())))


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
        _LATER,
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


def _lose_connected(engine: Engine, asked: Asked, of_members: bool) -> int:
    """Find out who loses where an identity is the key: of all who are connected, or of members alone, all but one."""
    id_ = f"c{asked.many}::VARCHAR"
    which = f"nullif({id_}, '') IS NOT NULL{' AND NOT has_left' if of_members else ''}"
    rows = f"{PICKED} ANTI JOIN {_SPARED} USING (audience, profile)"
    engine.table(_IDS, f"SELECT audience, profile, {id_} AS id FROM {rows} WHERE {which}")
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
