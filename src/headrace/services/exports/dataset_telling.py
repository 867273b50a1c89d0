"""What is told of an export of datasets that was published, in the shape of the flow service."""

from dataclasses import dataclass
from typing import Any

from headrace.batch.export import Part
from headrace.datasets.added import How
from headrace.model.file_format import FileFormat
from headrace.services.exports.dataset_planning import MOST_ROWS, MOST_UNCOMPRESSED, DatasetPlan, OfDataset
from headrace.services.exports.telling import READING, WRITING, activity, skipped

Object = dict[str, Any]
_ERASED = "the row is of a person who was erased"


@dataclass(frozen=True, slots=True)
class Written:
    """
    What became of one dataset: its files, how its rows were found (``None``: nothing was looked at since), and how many
    of erased people were left out.

    ``why``: why all rows were written, although those that were added were asked for.
    """

    of: OfDataset
    parts: tuple[Part, ...] = ()
    how: How | None = None
    why: str | None = None
    erased: int = 0

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    def told(self) -> Object:
        """Return what people read of it."""
        earlier = self.of.earlier
        return {
            "id": self.of.id,
            "name": self.of.name,
            "snapshot": self.of.newest.stored.number,
            "since": earlier.stored.number if earlier is not None and self.how != "whole" else None,
            "how": self.how or "nothing-new",
            "rows": self.rows,
            "files": len(self.parts),
            **({"why": self.why} if self.why is not None else {}),
        }


def ended(plan: DatasetPlan, run: Object, written: list[Written], files: list[Object], look: FileFormat) -> Object:
    """Return what is noted of an export that was published; ``run`` is when it began and ended."""
    parts = [part for one in written for part in one.parts]
    records = {**_records(written, parts), **_sources(plan, written), **_targets(plan, written)}
    plain, size = sum(part.plain_size for part in parts), sum(part.size for part in parts)
    return {
        "rows": sum(part.rows for part in parts),
        "bytes": size,
        "parts": len(parts),
        "share": 1.0,
        "etaSeconds": 0,
        "files": files,
        "datasets": [one.told() for one in written],
        "warnings": [*_warnings(plan, written, look)],
        "metrics": {
            "latencySummary": None,
            "sizeSummary": {"inputBytes": plain, "outputBytes": size},
            "recordSummary": records,
            "fileSummary": {"inputFileCount": 0, "outputFileCount": len(parts)},
        },
        "activities": _activities(plan, run, records, parts),
        "published": True,
    }


def _activities(plan: DatasetPlan, run: Object, records: Object, parts: list[Part]) -> list[Object]:
    rows = sum(part.rows for part in parts)
    reading = {
        "sizeSummary": {"inputBytes": sum(part.plain_size for part in parts)},
        "recordSummary": records,
        "fileSummary": {},
    }
    writing = {
        "sizeSummary": {"outputBytes": sum(part.size for part in parts)},
        "recordSummary": {"outputRecordCount": rows, "createdRecordCount": rows},
        "fileSummary": {"outputFileCount": len(parts)},
    }
    named = (("reading", READING, reading), ("writing", WRITING, writing))
    return [activity(plan.run.run, run, id_, name, summaries) for id_, name, summaries in named]


def _records(written: list[Written], parts: list[Part]) -> Object:
    rows, erased = sum(part.rows for part in parts), sum(one.erased for one in written)
    return {
        "inputRecordCount": rows + erased,
        "outputRecordCount": rows,
        "createdRecordCount": rows,
        "skippedRecordCount": erased,
    }


def _sources(plan: DatasetPlan, written: list[Written]) -> Object:
    entities = [
        {"id": f"dataset:{one.of.id}", "inputRecordCount": one.rows + one.erased, "skippedRecordCount": one.erased}
        for one in written
    ]
    return {"sourceSummaries": [{"id": plan.parts.flow.source_connection_ids[0], "entitySummaries": entities}]}


def _targets(plan: DatasetPlan, written: list[Written]) -> Object:
    entities = [
        {"id": f"dataset:{one.of.id}", "outputRecordCount": one.rows, "createdRecordCount": one.rows} for one in written
    ]
    erased = sum(one.erased for one in written)
    left_out = [skipped("erased", _ERASED, erased)] if erased else []
    return {
        "targetSummaries": [{"id": plan.parts.target.id, "entitySummaries": entities}],
        "skippedInfo": left_out,
    }


def _warnings(plan: DatasetPlan, written: list[Written], look: FileFormat) -> list[str]:
    """Say what was not exported, what was exported once more, and what the original would not have taken."""
    found = [f"{name!r} was left out: {why}" for _, name, why in plan.left_out]
    found += [f"{one.of.name!r} was exported whole: {one.why}" for one in written if one.why is not None]
    is_plain = look.file_type == "parquet" and look.compression == "none"
    most = MOST_UNCOMPRESSED if is_plain else MOST_ROWS
    what = "in Parquet that is not compressed" if is_plain else "at once"
    found += [
        f"{one.of.name!r} has {one.rows} rows; up to {most} are advised {what}" for one in written if one.rows > most
    ]
    return found
