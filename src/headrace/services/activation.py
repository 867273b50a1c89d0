"""Activation: dataflows, the audiences they send and the mapping of what they send."""

import uuid
from collections.abc import Iterator
from typing import Any

from headrace.clock import Clock
from headrace.errors import Conflict, HeadraceError, NotFound, StaleVersion, TooManyCalls
from headrace.model.destination import Destination
from headrace.model.flow import DATA_LAKE_SPEC, Flow
from headrace.model.governance import references_in
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.reading import read
from headrace.services import backfills, consent_policies, mapping_sets, resyncs
from headrace.services.accounts import ACCOUNT, SOURCE, TARGET
from headrace.services.at_partner import wanting
from headrace.services.at_partner.wanting import Place
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog
from headrace.services.checks import lenient
from headrace.services.exports import due, lake, looks
from headrace.services.governance import holding
from headrace.services.looked_up import attributes_of
from headrace.services.looking_up import LookUps, Question
from headrace.services.patching import Operations, patched
from headrace.services.rules import problems_of, warnings_of
from headrace.store import access, audiences, audit, dataflows, documents, outbox, parked_messages
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow

DATAFLOW = "dataflow"


async def create(
    store: Store, clock: Clock, caller: Caller, document: object, lookups: LookUps | None = None
) -> StoredDataflow:
    """
    Keep a dataflow and set it going.

    Without ``lookups`` no partner is asked, and a mapping that hangs on its schema is refused.

    Raises:
        ConfigurationError: with every problem of its audiences, its mapping and what it points to.
        PolicyViolation: policies deny it.
    """
    read(Flow, document)
    now, id_ = clock.now(), str(uuid.uuid4())
    kept = await store.read(lambda tx: mapping_sets.resolved(tx, caller, _kept(tx, caller, document)))
    flow, _ = read(Flow, kept)
    attributes = await _fetched(store, caller, lookups, flow)

    def work(tx: Transaction) -> StoredDataflow:
        mapping_sets.resolved(tx, caller, kept)  # It must be there still.
        _refuse(tx, caller, flow, attributes)
        holding.refuse_violating(tx, caller, id_, flow)
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
    store: Store,
    clock: Clock,
    caller: Caller,
    id_: str,
    version: str,
    operations: Operations,
    lookups: LookUps | None = None,
    *,
    exits: bool = False,
) -> StoredDataflow:
    """
    Change a dataflow by JSON Patch (RFC 6902), operations in their order; ``lookups`` as in ``create``.

    With ``exits``, whoever a partner knows of an audience that is taken out, and that it cannot delete, is told to have
    left it.

    Raises:
        StaleVersion: ``version`` is not the one that is stored.
        ConfigurationError: a path is not there, or what would come out is not right.
        PolicyViolation: policies deny what would come out.
    """
    now = clock.now()

    def look(tx: Transaction) -> tuple[StoredDataflow, dict[str, Any]]:
        stored = _existing(tx, caller, id_)
        if version != etag(stored):
            raise StaleVersion(f"the version {version} is not the current one, {etag(stored)}: read the dataflow again")
        return stored, patched(_kept(tx, caller, stored.document), operations, DATAFLOW)

    seen, document = await store.read(look)
    read(Flow, document)
    document = await store.read(lambda tx: mapping_sets.resolved(tx, caller, _kept(tx, caller, document)))
    flow, _ = read(Flow, document)
    is_remapped = _sent(flow) != _sent(lenient(Flow, seen.document))
    attributes = await _fetched(store, caller, lookups, flow) if is_remapped else None

    def work(tx: Transaction) -> StoredDataflow:
        stored, _ = look(tx)
        mapping_sets.resolved(tx, caller, document)  # It must be there still.
        _refuse(tx, caller, flow, attributes)
        holding.refuse_violating(tx, caller, id_, flow, was=stored)
        if not dataflows.change(tx, stored, now, document=document):
            raise Conflict
        _follow_audiences(tx, caller, stored, flow, now, lenient(Flow, stored.document), exits=exits)
        if set(references_in(stored.document.get("policy"))) != set(references_in(document.get("policy"))):
            consent_policies.ask(tx, caller.number, caller.actor, now)
        _note(tx, caller, "replace", stored, now)
        return _existing(tx, caller, id_)

    return await store.write(work)


