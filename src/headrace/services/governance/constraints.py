"""What policies would say of data that nobody sends yet: of labels by themselves, or of datasets as they stand."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from headrace.errors import NotFound, RequestError
from headrace.model.deny import met_by
from headrace.services.caller import Caller
from headrace.services.declared import existing
from headrace.services.governance.evaluating import Rule
from headrace.services.governance.gathering import Carrier, carriers, meet, paths_of_dataset, rules
from headrace.services.governance.holding import is_there
from headrace.services.in_use import DATASET
from headrace.store.database import Transaction

Object = dict[str, Any]
_MOST = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What a marketing action would violate: the labels that were found, on which datasets, and the policies."""

    labels: tuple[str, ...]
    discovered: tuple[Object, ...]
    violated: tuple[Rule, ...]


def refuse_unknown(tx: Transaction, caller: Caller, kind: str, name: str) -> None:
    """
    Refuse to judge a marketing action that there is not.

    Raises:
        NotFound: there is none of this kind and name.
    """
    if not is_there(tx, caller.number, (kind, name)):
        raise NotFound(f"there is no {kind} marketing action {name!r} here")


def of_labels(
    tx: Transaction, caller: Caller, action: tuple[str, str], labels: Iterable[str], *, drafts: bool
) -> Answer:
    """
    Say which policies deny a marketing action, by kind and name, for data with labels.

    Raises:
        NotFound: there is no such action.
    """
    refuse_unknown(tx, caller, *action)
    found = frozenset(labels)
    denying = (rule for rule in rules(tx, caller.number, drafts=drafts) if action in rule.actions)
    return Answer(tuple(sorted(found)), (), tuple(rule for rule in denying if met_by(rule.deny, found)))


def of_entities(tx: Transaction, caller: Caller, action: tuple[str, str], entities: object, *, drafts: bool) -> Answer:
    """
    Say which policies deny a marketing action for datasets, by the labels on them and on what they bring.

    Raises:
        NotFound: there is no such action, or dataset.
        RequestError: they are no list of datasets.
    """
    if not isinstance(entities, list) or not 0 < len(entities) <= _MOST:
        raise RequestError(f'write a list of 1 to {_MOST} of `{{"entityType": "dataSet", "entityId": "…"}}`')
    known = carriers(tx, caller.number)
    discovered = tuple(_discovered(tx, caller, known, item) for item in entities)
    labels = {label for item in discovered for label in _labels_in(item["dataSetLabels"])}
    answer = of_labels(tx, caller, action, labels, drafts=drafts)
    return Answer(answer.labels, discovered, answer.violated)


def _labels_in(found: Object) -> Iterable[str]:
    yield from found["dataSet"]["labels"]
    for field in found["fields"]:
        yield from field["labels"]


def _discovered(tx: Transaction, caller: Caller, known: list[Carrier], entity: object) -> Object:
    if not isinstance(entity, dict) or entity.get("entityType") != "dataSet" or not _is_text(entity.get("entityId")):
        raise RequestError(
            'an entity is `{"entityType": "dataSet", "entityId": "…"}`, perhaps with `entityMeta.fields`'
        )
    dataset = existing(tx, caller, DATASET, entity["entityId"])
    wanted = _fields(entity)
    own = [carrier for carrier in known if carrier.named.noun == "dataset" and carrier.named.id == dataset.id]
    others = [carrier for carrier in known if carrier.named.noun != "dataset"]
    paths = [path for path in paths_of_dataset(dataset) if not wanted or any(meet(path, one) for one in wanted)]
    if () in paths:  # It may bring anything: whatever carries labels.
        paths = sorted({path for carrier in others for path in carrier.paths})
    fields = [
        {
            "path": ".".join(path),
            "labels": sorted({label for one in others if one.reaches(path) for label in one.labels}),
        }
        for path in paths
    ]
    return {
        "entityType": "dataSet",
        "entityId": dataset.id,
        "dataSetLabels": {
            "connection": {"labels": []},
            "dataSet": {"labels": sorted({label for one in own for label in one.labels})},
            "fields": [field for field in fields if field["labels"]],
        },
    }


def _fields(entity: Object) -> list[tuple[str, ...]]:
    """Return the fields that are asked for, written as pointers into a JSON Schema, or as paths."""
    meta = entity.get("entityMeta")
    given = meta.get("fields") if isinstance(meta, dict) else None
    written = given if isinstance(given, list) else []
    return [_field(item) for item in written if _is_text(item)]


def _field(text: str) -> tuple[str, ...]:
    if not text.startswith("/"):
        return tuple(text.split("."))
    return tuple(step for step in text.split("/")[1:] if step != "properties")


def _is_text(value: object) -> bool:
    return isinstance(value, str)
