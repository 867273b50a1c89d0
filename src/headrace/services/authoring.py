"""Authoring: destination servers and destinations, checked by themselves, with their templates, against each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from headrace.clock import Clock
from headrace.errors import TemplateSyntaxError
from headrace.model.block import Block, pointer, read
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.flow import Flow
from headrace.model.problem import ConfigurationError, Problem
from headrace.render.parts import Parting
from headrace.services import declared
from headrace.services.caller import Caller
from headrace.services.rules import problems_of
from headrace.store import dataflows, documents
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared
from headrace.template import Template
from headrace.template import compile as compile_template

SERVER = "destination-server"
DESTINATION = "destination"
B = TypeVar("B", bound=Block)


@dataclass(frozen=True, slots=True)
class Authored:
    """A stored object and the warnings its author should read."""

    declared: Declared
    warnings: tuple[Problem, ...]


async def save_server(
    store: Store, clock: Clock, caller: Caller, document: object, *, strict: bool = True, id_: str | None = None
) -> Authored:
    """
    Keep a destination server: a new one, or in the place of ``id_``.

    Raises:
        ConfigurationError: with every problem of the server, of its templates, and of it under its destinations.
    """
    wrong = [problem for _, _, problems in _templates(document) for problem in problems]
    server, warnings = _read_with(wrong, DestinationServer, document, strict)
    kept = _without(document, server.ignored)

    def check(tx: Transaction) -> list[Problem]:
        users = _destinations_using(tx, caller, id_) if id_ is not None else []
        fits = [_fit(server, kept, user, f"with destination {name!r}: ", "") for name, user in users]
        return [problem for problems in fits for problem in problems]

    return Authored(await _save(store, clock, caller, SERVER, kept, check, id_), tuple(warnings))


async def save_destination(
    store: Store, clock: Clock, caller: Caller, document: object, *, strict: bool = True, id_: str | None = None
) -> Authored:
    """
    Keep a destination: a new one, or in the place of ``id_``.

    Raises:
        ConfigurationError: with every problem of the destination, and of it together with its server.
    """
    destination, warnings = _read_with([], Destination, document, strict)
    kept = _without(document, destination.ignored)

    def check(tx: Transaction) -> list[Problem]:
        where = "/destinationDelivery/0/destinationServerId"
        if destination.delivery.authentication_rule == "PLATFORM_AUTHENTICATION":
            message = "`PLATFORM_AUTHENTICATION` needs shared credentials, and there are none; use another rule"
            return [Problem("no-credentials", "/destinationDelivery/0/authenticationId", message)]
        stored = documents.get(tx, caller.number, SERVER, destination.delivery.destination_server_id)
        if stored is None:
            wrong = destination.delivery.destination_server_id
            return [Problem("unknown-server", where, f"there is no destination server {wrong!r}; create it first")]
        fits = list(_fit(lenient(DestinationServer, stored), stored.document, destination, "", where))
        return fits + list(_breaks(tx, caller, id_, destination)) if id_ is not None else fits

    return Authored(await _save(store, clock, caller, DESTINATION, kept, check, id_), tuple(warnings))


async def delete_server(store: Store, clock: Clock, caller: Caller, id_: str) -> None:
    """Delete a destination server that no destination uses."""

    def user(tx: Transaction) -> str | None:
        return next((f"destination {name!r}" for name, _ in _destinations_using(tx, caller, id_)), None)

    await declared.delete(store, clock, caller, SERVER, id_, user)


async def delete_destination(store: Store, clock: Clock, caller: Caller, id_: str) -> None:
    """Delete a destination that no account belongs to."""

    def user(tx: Transaction) -> str | None:
        for noun in ("account", "target-connection"):
            for stored in documents.all_of(tx, caller.number, noun):
                if stored.document["connectionSpec"]["id"] == id_:
                    return f"{noun.replace('-', ' ')} {stored.document['name']!r}"
        return None

    await declared.delete(store, clock, caller, DESTINATION, id_, user)


def lenient(block: type[B], stored: Declared) -> B:
    """Read a stored object; what was only warned about when it was kept is left out."""
    return read(block, stored.document, strict=False)[0]


def _fit(
    server: DestinationServer, document: dict[str, Any], destination: Destination, prefix: str, where: str
) -> Iterator[Problem]:
    """Say what keeps a server and a destination from working together."""
    http = server.http_template
    if http is None or http.request_body is None or http.content_type is None:
        message = "a server that delivers needs `httpTemplate` with `httpMethod`, `requestBody` and `contentType`"
        yield Problem("not-a-delivery-server", where, f"{prefix}{message}")
    asked_for = {field.name for field in destination.customer_data_fields}
    for path, template, _ in _templates(document):
        for used in sorted(template.reads if template is not None else ()):
            if used[0] == "customerData" and len(used) > 1 and used[1] not in asked_for:
                message = (
                    f"the template at {path} reads `customerData.{used[1]}`, which no customer data field is named"
                )
                yield Problem("unknown-customer-data", where or path, f"{prefix}{message}")


def _breaks(tx: Transaction, caller: Caller, id_: str, destination: Destination) -> Iterator[Problem]:
    """Say which dataflows would no longer be right under a changed destination."""
    stored = documents.get(tx, caller.number, DESTINATION, id_)
    before = lenient(Destination, stored) if stored is not None else destination
    for flow in _dataflows_using(tx, caller, id_):
        name = f"dataflow {flow.name!r}"
        if _lanes(destination) != _lanes(before):
            message = f"{name} has people on their way under the old grouping; delete it first"
            yield Problem("aggregation-in-use", "/aggregation/bestEffortAggregation", message)
        for problem in problems_of(flow, destination):
            yield Problem(problem.code, "", f"with {name}: {problem.message}")


def _lanes(destination: Destination) -> tuple[object, ...]:
    """Return what says which lanes people leave by: while any are on their way it cannot change."""
    policy = destination.aggregation.policy
    parting = Parting.of(policy, tuple(destination.identity_namespaces))
    return policy.aggregation_key, parting.groups, parting.splits


def _dataflows_using(tx: Transaction, caller: Caller, id_: str) -> Iterator[Flow]:
    for stored in dataflows.all_of(tx, caller.number):
        flow = Flow.model_validate(stored.document)
        target = documents.get(tx, caller.number, "target-connection", flow.target_connection_ids[0])
        if target is not None and target.document["connectionSpec"]["id"] == id_:
            yield flow


def _templates(value: object, path: str = "") -> Iterator[tuple[str, Template | None, list[Problem]]]:
    """
    Compile every template in a document: its JSON pointer with the template, or with what is wrong with it.

    It walks the JSON and not the block, so that templates are judged even where the rest cannot be read.
    """
    if isinstance(value, dict) and value.get("templatingStrategy") == "PEBBLE_V1" and type(value.get("value")) is str:
        try:
            yield path, compile_template(value["value"], name=path[1:]), []
        except TemplateSyntaxError as error:
            yield path, None, [Problem(error.code, f"{path}/value", str(problem)) for problem in error.problems]
    elif isinstance(value, dict | list):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _templates(item, f"{path}{pointer((step,))}")


def _read_with(wrong: list[Problem], block: type[B], document: object, strict: bool) -> tuple[B, list[Problem]]:
    """Read a block; refuse it with its own problems and the ones already found, all at once."""
    try:
        result = read(block, document, strict=strict)
    except ConfigurationError as error:
        raise ConfigurationError(error.problems + wrong) from None
    if wrong:
        raise ConfigurationError(wrong)
    return result


def _destinations_using(tx: Transaction, caller: Caller, server_id: str) -> list[tuple[str, Destination]]:
    stored = [lenient(Destination, item) for item in documents.all_of(tx, caller.number, DESTINATION)]
    return [(item.name, item) for item in stored if item.delivery.destination_server_id == server_id]


async def _save(
    store: Store,
    clock: Clock,
    caller: Caller,
    noun: str,
    document: dict[str, Any],
    check: declared.Check,
    id_: str | None,
) -> Declared:
    if id_ is None:
        return await declared.create(store, clock, caller, noun, document, check)
    return await declared.replace(store, clock, caller, noun, id_, document, check)


def _without(document: object, ignored: frozenset[str]) -> dict[str, Any]:
    assert isinstance(document, dict)
    return {key: value for key, value in document.items() if key not in ignored}
