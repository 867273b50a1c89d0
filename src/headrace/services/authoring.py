"""Authoring: the four objects a destination is made of, each kept only if it is right, alone and with the others."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from headrace.clock import Clock
from headrace.model.destination import Destination
from headrace.model.flow import Flow
from headrace.model.problem import Problem
from headrace.render.parts import Parting
from headrace.services import declared
from headrace.services.caller import Caller
from headrace.services.checks import (
    AUDIENCE_TEMPLATE,
    CREDENTIALS,
    DESTINATION,
    EXAMINE,
    SERVER,
    Document,
    lenient,
    prepare,
)
from headrace.services.rules import problems_of
from headrace.store import dataflows, documents
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared

__all__ = ["AUDIENCE_TEMPLATE", "CREDENTIALS", "DESTINATION", "SERVER", "Authored", "delete", "save"]

#: Keys that the server adds to objects of each noun; sent back by clients, and left out of what is kept.
_ADDED = {noun: frozenset({"instanceId", "createdDate", "lastModifiedDate", "qos"}) for noun in EXAMINE} | {
    DESTINATION: Destination.ignored
}


@dataclass(frozen=True, slots=True)
class Authored:
    """A stored object and the warnings its author should read."""

    declared: Declared
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The other objects of a sandbox, as a transaction sees them."""

    tx: Transaction
    tenant: int

    def get(self, noun: str, id_: str) -> Document | None:
        found = documents.get(self.tx, self.tenant, noun, id_)
        return found.document if found is not None else None

    def all_of(self, noun: str) -> list[tuple[str, Document]]:
        return [(item.id, item.document) for item in documents.all_of(self.tx, self.tenant, noun)]


async def save(
    store: Store,
    clock: Clock,
    caller: Caller,
    noun: str,
    document: object,
    *,
    strict: bool = True,
    id_: str | None = None,
) -> Authored:
    """
    Keep an object: a new one, or in the place of ``id_``.

    Raises:
        ConfigurationError: with every problem of the object, of its templates, and of it with the others.
        NotFound: there is no object ``id_`` here.
    """
    warnings: list[Problem] = []

    def check(tx: Transaction) -> list[Problem]:
        examined = EXAMINE[noun](document, Sandbox(tx, caller.number), id_, strict)
        if noun == DESTINATION and id_ is not None:
            examined.ask(_breaks(tx, caller, id_, examined.block))
        if id_ is None:
            examined.problems.extend(_server_set(noun, document))
        warnings[:] = examined.warnings
        return examined.problems

    await asyncio.to_thread(prepare, noun, document)
    kept = {key: value for key, value in document.items() if key not in _ADDED[noun]} if type(document) is dict else {}
    if id_ is None:
        return Authored(await declared.create(store, clock, caller, noun, kept, check), tuple(warnings))
    return Authored(await declared.replace(store, clock, caller, noun, id_, kept, check), tuple(warnings))


async def delete(store: Store, clock: Clock, caller: Caller, noun: str, id_: str) -> None:
    """
    Delete an object that nothing uses.

    Raises:
        Conflict: something does; the message names it.
        NotFound: it is not in this sandbox.
    """
    await declared.delete(store, clock, caller, noun, id_, lambda tx: next(_users(tx, caller, noun, id_), None))


def _server_set(noun: str, document: object) -> Iterator[Problem]:
    """Warn of what only the server sets, where an object is new."""
    for key in sorted(_ADDED[noun] & document.keys()) if isinstance(document, dict) else ():
        yield Problem("server-set", f"/{key}", f"the server sets `{key}` by itself; leave it out of a new object")


def _users(tx: Transaction, caller: Caller, noun: str, id_: str) -> Iterator[str]:
    """Name what uses an object."""
    if noun == SERVER:
        for stored in documents.all_of(tx, caller.number, DESTINATION):
            destination = lenient(Destination, stored.document)
            if destination.delivery.destination_server_id == id_:
                yield f"destination {destination.name!r}"
    if noun == DESTINATION:
        for user in ("account", "target-connection"):
            for stored in documents.all_of(tx, caller.number, user):
                if stored.document["connectionSpec"]["id"] == id_:
                    yield f"{user.replace('-', ' ')} {stored.document['name']!r}"


def _breaks(tx: Transaction, caller: Caller, id_: str, destination: Destination) -> Iterator[Problem]:
    """Say which dataflows would no longer be right under a changed destination."""
    stored = documents.get(tx, caller.number, DESTINATION, id_)
    before = lenient(Destination, stored.document) if stored is not None else destination
    for flow in _dataflows_using(tx, caller, id_):
        name = f"dataflow {flow.name!r}"
        if _lanes(destination) != _lanes(before):
            message = f"{name} has people on their way under the old grouping; delete it first"
            yield Problem("aggregation-in-use", "/aggregation/bestEffortAggregation", message)
        for problem in problems_of(flow, destination):
            yield Problem(problem.code, "", f"with {name}: {problem.message}")


def _lanes(destination: Destination) -> tuple[Any, ...]:
    """Return what says which lanes people leave by: while any are on their way it cannot change."""
    policy = destination.best_effort
    if policy is None:
        return ()
    parting = Parting.of(policy, tuple(destination.identity_namespaces))
    return policy.aggregation_key, parting.groups, parting.splits


def _dataflows_using(tx: Transaction, caller: Caller, id_: str) -> Iterator[Flow]:
    for stored in dataflows.all_of(tx, caller.number):
        flow = lenient(Flow, stored.document)
        target = documents.get(tx, caller.number, "target-connection", flow.target_connection_ids[0])
        if target is not None and target.document["connectionSpec"]["id"] == id_:
            yield flow
