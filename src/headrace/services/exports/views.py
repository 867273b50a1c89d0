"""An export as people see it: which files it writes of whom, how far it is, and what became of it."""

from collections.abc import Mapping
from typing import Any

from headrace.clock import iso
from headrace.services.exports import telling
from headrace.services.exports.due import export_of, moment_of
from headrace.services.exports.telling import FAILED
from headrace.store.audiences import StoredAudience
from headrace.store.runs import Run

Object = dict[str, Any]
_TOLD = ("rows", "bytes", "parts", "of", "share", "etaSeconds", "files", "datasets", "warnings")


def shown(run: Run, names: Mapping[int, StoredAudience]) -> Object:
    """Return what a run of files adds to the shape of the flow service."""
    subject, progress = run.subject, run.progress
    slot = subject["slot"]
    return {
        "export": export_of(run),
        "audiences": [_audience(names[number]) for number in subject["audiences"] if number in names],
        "slot": None if slot is None else iso(slot),
        "moment": iso(moment_of(run)),
        "besides": subject["besides"],
        "missed": subject.get("missed", 0),
        "tried": subject.get("tried", 0),
        "retryOf": run.retry_of,
        **{name: progress[name] for name in _TOLD if name in progress},
    }


def sources(run: Run, names: Mapping[int, StoredAudience], flow: Object) -> Object:
    """Return which audiences a run is about that has no metrics: its numbers are not known."""
    entities = [{"id": f"segment:{names[number].id}"} for number in run.subject["audiences"] if number in names]
    summaries = [{"id": id_, "entitySummaries": entities} for id_ in flow["sourceConnectionIds"]]
    return {"recordSummary": {"sourceSummaries": summaries}}


def failure_of(run: Run) -> Object | None:
    """Return why there are no files of a run that has ended, by the code that the original has for it."""
    if run.state not in ("failed", "cancelled"):
        return None
    cause = run.progress.get("cause") if run.state == "failed" else "cancelled"
    message = run.reason or f"the run was {run.state}"
    ours = {"x-headrace": {"cause": cause}} if cause is not None else {}
    return {"code": FAILED, "message": message, "type": "Error", **ours}


def broken_off(run: Run) -> list[Object]:
    """Return the steps of a run that failed; none, where it had not begun."""
    if run.began_at is None or run.ended_at is None:
        return []
    return telling.broken_off(run.run, run.began_at, run.ended_at, is_read=bool(run.progress.get("shown")))


def _audience(audience: StoredAudience) -> Object:
    return {"id": audience.id, "namespace": audience.namespace, "name": audience.name}
