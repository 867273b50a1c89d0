"""Evaluations are asked for: by people, by a schedule, by a new snapshot of a dataset, by an upload."""

from typing import Any

from headrace.errors import Conflict
from headrace.services.in_use import AUDIENCE
from headrace.store import audiences, documents, evaluations, runs
from headrace.store.database import Transaction
from headrace.store.evaluations import Evaluation
from headrace.store.runs import Run

#: The kind of runs that evaluate audiences.
EVALUATE = "audience-evaluation"
_CANCELLED = "its run was cancelled: what was taken in until then stays, and the next evaluation puts it right"


def schedule_of(id_: str) -> str:
    """Return the id of the schedule by which an audience is evaluated."""
    return f"audience-{id_}"


def ask(tx: Transaction, tenant: int, audience: int, cause: str, actor: str, now: int, **more: Any) -> Evaluation:
    """
    Ask for an evaluation.

    One of the same part that waits to be begun already does as well, if the members do not come with it.
    """
    last = next(iter(evaluations.latest(tx, tenant, audience, 1)), None)
    is_same = last is not None and last.cause != "upload" and last.part == more.get("part", "all")
    if cause != "upload" and last is not None and last.state == "asked" and is_same:
        return last
    number = evaluations.next_number(tx, tenant, audience)
    run = runs.ask(tx, tenant, EVALUATE, {"audience": audience, "evaluation": number}, actor, now)
    return add(tx, tenant, audience, number, run, cause, now, **more)


def add(
    tx: Transaction, tenant: int, audience: int, number: int, run: Run, cause: str, now: int, **more: Any
) -> Evaluation:
    """
    Add an evaluation for a run.

    Raises:
        Conflict: the audience was deleted.
    """
    stored = audiences.get(tx, tenant, audience)
    known = None if stored is None else documents.get(tx, tenant, AUDIENCE, stored.id)
    if known is None:
        raise Conflict("the audience was deleted")
    made = Evaluation(audience, number, known.version, run.run, cause, more.pop("part", "all"), "asked", now, **more)
    evaluations.add(tx, tenant, made)
    return made


def ask_after_snapshot(tx: Transaction, tenant: int, dataset: str, actor: str, now: int) -> None:
    """Ask for evaluations of the audiences that want one when a dataset has a new snapshot."""
    for audience in evaluations.readers(tx, tenant, dataset):
        stored = audiences.get(tx, tenant, audience)
        known = None if stored is None else documents.get(tx, tenant, AUDIENCE, stored.id)
        if known is not None and known.document.get("onSnapshot"):
            ask(tx, tenant, audience, "snapshot", actor, now)


def note_cancelled(tx: Transaction, run: Run) -> None:
    """Note that the run of an evaluation was cancelled."""
    found = evaluations.of_run(tx, run.tenant, run.subject["audience"], run.run)
    if found is not None and found.state in evaluations.OPEN:
        ended = {"state": "failed", "reason": _CANCELLED, "ended_at": run.ended_at}
        evaluations.change(tx, run.tenant, found.audience, found.evaluation, **ended)
