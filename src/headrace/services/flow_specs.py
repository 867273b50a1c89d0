"""Kinds of dataflows, and what a dataflow takes over from its connections, as clients of the flow service read them."""

from collections.abc import Iterable
from typing import Any

from headrace.model.flow import DATA_LAKE_SPEC, DATASET_FLOW_SPEC, PROFILE_STORE_SPEC, STREAMING_FLOW_SPEC
from headrace.services.accounts import SOURCE, TARGET
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog
from headrace.store import documents
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.documents import Declared

Object = dict[str, Any]
_TYPE = {"type": "ProfileFragments", "id": "ups"}


async def kinds(store: Store, caller: Caller) -> list[Object]:
    """Return the kinds of dataflows: of people of the profile store, and of datasets, each with its destinations."""
    editions = await store.read(lambda tx: [*Catalog(tx, caller.tenant).listing()])
    of_people = [edition.id for edition in editions if not edition.destination.exports_datasets]
    of_datasets = [edition.id for edition in editions if edition.destination.exports_datasets]
    return [
        _kind(STREAMING_FLOW_SPEC, "Profiles to streaming destinations", PROFILE_STORE_SPEC, of_people, "streaming"),
        _kind(DATASET_FLOW_SPEC, "Datasets to file destinations", DATA_LAKE_SPEC, of_datasets, "scheduled"),
    ]


def _kind(id_: str, name: str, source: str, targets: list[str], frequency: str) -> Object:
    return {
        "id": id_,
        "name": name,
        "version": "1.0",
        "providerId": "headrace",
        "sourceConnectionSpecIds": [source],
        "targetConnectionSpecIds": targets,
        "attributes": {"isDestinationFlow": True, "frequency": frequency},
    }


def of_flow(inherited: Object) -> Object:
    """Return the kind that a dataflow is of which names none, by what it takes over from its connections."""
    sources = {item["connectionSpec"]["id"] for item in inherited["sourceConnections"]}
    return {"id": DATASET_FLOW_SPEC if DATA_LAKE_SPEC in sources else STREAMING_FLOW_SPEC, "version": "1.0"}


async def inherited(store: Store, caller: Caller, flows: Iterable[StoredDataflow]) -> dict[str, Object]:
    """Return, by dataflow, what it takes over from its connections: clients filter by it."""

    def look(tx: Transaction) -> dict[str, Object]:
        sources, targets = (
            {item.id: item for item in documents.all_of(tx, caller.number, noun)} for noun in (SOURCE, TARGET)
        )
        return {flow.id: _inherited(flow.document, sources, targets) for flow in flows}

    return await store.read(look)


def _inherited(document: Object, sources: dict[str, Declared], targets: dict[str, Declared]) -> Object:
    held = [sources[id_] for id_ in document["sourceConnectionIds"] if id_ in sources]
    told = [targets[id_] for id_ in document["targetConnectionIds"] if id_ in targets]
    return {
        "properties": {"isDestinationFlow": True},
        "sourceConnections": [{**_spec(item), **_type_of(item)} for item in held],
        "targetConnections": [_target(item) for item in told],
    }


def _type_of(item: Declared) -> Object:
    """Say that a source is the profile store; datasets have no such word."""
    return {} if item.document["connectionSpec"]["id"] == DATA_LAKE_SPEC else {"typeInfo": _TYPE}


def _spec(item: Declared) -> Object:
    return {"id": item.id, "connectionSpec": {"version": "1.0", **item.document["connectionSpec"]}}


def _target(item: Declared) -> Object:
    account = item.document.get("baseConnectionId")
    shown = _spec(item)
    if account is None:
        return shown
    return {**shown, "baseConnection": {"id": account, "connectionSpec": shown["connectionSpec"]}}
