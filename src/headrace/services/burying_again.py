"""
Erasing again in a store that was restored: who was erased after the backup is kept out at once, and removed by a run.

The record of erasures names them by hashes alone, so the run looks at everybody.
"""

import uuid
from collections.abc import Sequence

from headrace.services.erasure_log import Line
from headrace.services.erasures import KIND
from headrace.store import access, erasures, runs
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.erasures import Erasure


def bury_again(tx: Transaction, lines: Sequence[Line], actor: str, now: int) -> int:
    """
    Keep out of a restored store whom a record says was erased, and ask for the runs that remove them once more.

    Returns how many erasures the store did not know of.
    """
    return sum(_bury_in(tx, tenant, lines, actor, now) for tenant in access.all_tenants(tx))


def _bury_in(tx: Transaction, tenant: Tenant, lines: Sequence[Line], actor: str, now: int) -> int:
    number = tenant.tenant
    mine = [line for line in lines if line.sandbox == tenant.sandbox_id]
    lifted = {line.erasure: line.at for line in mine if line.hash is None}
    known = erasures.tombstones_of(tx, number)
    there = {item.erasure: item for item in erasures.latest(tx, number, 1 << 31)}
    for id_, at in lifted.items():
        if id_ in there and erasures.lift(tx, number, id_):
            erasures.change(tx, number, id_, lifted_at=at)
    news: dict[str, list[Line]] = {}
    for line in mine:
        if line.hash is not None and line.hash not in known and line.erasure not in lifted:
            news.setdefault(line.erasure, []).append(line)
    for id_, some in news.items():
        if id_ not in there:
            erasures.add(tx, Erasure(number, id_, "done", None, actor, some[0].at, removed_at=now, ended_at=now))
        erasures.bury(tx, number, id_, [line.hash for line in some if line.hash is not None])
    if news:
        _ask(tx, number, actor, now)
    return len(news)


def _ask(tx: Transaction, tenant: int, actor: str, now: int) -> None:
    """Ask that everybody who is kept out be removed: whom a record names by hashes alone is found by looking at all."""
    subject = {"namespace": "", "id": "", "everybody": False, "buried": True}
    asked = Erasure(tenant, str(uuid.uuid4()), "asked", subject, actor, now)
    erasures.add(tx, asked)
    runs.ask(tx, tenant, KIND, {"erasure": asked.erasure}, actor, now)
