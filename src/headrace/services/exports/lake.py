"""Datasets that dataflows export as they are: which, by the source connections that they begin with."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from headrace.model.flow import Flow, NamedDatasets, SourceConnection
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.reading import read
from headrace.services.checks import lenient
from headrace.store import documents
from headrace.store.database import Transaction

DATASET, SOURCE = "dataset", "source-connection"
_DATASETS = "datasets"


def datasets_of(tx: Transaction, tenant: int, flow: Flow) -> dict[str, str] | None:
    """Return the names of the datasets that a dataflow exports, by id; ``None``: it sends people."""
    source = _source(tx, tenant, flow)
    if source is None or not source.is_of_datasets:
        return None
    named = lenient(NamedDatasets, _said(source.params)).datasets
    return {item.data_set_id: item.name or _name_of(tx, tenant, item.data_set_id) for item in named}


def is_of_datasets(tx: Transaction, tenant: int, source: object) -> bool:
    """Say whether the source connection of an id names datasets, and not the profile store."""
    found = documents.get(tx, tenant, SOURCE, source) if isinstance(source, str) else None
    return found is not None and lenient(SourceConnection, found.document).is_of_datasets


def check(tx: Transaction, tenant: int, source: SourceConnection) -> Iterator[Problem]:
    """Say what is wrong with the datasets that a source connection names, if it is of any."""
    if not source.is_of_datasets:
        return
    try:
        named, _ = read(NamedDatasets, _said(source.params))
    except ConfigurationError as error:
        yield from (replace(problem, pointer=f"/params{problem.pointer}") for problem in error.problems)
        return
    for place, item in enumerate(named.datasets):
        if documents.get(tx, tenant, DATASET, item.data_set_id) is None:
            message = f"there is no dataset {item.data_set_id!r} in this sandbox"
            yield Problem("unknown-dataset", f"/params/datasets/{place}/dataSetId", message)


def check_same(before: SourceConnection, after: SourceConnection) -> Iterator[Problem]:
    """Say that a source connection would be of other datasets, or of datasets at all: it stays what it is."""
    if before.is_of_datasets != after.is_of_datasets:
        message = "people and datasets do not come from one connection; make another source connection"
        yield Problem("not-allowed", "/connectionSpec/id", message)
    elif before.is_of_datasets and _said(before.params) != _said(after.params):
        message = "the datasets stay those that were named first: make another source connection, and have the "
        yield Problem("not-allowed", "/params/datasets", f"{message}dataflow begin with it (`/sourceConnectionIds`)")


def _source(tx: Transaction, tenant: int, flow: Flow) -> SourceConnection | None:
    found = documents.get(tx, tenant, SOURCE, flow.source_connection_ids[0])
    return lenient(SourceConnection, found.document) if found is not None else None


def _name_of(tx: Transaction, tenant: int, id_: str) -> str:
    found = documents.get(tx, tenant, DATASET, id_)
    return str(found.document["name"]) if found is not None else id_


def _said(params: Mapping[str, Any]) -> dict[str, Any]:
    return {_DATASETS: params[_DATASETS]} if _DATASETS in params else {}
