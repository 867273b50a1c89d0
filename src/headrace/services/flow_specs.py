"""Kinds of dataflows, and what a dataflow takes over from its connections, as clients of the flow service read them."""

from collections.abc import Iterable
from typing import Any

from headrace.model.flow import DATA_LAKE_SPEC, PROFILE_STORE_SPEC, STREAMING_FLOW_SPEC
from headrace.services.accounts import SOURCE, TARGET
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog
from headrace.store import documents
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.documents import Declared

Object = dict[str, Any]
_TYPE = {"type": "ProfileFragments", "id": "ups"}


async def streaming(store: Store, caller: Caller) -> Object:
    """Return the kind of dataflow that sends people of the profile store to the destinations of a sandbox."""
    targets = await store.read(lambda tx: [edition.id for edition in Catalog(tx, caller.tenant).listing()])
    return {
        "id": STREAMING_FLOW_SPEC,
        "name": "Profiles to streaming destinations",
        "version": "1.0",
        "providerId": "headrace",
        "sourceConnectionSpecIds": [PROFILE_STORE_SPEC],
        "targetConnectionSpecIds": targets,
        "attributes": {"isDestinationFlow": True, "frequency": "streaming"},
    }


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
