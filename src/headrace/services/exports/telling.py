"""What is told of an export: how far it is, and in the end its metrics in the shape of the flow service."""

from dataclasses import dataclass, field
from typing import Any

from headrace.batch.export import Part
from headrace.batch.selection import Excluded, Outcome
from headrace.services.exports.planning import Plan

Object = dict[str, Any]
READING, WRITING = "Activation Batch XdmProcessor Activity", "Activation Batch Publisher Activity"
#: Codes of the original, of which no others are known: a run failed, and somebody has no row.
FAILED, SKIPPED = "ACTIVATION_BATCH-0000-FAILED", "ACTIVATION_BATCH-0000-SKIP"
_WHY: dict[Excluded, str] = {
    "missing-field": "a mandatory field has no value",
    "consent": "a consent policy withholds the person",
    "duplicate": "another person with the same deduplication key has the row",
    "too-large": "the row is too large for a file",
}


@dataclass(slots=True)
class Progress:
    """
    How far an export is; ``of`` is how many rows are expected, if that is known.

    Rows and bytes are of the parts that are whole and of the one under way.
    """

    began: float
    of: int | None
    parts: int = 0
    _rows: dict[int, int] = field(default_factory=dict)
    _sizes: dict[int, int] = field(default_factory=dict)

    def __call__(self, *, part: int, rows: int, size: int) -> None:
        """Hear of a piece, as ``batch.export`` tells it."""
        self.parts = max(self.parts, part)
        self._rows[part], self._sizes[part] = rows, size

    def told(self, now: float) -> Object:
        """Return what people see: rows, bytes, parts, and seconds that are left, as far as that can be said."""
        rows = sum(self._rows.values())
        told: Object = {"rows": rows, "bytes": sum(self._sizes.values()), "parts": self.parts, "of": self.of}
        if self.of and rows:
            told["share"] = round(min(rows / self.of, 1.0), 4)
            told["etaSeconds"] = round(max(self.of - rows, 0) * (now - self.began) / rows)
        return told


def ended(plan: Plan, run: Object, outcome: Outcome, parts: list[Part], written: list[Object]) -> Object:
    """Return what is noted of an export that was published; ``run`` is when it began and ended."""
    left_out = [_skipped(reason, count) for reason, count in outcome.excluded()]
    return {
        "rows": sum(part.rows for part in parts),
        "bytes": sum(part.size for part in parts),
        "parts": len(parts),
        "share": 1.0,
        "etaSeconds": 0,
        "files": written,
        "cut": outcome.cut,
        "metrics": _metrics(plan, outcome, parts, left_out),
        "activities": _activities(plan, run, outcome, parts, left_out),
        "published": True,
    }


def _metrics(plan: Plan, outcome: Outcome, parts: list[Part], left_out: list[Object]) -> Object:
    return {
        "latencySummary": None,
        "sizeSummary": {"inputBytes": sum(part.plain_size for part in parts), "outputBytes": _bytes(parts)},
        "recordSummary": {**_records(outcome, parts), **_sources(plan, outcome), **_targets(plan, outcome, left_out)},
        "fileSummary": {"inputFileCount": 0, "outputFileCount": len(parts)},
    }


def _activities(plan: Plan, run: Object, outcome: Outcome, parts: list[Part], left_out: list[Object]) -> list[Object]:
    """Return the two steps that the flow service knows: reading and making rows, and writing files."""
    rows = sum(part.rows for part in parts)
    reading = {
        "sizeSummary": {"inputBytes": sum(part.plain_size for part in parts)},
        "recordSummary": {**_records(outcome, parts), **_sources(plan, outcome), **_targets(plan, outcome, left_out)},
        "fileSummary": {},
    }
    writing = {
        "sizeSummary": {"outputBytes": _bytes(parts)},
        "recordSummary": {"outputRecordCount": rows, "createdRecordCount": rows},
        "fileSummary": {"outputFileCount": len(parts)},
    }
    named = (("reading", READING, reading), ("writing", WRITING, writing))
    return [activity(plan.run.run, run, id_, name, summaries) for id_, name, summaries in named]


def broken_off(run: str, began: int, ended: int, *, is_read: bool) -> list[Object]:
    """Return the two steps of a run that failed; ``is_read``: all rows were made, and writing files failed."""
    states = (("reading", READING, "success" if is_read else "failed"), ("writing", WRITING, "failed"))
    empty: Object = {"sizeSummary": {}, "recordSummary": {}, "fileSummary": {}}
    moments = {"beganAt": began, "endedAt": ended}
    return [activity(run, moments, id_, name, empty, status) for id_, name, status in states]


def activity(export: str, run: Object, id_: str, name: str, summaries: Object, status: str = "success") -> Object:
    """Return one step of a run, as the flow service has it; ``run`` is when it began and ended."""
    batches = {f"{kind}.{what}": "" for kind in ("incremental", "snapshot") for what in ("batchId", "datasetId")}
    return {
        "id": f"{export}:{id_}",
        "name": name,
        "updatedAtUTC": run["endedAt"],
        "durationSummary": {"startedAtUTC": run["beganAt"], "completedAtUTC": run["endedAt"]},
        "latencySummary": {},
        **summaries,
        "statusSummary": {"status": status, "extensions": batches if id_ == "reading" else {}},
        "sourceInfo": None,
        "targetInfo": None,
    }


def _records(outcome: Outcome, parts: list[Part]) -> Object:
    rows, received = sum(part.rows for part in parts), sum(one.received for one in outcome.audiences)
    return {
        "inputRecordCount": received,
        "outputRecordCount": rows,
        "createdRecordCount": rows,
        "skippedRecordCount": sum(count for _, count in outcome.excluded()),
    }


def _sources(plan: Plan, outcome: Outcome) -> Object:
    entities = [
        {
            "id": f"segment:{plan.chosen[one.number][0].id}",
            "inputRecordCount": one.received,
            "skippedRecordCount": sum(one.excluded.values()),
        }
        for one in outcome.audiences
    ]
    return {"sourceSummaries": [{"id": plan.parts.flow.source_connection_ids[0], "entitySummaries": entities}]}


def _targets(plan: Plan, outcome: Outcome, left_out: list[Object]) -> Object:
    entities = [
        {
            "id": f"segment:{plan.chosen[one.number][0].id}",
            "outputRecordCount": one.rows,
            "createdRecordCount": one.rows,
        }
        for one in outcome.audiences
    ]
    return {
        "targetSummaries": [{"id": plan.parts.target.id, "entitySummaries": entities}],
        "skippedInfo": left_out,
    }


def _skipped(reason: Excluded, count: int) -> Object:
    return skipped(reason, _WHY[reason], count)


def skipped(reason: str, message: str, count: int) -> Object:
    """Return why somebody has no row: the one code that the original has, and our reason."""
    return {
        "code": SKIPPED,
        "message": message,
        "count": count,
        "type": "Warning",
        "x-headrace": {"reason": reason},
    }


def _bytes(parts: list[Part]) -> int:
    return sum(part.size for part in parts)
