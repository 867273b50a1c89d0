"""What an activation names, found: its destination, account, connections, audiences and dataflow."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from headrace.model.activation import Activation, WantedAudience
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.model.problem import ConfigurationError, Problem
from headrace.services.accounts import ACCOUNT, SOURCE, TARGET
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog, Edition, destination_of
from headrace.store import audiences, dataflows, documents
from headrace.store.audiences import StoredAudience
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.documents import Declared

T = TypeVar("T")
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that is there already of an activation; ``edition`` lasts as long as the transaction."""

    edition: Edition
    account: Declared | None
    target: Declared | None
    source: Declared | None
    dataflow: StoredDataflow | None
    selectors: tuple[Object, ...]


def find(tx: Transaction, caller: Caller, wanted: Activation) -> Found:
    """
    Find what an activation names.

    Raises:
        ConfigurationError: something is not there, or a name is that of several.
    """
    problems: list[Problem] = []
    edition = _destination(tx, caller, wanted)
    account = _account(tx, caller, wanted, edition, problems)
    dataflow = _dataflow(tx, caller, wanted, problems)
    target = _target(tx, caller, wanted, edition, dataflow, problems)
    selectors = tuple(_selectors(tx, caller, wanted.audiences, problems))
    if problems:
        raise ConfigurationError(problems)
    return Found(edition, account, target, _source(tx, caller, dataflow), dataflow, selectors)


def _destination(tx: Transaction, caller: Caller, wanted: Activation) -> Edition:
    catalog, name, problems = Catalog(tx, caller.tenant), wanted.destination, list[Problem]()
    edition = catalog.find(name)
    if edition is None:
        named = [item for item in catalog.listing() if item.destination.name == name]
        edition = _only(named, "destination", "/destination", name, problems, lambda item: item.id)
    if edition is None:
        raise ConfigurationError(problems)
    return edition


def _account(
    tx: Transaction, caller: Caller, wanted: Activation, edition: Edition, problems: list[Problem]
) -> Declared | None:
    if wanted.account is None:
        if edition.destination.delivery.authentication_rule == "CUSTOMER_AUTHENTICATION":
            problems.append(Problem("missing-field", "/account", "the destination needs an account: name one"))
        return None
    own = [item for item in documents.all_of(tx, caller.number, ACCOUNT) if destination_of(item) == edition.id]
    named = [item for item in own if wanted.account in (item.id, item.document["name"])]
    if not named and wanted.auth is not None:
        return None
    return _only(named, "account", "/account", wanted.account, problems, lambda item: item.id)


def _dataflow(tx: Transaction, caller: Caller, wanted: Activation, problems: list[Problem]) -> StoredDataflow | None:
    named = [flow for flow in dataflows.all_of(tx, caller.number) if flow.document["name"] == wanted.name]
    return _only(named, "dataflow", "/name", wanted.name, problems, lambda item: item.id) if named else None


def _target(
    tx: Transaction,
    caller: Caller,
    wanted: Activation,
    edition: Edition,
    dataflow: StoredDataflow | None,
    problems: list[Problem],
) -> Declared | None:
    """Return the target connection: that of the dataflow, or one that was made for it and has none yet."""
    if dataflow is None:
        used = {id_ for flow in dataflows.all_of(tx, caller.number) for id_ in flow.document["targetConnectionIds"]}
        own = documents.all_of(tx, caller.number, TARGET)
        free = [item for item in own if item.id not in used and destination_of(item) == edition.id]
        return next((item for item in free if item.document["name"] == wanted.name), None)
    target = documents.get(tx, caller.number, TARGET, dataflow.document["targetConnectionIds"][0])
    if target is not None and destination_of(target) != edition.id:
        message = f"the dataflow {wanted.name!r} sends to another destination: choose another name, or delete it first"
        problems.append(Problem("other-destination", "/destination", message))
    return target


def _source(tx: Transaction, caller: Caller, dataflow: StoredDataflow | None) -> Declared | None:
    """Return the dataflow's source connection, or any of the profile store."""
    if dataflow is not None:
        return documents.get(tx, caller.number, SOURCE, dataflow.document["sourceConnectionIds"][0])
    sources = documents.all_of(tx, caller.number, SOURCE)
    return next((item for item in sources if destination_of(item) == PROFILE_STORE_SPEC), None)


def _selectors(
    tx: Transaction, caller: Caller, wanted: Sequence[WantedAudience], problems: list[Problem]
) -> Iterator[Object]:
    known = audiences.all_of(tx, caller.number).values()
    for place, item in enumerate(wanted):
        id_, name = item.id, item.name
        if id_ is None:
            named = [found for found in known if (found.namespace, found.name) == (item.namespace, name)]
            one = _only(named, "audience", f"/audiences/{place}", name or "", problems, lambda found: found.id)
            id_ = one.id if one is not None else ""
        else:
            problems += _of_another_namespace(known, item.namespace, id_, f"/audiences/{place}/namespace")
        value: Object = {"id": id_, "namespace": item.namespace, "name": name}
        value |= {"mappingId": item.mapping_id, **item.settings}
        kept = {key: given for key, given in value.items() if given is not None}
        yield {"type": "PLATFORM_SEGMENT", "value": kept}


def _of_another_namespace(known: Iterable[StoredAudience], namespace: str, id_: str, where: str) -> Iterator[Problem]:
    """Say where an audience is that is not of the namespace that is named: mapping one of nobody sends nothing."""
    spaces = [found.namespace for found in known if found.id == id_]
    if spaces and namespace not in spaces:
        there = " or ".join(spaces)
        message = f"there is no audience {id_!r} of the namespace {namespace!r}: write `namespace: {there}`"
        yield Problem("unknown-audience", where, message)


def _only(
    named: Iterable[T], noun: str, where: str, name: str, problems: list[Problem], id_of: Callable[[T], str]
) -> T | None:
    """Return the one thing of a name; where there is none, or several, say so."""
    found = [*named]
    if len(found) == 1:
        return found[0]
    if found:
        these = ", ".join(id_of(item) for item in found)
        problems.append(Problem("ambiguous", where, f"several have the name {name!r}; write the id of one: {these}"))
    else:
        problems.append(Problem(f"unknown-{noun}", where, f"there is no {noun} {name!r} here"))
    return None
