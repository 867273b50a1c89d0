"""The snapshot of each dataset that a dataflow has published last: a run that fails before that leaves it as it was."""

from dataclasses import dataclass

from headrace.store.database import Transaction

_PUT = """
    INSERT INTO exported_datasets (tenant, dataflow, dataset, snapshot, run, published_at)
    VALUES (:tenant, :dataflow, :dataset, :snapshot, :run, :published_at)
    ON CONFLICT (tenant, dataflow, dataset) DO UPDATE
    SET snapshot = excluded.snapshot, run = excluded.run, published_at = excluded.published_at
"""
_OF_DATAFLOW = """
    SELECT dataset, snapshot, run, published_at FROM exported_datasets
    WHERE tenant = :tenant AND dataflow = :dataflow ORDER BY dataset
"""
_OF_DATASET = "SELECT snapshot FROM exported_datasets WHERE tenant = :tenant AND dataset = :dataset"
_FORGET_ALL = "DELETE FROM exported_datasets WHERE tenant = :tenant AND dataflow = :dataflow"


@dataclass(frozen=True, slots=True)
class ExportedDataset:
    """The last export of a dataset that was published: the snapshot whose rows the partner has, and its run."""

    dataset: str
    snapshot: int
    run: str
    published_at: int


def put(tx: Transaction, tenant: int, dataflow: int, exported: ExportedDataset) -> None:
    """Note an export whose files are all there; the next one adds to it."""
    values = {name: getattr(exported, name) for name in ExportedDataset.__slots__}
    tx.run(_PUT, {"tenant": tenant, "dataflow": dataflow, **values})


def of_dataflow(tx: Transaction, tenant: int, dataflow: int) -> dict[str, ExportedDataset]:
    """Return what a dataflow has published last, by dataset."""
    rows = tx.run(_OF_DATAFLOW, {"tenant": tenant, "dataflow": dataflow})
    return {row[0]: ExportedDataset(*row) for row in rows}


def snapshots_of(tx: Transaction, tenant: int, dataset: str) -> set[int]:
    """Return the snapshots of a dataset that the next exports are held against."""
    return {number for (number,) in tx.run(_OF_DATASET, {"tenant": tenant, "dataset": dataset})}


def forget_all(tx: Transaction, tenant: int, dataflow: int) -> None:
    """Forget what a dataflow has published."""
    tx.run(_FORGET_ALL, {"tenant": tenant, "dataflow": dataflow})
