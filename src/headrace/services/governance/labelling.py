"""The labels that data carries: put on attributes, datasets and namespaces, and taken off them."""

from collections.abc import Iterator, Mapping

from headrace.clock import Clock
from headrace.errors import AccountError, Conflict
from headrace.model.governance import LabelsPut
from headrace.model.problem import Problem
from headrace.model.reading import read
from headrace.services import declared
from headrace.services.caller import Caller
from headrace.services.governance.gathering import path_of
from headrace.services.governance.holding import held
from headrace.services.governance.keeping import unknown_labels
from headrace.services.in_use import DATASET
from headrace.store import audit, documents, governance
from headrace.store.database import Store, Transaction
from headrace.store.governance import Kind, PutLabels

NOUN = "labels"
_LONGEST_NAME = 512


async def listing(store: Store, caller: Caller) -> list[PutLabels]:
    """Return everything that carries labels."""
    return await store.read(lambda tx: governance.labels(tx, caller.number))


async def put(store: Store, clock: Clock, caller: Caller, document: object) -> list[PutLabels]:
    """
    Put labels on attributes, datasets and namespaces, all of them or none; an empty list takes away what is there.

    Raises:
        ConfigurationError: a label, a dataset or a path is none.
        PolicyViolation: dataflows would violate policies.
    """
    (wanted, _), now = read(LabelsPut, document), clock.now()
    changes = [*_changes(wanted, now)]

    def work(tx: Transaction) -> list[PutLabels]:
        declared.refuse([problem for item in changes for problem in _problems(tx, caller, item)])
        with held(tx, caller.tenant):
            for item in changes:
                governance.put(tx, caller.number, item)
        for item in changes:
            _note(tx, caller, item, now)
        return governance.labels(tx, caller.number)

    return await store.write(work)


def refuse_labelled(tx: Transaction, caller: Caller, id_: str) -> None:
    """
    Refuse to delete a dataset that carries labels: the people that it brought stay, and would be without them.

    Raises:
        Conflict: it does.
    """
    if any((item.kind, item.name) == ("dataset", id_) for item in governance.labels(tx, caller.number)):
        message = "this dataset carries labels, and the people that it brought stay when it is deleted: put the labels"
        raise Conflict(f"{message} on the attributes, where they are to stay too, and take them off the dataset")


def _changes(wanted: LabelsPut, now: int) -> Iterator[PutLabels]:
    named: tuple[tuple[Kind, Mapping[str, tuple[str, ...]]], ...] = (
        ("field", wanted.fields),
        ("dataset", wanted.datasets),
        ("namespace", wanted.namespaces),
    )
    for kind, given in named:
        for name, labels in given.items():
            yield PutLabels(kind, name, [*dict.fromkeys(labels)], now)


def _problems(tx: Transaction, caller: Caller, item: PutLabels) -> Iterator[Problem]:
    where = f"/{item.kind}s/{item.name[:100].replace('~', '~0').replace('/', '~1')}"
    yield from unknown_labels(tx, caller.number, iter(item.labels), where)
    if "\0" in item.name or not 0 < len(item.name) <= _LONGEST_NAME:
        yield Problem("invalid", where, f"a name has 1 to {_LONGEST_NAME} characters, none of them U+0000")
    elif item.kind == "field":
        try:
            path_of(item.name)
        except AccountError as error:
            yield Problem("invalid-path", where, error.message)
    elif item.kind == "dataset" and item.labels and documents.get(tx, caller.number, DATASET, item.name) is None:
        yield Problem("unknown-dataset", where, f"there is no dataset {item.name[:100]!r} here")


def _note(tx: Transaction, caller: Caller, item: PutLabels, now: int) -> None:
    details = {"labels": item.labels}
    audit.note(tx, caller.number, caller.actor, "replace", NOUN, f"{item.kind}:{item.name}", now, details=details)
