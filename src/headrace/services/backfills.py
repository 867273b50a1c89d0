"""
Backfills: runs that tell a partner of everybody an audience has already, or that take everybody out of it.

They are asked for in the transaction of what makes them necessary, and end with what they are about: an audience that
is no longer mapped, a dataflow that is deleted. ``backfilling.py`` carries them.
"""

from collections.abc import Iterator
from typing import Literal

from headrace.store import dataflows, profiles, runs
from headrace.store.database import Transaction
from headrace.store.runs import Run

KIND = "backfill"
#: ``mapped``: the audience takes part from now on; ``again``: an operator wants all members sent once more;
#: ``removed``: who is known to be a member is told to have left; ``forgotten``: the partner has deleted the audience.
Reason = Literal["mapped", "again", "removed", "forgotten"]


def ask(tx: Transaction, tenant: int, dataflow: str, audience: int, reason: Reason, actor: str, now: int) -> Run | None:
    """Ask for a backfill, unless there is nobody."""
    upto = profiles.last_number(tx, tenant)
    if not upto:
        return None
    subject = {"dataflow": dataflow, "audience": audience, "reason": reason}
    return runs.ask(tx, tenant, KIND, subject, actor, now, progress={"looked": 0, "of": upto})


def cancel(tx: Transaction, tenant: int, dataflow: str, why: str, now: int, audience: int | None = None) -> None:
    """End the backfills of a dataflow, or of one of its audiences, that have not ended."""
    for run in unended(tx, tenant, dataflow):
        if audience in (None, run.subject["audience"]) and run.subject["reason"] != "forgotten":
            runs.end(tx, run.run, "cancelled", now, why)


def unended(tx: Transaction, tenant: int, dataflow: str) -> Iterator[Run]:
    """Yield the backfills of a dataflow that have not ended."""
    for run in runs.unended(tx, KIND):
        if run.tenant == tenant and run.subject["dataflow"] == dataflow:
            yield run


def adopt(tx: Transaction, now: int) -> None:
    """Make a run of each backfill that an older version left: it goes on from where that had come."""
    for tenant, dataflow, audience, looked, of in dataflows.take_old_backfills(tx):
        subject = {"dataflow": dataflow, "audience": audience, "reason": "mapped"}
        runs.ask(tx, tenant, KIND, subject, "headrace", now, progress={"looked": looked, "of": of})
