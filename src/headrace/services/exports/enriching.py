"""
Enrichment: columns of an audience's upload, which belong to its memberships and not to people, as columns of files.

Those that the operator's mapping set names, under the names that it gives them; without one, all there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from headrace.batch.selection import AudienceWanted, Wanted
from headrace.datasets.members import KEY, LIST
from headrace.errors import Conflict
from headrace.model.flow import SegmentSelectorValue
from headrace.services.mapping_sets import MAPPING_SET
from headrace.store import documents, evaluations
from headrace.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Upload:
    """The list of members whose columns are wanted: of which evaluation, and which of them, as files call each."""

    evaluation: int
    columns: Mapping[str, str] | None


def upload_of(tx: Transaction, tenant: int, audience: int, selector: SegmentSelectorValue) -> Upload | None:
    """
    Return whose columns an audience's files have besides; ``None``: nobody's.

    Raises:
        Conflict: they are to be named by a mapping set that is not there.
    """
    said = selector.enrichment_info or {}
    if not said or said.get("enabled") is False:
        return None
    evaluation = evaluations.last_applied(tx, tenant, audience)
    return Upload(evaluation, _named(tx, tenant, said)) if evaluation is not None else None


def _named(tx: Transaction, tenant: int, said: Mapping[str, object]) -> dict[str, str] | None:
    reference = said.get("mappingSet")
    id_ = reference.get("id") if isinstance(reference, dict) else None
    if not isinstance(id_, str):
        return None
    known = documents.get(tx, tenant, MAPPING_SET, id_)
    if known is None:
        raise Conflict(f"the mapping set {id_!r} of the audience's enrichment is not there")
    return {row["destination"]: row["source"] for row in known.document["mappings"]}


def enriched(wanted: Wanted, uploads: Mapping[int, Upload], lists: Path) -> Wanted:
    """Return what is wanted with the columns of uploads; ``lists`` are the lists of the sandbox's audiences."""
    return replace(wanted, audiences=tuple(_enriched(one, uploads.get(one.number), lists) for one in wanted.audiences))


def _enriched(one: AudienceWanted, upload: Upload | None, lists: Path) -> AudienceWanted:
    if upload is None:
        return one
    files = sorted((lists / str(one.number) / str(upload.evaluation) / LIST).glob("*.parquet"))
    columns = upload.columns if upload.columns is not None else _all_of(files)
    return replace(one, enrichment=columns, uploaded=tuple(map(str, files))) if files else one


def _all_of(files: list[Path]) -> dict[str, str]:
    """Return all columns of a list, under their own names but for dots."""
    names = pq.read_schema(files[0]).names if files else []
    return {name.replace(".", "_"): name for name in names if name != KEY}
