"""Activation: dataflows, the audiences they send and the mapping of what they send."""

import uuid
from collections.abc import Iterator
from typing import Any

from jsonpath import JSONPatch
from jsonpath.exceptions import JSONPatchError, JSONPatchTestFailure, JSONPointerError

from headrace.clock import Clock
from headrace.errors import AccountError, Conflict, NotFound, RequestError
from headrace.mapping.paths import parse as parse_path
from headrace.model.block import read
from headrace.model.destination import Destination, IdentityNamespace
from headrace.model.flow import IDENTITY_PATH, FieldMapping, Flow
from headrace.model.problem import ConfigurationError, Problem
from headrace.services.accounts import SOURCE, TARGET
from headrace.services.authoring import DESTINATION, lenient
from headrace.services.caller import Caller
from headrace.store import access, audiences, audit, dataflows, documents, outbox, profiles
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow

DATAFLOW = "dataflow"
_AUDIENCES = "/transformations/0/params/segmentSelectors/selectors"
_MAPPING = "/transformations/0/params/profileSelectors/selectors"


class StaleVersion(RequestError):
    """The object was changed by somebody else since it was read."""

    code = "stale-version"


async def create(store: Store, clock: Clock, caller: Caller, document: object) -> StoredDataflow:
    """
    Keep a dataflow and set it going.

    Raises:
        ConfigurationError: with every problem of its audiences, its mapping and what it points to.
    """
    flow, _ = read(Flow, document)
    now, id_ = clock.now(), str(uuid.uuid4())
    kept = _kept(document)

    def work(tx: Transaction) -> StoredDataflow:
        _refuse(tx, caller, flow)
        stored = dataflows.add(tx, caller.number, id_, kept, now)
        _follow_audiences(tx, caller, stored, flow, now)
        _note(tx, caller, "create", stored, now)
        return stored

    return await store.write(work)


async def get(store: Store, caller: Caller, id_: str) -> StoredDataflow:
    """
    Return a dataflow.

    Raises:
        NotFound: it is not in this sandbox.
    """
    return await store.read(lambda tx: _existing(tx, caller, id_))


async def listing(store: Store, caller: Caller) -> list[StoredDataflow]:
    """Return the dataflows of a sandbox, newest first."""
    return await store.read(lambda tx: dataflows.all_of(tx, caller.number))


async def patch(
    store: Store, clock: Clock, caller: Caller, id_: str, version: str, operations: list[dict[str, Any]]
) -> StoredDataflow:
    """
    Change a dataflow by JSON Patch (RFC 6902), operations in their order.

    Raises:
        StaleVersion: ``version`` is not the one that is stored.
        ConfigurationError: a path is not there, or what would come out is not right.
    """
    now = clock.now()

    def work(tx: Transaction) -> StoredDataflow:
        stored = _existing(tx, caller, id_)
        if version != etag(stored):
            raise StaleVersion(f"the version {version} that you have is not the current one, {etag(stored)}: read it again")
        document = _patched(stored.document, operations)
        flow, _ = read(Flow, document)
        _refuse(tx, caller, flow)
        if not dataflows.change(tx, stored, now, document=_kept(document)):
            raise Conflict
        _follow_audiences(tx, caller, stored, flow, now)
        _note(tx, caller, "replace", stored, now)
        return _existing(tx, caller, id_)

    return await store.write(work)


async def switch(store: Store, clock: Clock, caller: Caller, id_: str, *, on: bool) -> StoredDataflow:
    """Enable a dataflow, whatever stopped it, or disable it: nothing is sent, and what happens meanwhile waits."""
    now = clock.now()

    def work(tx: Transaction) -> StoredDataflow:
        stored = _existing(tx, caller, id_)
        state = "enabled" if on else "disabled"
        if not dataflows.change(tx, stored, now, state=state, reason=None):
            raise Conflict
        _note(tx, caller, "enable" if on else "disable", stored, now)
        return _existing(tx, caller, id_)

    return await store.write(work)