async def switch(store: Store, clock: Clock, caller: Caller, id_: str, *, on: bool) -> StoredDataflow:
    """
    Enable a dataflow, whatever stopped it, or disable it: nothing is sent, and what happens meanwhile waits.

    One that was restored from a backup is resynchronised once it is enabled.

    Raises:
        NotFound: it is not in this sandbox.
        Conflict: it was changed just now, or people who were erased are not removed again yet.
        PolicyViolation: policies deny it.
    """
    now = clock.now()

    def work(tx: Transaction) -> StoredDataflow:
        stored = _existing(tx, caller, id_)
        if on:
            holding.refuse_to_enable(tx, caller, stored)
            resyncs.let_go(tx, caller, stored, now)
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
        outbox.withhold(tx, caller.number, stored.dataflow, now)
        backfills.cancel(tx, caller.number, id_, "the dataflow was deleted", now)
        parked_messages.forget_dataflow(tx, caller.number, stored.dataflow)
        due.end_all(tx, stored, now)
        target = lenient(Flow, stored.document).target_connection_ids[0]
        wanting.leave(Place.of(tx, caller.tenant, target), stored, None, now)
        wanting.follow(tx, caller.tenant, target, caller.actor, now)
        _note(tx, caller, "delete", stored, now)

    await store.write(work)


async def warnings(store: Store, caller: Caller, stored: StoredDataflow) -> list[Problem]:
    """Return what an operator should read about a dataflow that was just kept."""
    flow = lenient(Flow, stored.document)

    def work(tx: Transaction) -> list[Problem]:
        target = documents.get(tx, caller.number, TARGET, flow.target_connection_ids[0])
        return [*warnings_of(flow, Catalog(tx, caller.tenant).in_force(target).destination)] if target else []

    return await store.read(work)


def etag(stored: StoredDataflow) -> str:
    """Return a dataflow's version as the flow service writes it, quotes included."""
    return f'"{stored.dataflow}-{stored.version}"'


def _sent(flow: Flow) -> tuple[Any, ...]:
    """Return what says which attributes are sent where."""
    return flow.target_connection_ids, flow.mapping


async def _fetched(store: Store, caller: Caller, lookups: LookUps | None, flow: Flow) -> list[str] | None:
    """Return the target attributes that the partner gives, where there are any to be mapped and it gives them."""
    is_mapped = any(row.target_namespace is None for row in flow.mapping)
    question = await store.read(lambda tx: _question(tx, caller, lookups, flow)) if is_mapped else None
    if lookups is None or question is None:
        return None
    try:
        return attributes_of(await lookups.schema(question))
    except TooManyCalls:
        raise
    except HeadraceError as error:
        raise ConfigurationError([_unknown_schema(error.message)]) from None


def _question(tx: Transaction, caller: Caller, lookups: LookUps | None, flow: Flow) -> Question | None:
    """Make the question for the attributes of a dataflow, if its destination fetches them."""
    target = documents.get(tx, caller.number, TARGET, flow.target_connection_ids[0])
    edition = Catalog(tx, caller.tenant).in_force(target) if target is not None else None
    source = edition.destination.dynamic_schema if edition is not None else None
    if target is None or edition is None or source is None:
        return None
    if lookups is None:
        raise ConfigurationError([_unknown_schema("the partner cannot be asked here")])
    account = target.document.get("baseConnectionId")
    holder = documents.get(tx, caller.number, ACCOUNT, account) if account is not None else None
    return lookups.question(tx, caller, edition, source, holder, target)


def _unknown_schema(why: str) -> Problem:
    where = "/transformations/0/params/profileSelectors/selectors"
    return Problem(
        "schema-unknown", where, f"what the partner takes could not be fetched, so it was not checked: {why}"
    )


