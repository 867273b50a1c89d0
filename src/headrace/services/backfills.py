"""
Backfills: runs that tell a partner of everybody an audience has already, or that take everybody out of it.

They are asked for in the transaction of what makes them necessary, and end with what they are about: an audience that
is no longer mapped, a dataflow that is deleted. ``backfilling.py`` carries them.
"""

from collections.abc import Iterator
from typing import Literal

from headrace.store import dataflows, profiles, runs
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.runs import Run

KIND = "backfill"
#: ``mapped``: the audience takes part from now on; ``again``: an operator wants all members sent once more;
#: ``removed``: who is known to be a member is told to have left; ``forgotten``: the partner has deleted the audience.
Reason = Literal["mapped", "again", "removed", "forgotten"]


def ask(tx: Transaction, stored: StoredDataflow, audience: int, reason: Reason, actor: str, now: int) -> Run | None:
    """Ask for a backfill, unless there is nobody."""
    upto = profiles.last_number(tx, stored.tenant)
    if not upto:
        return None
    (target,) = stored.document["targetConnectionIds"]
    subject = {"dataflow": stored.id, "target": target, "audience": audience, "reason": reason}
    return runs.ask(tx, stored.tenant, KIND, subject, actor, now, progress={"looked": 0, "of": upto})


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


def last_sent_again(tx: Transaction, tenant: int, dataflow: str, audience: int, after: int) -> int | None:
    """Return when an audience was last asked to be sent again, if that is later, and was not given up."""
    for run in runs.asked_after(tx, tenant, KIND, after):
        about = (run.subject["dataflow"], run.subject["audience"], run.subject["reason"])
        if about == (dataflow, audience, "again") and run.state not in ("failed", "cancelled"):
            return run.asked_at
    return None


def adopt(tx: Transaction, now: int) -> None:
    """Make a run of each backfill that an older version left: it goes on from where that had come."""
    for tenant, dataflow, audience, looked, of in dataflows.take_old_backfills(tx):
        stored = dataflows.get(tx, tenant, dataflow)
        if stored is None:
            continue
        (target,) = stored.document["targetConnectionIds"]
        subject = {"dataflow": dataflow, "target": target, "audience": audience, "reason": "mapped"}
        runs.ask(tx, tenant, KIND, subject, "headrace", now, progress={"looked": looked, "of": of})