async def delete(store: Store, clock: Clock, caller: Caller, id_: str) -> None:
    """Delete a dataflow. What waited to be sent is withheld, and counted so; its ledger and parked changes stay."""
    now = clock.now()

    def work(tx: Transaction) -> None:
        stored = _existing(tx, caller, id_)
        if not dataflows.change(tx, stored, now, state="deleted", deleted_at=now):
            raise Conflict
        outbox.withhold(tx, caller.number, stored.dataflow)
        for audience in dataflows.mapped_audiences(tx, caller.number, stored.dataflow):
            dataflows.unmap_audience(tx, caller.number, stored.dataflow, audience)
        _note(tx, caller, "delete", stored, now)

    await store.write(work)


def etag(stored: StoredDataflow) -> str:
    """Return a dataflow's version as the flow service writes it, quotes included."""
    return f'"{stored.dataflow}-{stored.version}"'


def problems_of(flow: Flow, destination: Destination) -> Iterator[Problem]:
    """Say what is wrong with the audiences and the mapping of a dataflow, given its destination."""
    yield from _audience_problems(flow, destination)
    rows = flow.mapping
    for place, row in enumerate(rows):
        yield from _row_problems(row, destination, f"{_MAPPING}/{place}/value")
    identities = [row for row in rows if row.destination.startswith(IDENTITY_PATH)]
    if flow.audiences and not identities:
        names = ", ".join(destination.identity_namespaces)
        yield Problem("no-identity", _MAPPING, f"map at least one target identity of: {names}; else nobody can be told of")
    yield from _limit_problems(len(rows) - len(identities), len(identities), destination)
    targets = [row.destination for row in rows if not row.destination.startswith(IDENTITY_PATH)]
    for name in sorted({name for name in targets if targets.count(name) > 1}):
        yield Problem("mapped-twice", _MAPPING, f"two rows go to the target `{name}`")


def _audience_problems(flow: Flow, destination: Destination) -> Iterator[Problem]:
    schema = destination.schema_config
    allowed = schema.segment_namespace_allow_list if schema is not None else None
    denied = schema.segment_namespace_deny_list if schema is not None else None
    for place, selector in enumerate(flow.audiences):
        origin, where = selector.namespace, f"{_AUDIENCES}/{place}/value/namespace"
        if (allowed and origin not in allowed) or (denied and origin in denied):
            yield Problem("origin-denied", where, f"this destination does not take audiences of the origin {origin!r}")


def _row_problems(row: FieldMapping, destination: Destination, where: str) -> Iterator[Problem]:
    if not row.source.startswith(IDENTITY_PATH):
        try:
            parse_path(row.source)
        except AccountError as error:
            yield Problem("invalid-path", f"{where}/path", error.message)
    if row.destination.startswith(IDENTITY_PATH):
        yield from _identity_problems(row, destination, where)
    elif row.source.startswith(IDENTITY_PATH):
        yield Problem("not-mappable", where, f"`{row.source}` is an identity: map it to an `identityMap.` target")
    elif destination.has_predefined_attributes:
        schema = destination.schema_config
        names = [field.name for field in (schema.profile_fields if schema is not None else None) or ()]
        if row.destination not in names:
            message = f"`{row.destination}` is not an attribute of this destination; these are: {', '.join(names)}"
            yield Problem("unknown-target", f"{where}/mapping/destination", message)


def _identity_problems(row: FieldMapping, destination: Destination, where: str) -> Iterator[Problem]:
    target = row.destination.removeprefix(IDENTITY_PATH)
    namespace = destination.identity_namespaces.get(target)
    if namespace is None:
        names = ", ".join(destination.identity_namespaces)
        message = f"`{target}` is not an identity namespace of this destination; these are: {names}"
        yield Problem("unknown-target", f"{where}/mapping/destination", message)
        return
    if not _accepts(namespace, row.source):
        yield Problem("not-mappable", f"{where}/path", f"`{row.source}` may not be mapped to the identity `{target}`")
    wanted = row.extension.transformation
    if wanted is not None and wanted != namespace.transformation:
        yield Problem("no-transformation", where, f"the identity `{target}` offers no transformation to apply")