def _refuse(tx: Transaction, caller: Caller, flow: Flow, attributes: list[str] | None) -> None:
    """Raise every problem of a dataflow, in the transaction that would keep it."""
    problems = [*holding.action_problems(tx, caller.number, flow)]
    source = documents.get(tx, caller.number, SOURCE, flow.source_connection_ids[0])
    if source is None:
        problems.append(Problem("unknown-source", "/sourceConnectionIds/0", "there is no such source connection"))
    target = documents.get(tx, caller.number, TARGET, flow.target_connection_ids[0])
    if target is None:
        problems.append(Problem("unknown-target", "/targetConnectionIds/0", "there is no such target connection"))
    else:
        edition = Catalog(tx, caller.tenant).in_force(target)
        problems += problems_of(flow, edition.destination, attributes)
        params, where = target.document.get("params", {}), "/targetConnectionIds/0"
        problems += looks.problems_of(caller.tenant, edition, params, where)
        if source is not None:
            problems += _problems_of_kind(tx, caller, source.id, edition.destination)
    if problems:
        raise ConfigurationError(problems)


def _follow_audiences(
    tx: Transaction,
    caller: Caller,
    stored: StoredDataflow,
    flow: Flow,
    now: int,
    was: Flow | None = None,
    *,
    exits: bool = False,
) -> None:
    """
    Note which audiences are mapped from now on; those who are members of a new one are sent first.

    Where the partner has to make an audience first, it takes part once that is done (see ``at_partner``).
    """
    numbers = {audiences.number(tx, caller.number, item.namespace, item.id, item.name, now) for item in flow.audiences}
    target = flow.target_connection_ids[0]
    is_moved = was is not None and was.target_connection_ids[0] != target
    mapped = wanting.leave(Place.of(tx, caller.tenant, target), stored, flow, now, moved=is_moved, exits=exits)
    wanting.follow(tx, caller.tenant, target, caller.actor, now)
    wanting.follow_audiences(tx, caller.tenant, numbers | mapped, caller.actor, now, but=target)
    if Place.of(tx, caller.tenant, target).takes_files:
        due.follow(tx, stored, flow, was, now)


def _problems_of_kind(tx: Transaction, caller: Caller, source: str, destination: Destination) -> Iterator[Problem]:
    """Say that people would be sent where datasets go, or the other way round."""
    is_of_datasets = lake.is_of_datasets(tx, caller.number, source)
    if is_of_datasets and not destination.exports_datasets:
        message = "the source connection names datasets, and this destination does not take any"
        yield Problem("datasets-only", "/sourceConnectionIds/0", message)
    if destination.exports_datasets and not is_of_datasets:
        message = f"this destination takes datasets: begin with a source connection of them, of `{DATA_LAKE_SPEC}`"
        yield Problem("datasets-only", "/sourceConnectionIds/0", message)


def _kept(tx: Transaction, caller: Caller, document: object) -> dict[str, Any]:
    """
    Return a dataflow's document as it is stored: with what later patches address, the one transformation first.

    One of datasets has none.
    """
    assert isinstance(document, dict)
    kept = {key: value for key, value in document.items() if key not in Flow.ignored}
    if not kept.get("transformations") and lake.is_of_datasets(tx, caller.number, kept["sourceConnectionIds"][0]):
        return {**kept, "policy": {"enforcementRefs": [], **(kept.get("policy") or {})}, "transformations": []}
    empty: dict[str, Any] = {"segmentSelectors": {"selectors": []}, "profileSelectors": {"selectors": []}}
    given = (kept.get("transformations") or [{}])[0]
    params = {**empty, **given.get("params", {})}
    policy = {"enforcementRefs": [], **(kept.get("policy") or {})}
    return {**kept, "policy": policy, "transformations": [{"name": "GeneralTransform", **given, "params": params}]}


def _existing(tx: Transaction, caller: Caller, id_: str) -> StoredDataflow:
    stored = dataflows.get(tx, caller.number, id_)
    if stored is None:
        raise NotFound(f"there is no dataflow {id_!r} here")
    return stored


def _note(tx: Transaction, caller: Caller, action: str, stored: StoredDataflow, now: int) -> None:
    audit.note(tx, caller.number, caller.actor, action, DATAFLOW, stored.id, now, stored.version)
    access.raise_configuration(tx, caller.number)
