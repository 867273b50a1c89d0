"""Evaluations: each finding out of who is in an audience, and what came of it; and the datasets that queries read."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, case, delete, func, insert, select, update

from headrace.store.database import Transaction
from headrace.store.tables import audience_evaluations, audience_sources
from headrace.store.transaction import storable

Part = Literal["all", "more", "anew"]
#: The states of an evaluation that may still change who is in the audience.
OPEN = ("asked", "finding", "held", "confirmed", "taking")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """
    One evaluation of an audience; ``version`` is that of its definition.

    ``state``: ``asked``; ``finding`` who is in it; ``held`` until somebody ``confirmed`` it, or ``dropped``; ``taking``
    in who came and went; ``applied``; ``failed``, with a reason. ``part``: the list is ``all`` members, or ``more``, or
    all and begins ``anew``: who was a member is told by the documents of people, not by the list before.
    """

    audience: int
    evaluation: int
    version: int
    run: str
    cause: str
    part: Part
    state: str
    asked_at: int
    reason: str | None = None
    members_before: int | None = None
    members_after: int | None = None
    entered: int | None = None
    left: int | None = None
    done: int = 0
    rejected: int = 0
    rejects: tuple[dict[str, Any], ...] = ()
    snapshots: tuple[dict[str, Any], ...] = ()
    valid_until: int | None = None
    began_at: int | None = None
    ended_at: int | None = None


_COLUMNS = tuple(Evaluation.__dataclass_fields__)
_TABLE = audience_evaluations


def add(tx: Transaction, tenant: int, evaluation: Evaluation) -> None:
    """Add an evaluation."""
    tx.core.execute(insert(_TABLE).values(tenant=tenant, **asdict(evaluation)))


def next_number(tx: Transaction, tenant: int, audience: int) -> int:
    """Return the number that the next evaluation of an audience will have."""
    last = tx.core.execute(select(func.max(_TABLE.c.evaluation)).where(_is_of(tenant, audience))).scalar()
    return (last or 0) + 1


def get(tx: Transaction, tenant: int, audience: int, number: int) -> Evaluation | None:
    """Return an evaluation."""
    query = select(_TABLE).where(_is_of(tenant, audience), _TABLE.c.evaluation == number)
    row = tx.core.execute(query).mappings().one_or_none()
    return None if row is None else _read(row)


def of_run(tx: Transaction, tenant: int, audience: int, run: str) -> Evaluation | None:
    """Return the evaluation that a run is about."""
    query = select(_TABLE).where(_is_of(tenant, audience), _TABLE.c.run == run)
    row = tx.core.execute(query.order_by(_TABLE.c.evaluation.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else _read(row)


def latest(tx: Transaction, tenant: int, audience: int, most: int, before: int | None = None) -> list[Evaluation]:
    """Return evaluations of an audience, newest first; with ``before``, those below that number."""
    query = select(_TABLE).where(_is_of(tenant, audience))
    if before is not None:
        query = query.where(_TABLE.c.evaluation < before)
    return [_read(row) for row in tx.core.execute(query.order_by(_TABLE.c.evaluation.desc()).limit(most)).mappings()]


def all_of(tx: Transaction, tenant: int, audience: int) -> list[Evaluation]:
    """Return all evaluations of an audience, oldest first."""
    rows = tx.core.execute(select(_TABLE).where(_is_of(tenant, audience)).order_by(_TABLE.c.evaluation)).mappings()
    return [_read(row) for row in rows]


def newest(tx: Transaction, tenant: int) -> dict[int, Evaluation]:
    """Return the newest evaluation of each audience of a sandbox."""
    last = (
        select(_TABLE.c.audience, func.max(_TABLE.c.evaluation).label("evaluation"))
        .where(_TABLE.c.tenant == tenant)
        .group_by(_TABLE.c.audience)
        .subquery()
    )
    query = select(_TABLE).where(
        _TABLE.c.tenant == tenant, _TABLE.c.audience == last.c.audience, _TABLE.c.evaluation == last.c.evaluation
    )
    return {row["audience"]: _read(row) for row in tx.core.execute(query).mappings()}


def last_applied(tx: Transaction, tenant: int, audience: int) -> int | None:
    """Return the number of the evaluation whose list is the one that was taken in last."""
    query = select(func.max(_TABLE.c.evaluation)).where(_is_of(tenant, audience), _TABLE.c.state == "applied")
    return tx.core.execute(query).scalar()


def taken_in(tx: Transaction, tenant: int, audiences: Iterable[int]) -> tuple[bool, int]:
    """Say whether an evaluation of some audiences is being taken in just now, and how many rows were of all so far."""
    where = (_TABLE.c.tenant == tenant) & _TABLE.c.audience.in_(list(audiences))
    taking = func.sum(case((_TABLE.c.state == "taking", 1), else_=0))
    going, rows = tx.core.execute(select(taking, func.sum(_TABLE.c.done)).where(where)).one()
    return bool(going), int(rows or 0)


def begun_since(tx: Transaction, tenant: int, audience: int, after: int, below: int) -> list[int]:
    """Return evaluations between two others of which some was taken in, and not all."""
    query = select(_TABLE.c.evaluation).where(
        _is_of(tenant, audience),
        _TABLE.c.evaluation > after,
        _TABLE.c.evaluation < below,
        _TABLE.c.state != "applied",
        _TABLE.c.done > 0,
    )
    return list(tx.core.execute(query.order_by(_TABLE.c.evaluation)).scalars())


def change(tx: Transaction, tenant: int, audience: int, number: int, **values: Any) -> None:
    """Note what became of an evaluation."""
    if values.get("reason") is not None:
        values["reason"] = storable(values["reason"])
    where = _is_of(tenant, audience) & (_TABLE.c.evaluation == number)
    tx.core.execute(update(_TABLE).where(where).values(**values))


def reject(
    tx: Transaction, tenant: int, audience: int, number: int, rejects: list[dict[str, Any]], most_listed: int
) -> None:
    """Count members who were rejected while they were taken in, and list them, as far as there is room."""
    known = get(tx, tenant, audience, number)
    if known is not None and rejects:
        listed = [*known.rejects, *rejects[: max(0, most_listed - len(known.rejects))]]
        change(tx, tenant, audience, number, rejected=known.rejected + len(rejects), rejects=listed)


def remove_of(tx: Transaction, tenant: int, audience: int) -> None:
    """Remove all evaluations of an audience, and what is known of its sources."""
    tx.core.execute(delete(_TABLE).where(_is_of(tenant, audience)))
    read_from(tx, tenant, audience, ())


# -- the datasets that queries read -----------------------------------------------------------------------------------


def read_from(tx: Transaction, tenant: int, audience: int, datasets: tuple[str, ...]) -> None:
    """Note which datasets the query of an audience reads."""
    table = audience_sources
    tx.core.execute(delete(table).where((table.c.tenant == tenant) & (table.c.audience == audience)))
    for dataset in dict.fromkeys(datasets):
        tx.core.execute(insert(table).values(tenant=tenant, audience=audience, dataset=dataset))


def sources(tx: Transaction, tenant: int) -> dict[int, list[str]]:
    """Return the datasets that the queries of audiences read."""
    table = audience_sources
    query = select(table.c.audience, table.c.dataset).where(table.c.tenant == tenant)
    found: dict[int, list[str]] = {}
    for row in tx.core.execute(query.order_by(table.c.audience, table.c.dataset)):
        found.setdefault(row.audience, []).append(row.dataset)
    return found


def sources_of(tx: Transaction, tenant: int, audience: int) -> list[str]:
    """Return the datasets that the query of an audience reads."""
    table = audience_sources
    query = select(table.c.dataset).where(table.c.tenant == tenant, table.c.audience == audience)
    return list(tx.core.execute(query.order_by(table.c.dataset)).scalars())


def readers(tx: Transaction, tenant: int, dataset: str) -> list[int]:
    """Return the audiences whose queries read a dataset."""
    table = audience_sources
    query = select(table.c.audience).where(table.c.tenant == tenant, table.c.dataset == dataset)
    return list(tx.core.execute(query.order_by(table.c.audience)).scalars())


def _is_of(tenant: int, audience: int) -> ColumnElement[bool]:
    return (_TABLE.c.tenant == tenant) & (_TABLE.c.audience == audience)


def _read(row: Any) -> Evaluation:
    values = {name: row[name] for name in _COLUMNS}
    return Evaluation(**values | {name: tuple(values[name]) for name in ("rejects", "snapshots")})