def _accepts(namespace: IdentityNamespace, source: str) -> bool:
    if not source.startswith(IDENTITY_PATH):
        return namespace.accepts_attributes
    accepted = namespace.accepted_global_namespaces
    return namespace.accepts_custom_namespaces or source.removeprefix(IDENTITY_PATH) in accepted


def _limit_problems(attributes: int, identities: int, destination: Destination) -> Iterator[Problem]:
    for count, most, noun in (
        (attributes, destination.max_profile_attributes, "attributes"),
        (identities, destination.max_identity_attributes, "identities"),
    ):
        if count > most:
            yield Problem("too-many", _MAPPING, f"{count} {noun} are mapped; this destination takes {most} at most")


def _refuse(tx: Transaction, caller: Caller, flow: Flow) -> None:
    """Raise every problem of a dataflow, in the transaction that would keep it."""
    problems: list[Problem] = []
    if documents.get(tx, caller.number, SOURCE, flow.source_connection_ids[0]) is None:
        problems.append(Problem("unknown-source", "/sourceConnectionIds/0", "there is no such source connection"))
    target = documents.get(tx, caller.number, TARGET, flow.target_connection_ids[0])
    if target is None:
        problems.append(Problem("unknown-target", "/targetConnectionIds/0", "there is no such target connection"))
    else:
        stored = documents.get(tx, caller.number, DESTINATION, target.document["connectionSpec"]["id"])
        assert stored is not None, "a destination with a target connection is not deleted"
        problems += problems_of(flow, lenient(Destination, stored))
    if problems:
        raise ConfigurationError(problems)


def _follow_audiences(tx: Transaction, caller: Caller, stored: StoredDataflow, flow: Flow, now: int) -> None:
    """Note which audiences are mapped from now on; those who are members of a new one are sent first."""
    mapped = dataflows.mapped_audiences(tx, caller.number, stored.dataflow)
    upto = profiles.last_number(tx, caller.number)
    wanted = {
        audiences.number(tx, caller.number, item.namespace, item.id, item.name, now) for item in flow.audiences
    }
    for audience in sorted(wanted - mapped.keys()):
        dataflows.map_audience(tx, caller.number, stored.dataflow, audience, upto, now)
    for audience in mapped.keys() - wanted:
        dataflows.unmap_audience(tx, caller.number, stored.dataflow, audience)


def _patched(document: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    lowered = [{**operation, "op": str(operation.get("op", "")).lower()} for operation in operations]
    try:
        patched: dict[str, Any] = JSONPatch(lowered).apply(_kept(document))
    except (JSONPatchError, JSONPatchTestFailure, JSONPointerError) as error:
        raise ConfigurationError([Problem("patch", "", f"the patch does not apply: {error}")]) from None
    return patched


def _kept(document: object) -> dict[str, Any]:
    """Return a dataflow's document as it is stored: with its one transformation, which later patches address."""
    assert isinstance(document, dict)
    kept = {key: value for key, value in document.items() if key not in Flow.ignored}
    empty = {"segmentSelectors": {"selectors": []}, "profileSelectors": {"selectors": []}}
    given = (kept.get("transformations") or [{}])[0]
    params = {**empty, **given.get("params", {})}
    return {**kept, "transformations": [{"name": "GeneralTransform", **given, "params": params}]}


def _existing(tx: Transaction, caller: Caller, id_: str) -> StoredDataflow:
    stored = dataflows.get(tx, caller.number, id_)
    if stored is None:
        raise NotFound(f"there is no dataflow {id_!r} here")
    return stored


def _note(tx: Transaction, caller: Caller, action: str, stored: StoredDataflow, now: int) -> None:
    audit.note(tx, caller.number, caller.client_id, action, DATAFLOW, stored.id, now, stored.version)
    access.raise_configuration(tx, caller.number)


