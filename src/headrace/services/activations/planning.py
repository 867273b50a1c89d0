"""What it takes to make an activation true: the steps, each with what it makes, changes or takes away."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal

from headrace.connect.keyring import Keyring
from headrace.model.activation import Activation
from headrace.model.export import RowSettings
from headrace.model.flow import Flow, SegmentSelectorValue
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.reading import read
from headrace.services import file_form, sealing
from headrace.services.activations.finding import Found, find
from headrace.services.caller import Caller
from headrace.services.checks import lenient
from headrace.services.form import Filled
from headrace.services.governance import holding
from headrace.services.governance.evaluating import Violation
from headrace.services.governance.gathering import subject_of
from headrace.services.rules import problems_of, warnings_of
from headrace.services.sealing import Safe
from headrace.store.database import Transaction

Object = dict[str, Any]
Action = Literal["create", "change", "remove", "keep"]
#: Stands for the id of what is still to be made.
TO_BE = "to-be-made"
_MAPPING = "/transformations/0/params/profileSelectors/selectors"
_PARAMS = "/transformations/0/params"
_CHOICES = (f"{_PARAMS}/mandatoryFields", f"{_PARAMS}/primaryFields")
_ACTIONS = "/policy/enforcementRefs"
_AUDIENCES = "/transformations/0/params/segmentSelectors/selectors"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is made, changed, taken away, or stays; ``changes`` says in words what becomes another."""

    action: Action
    noun: str
    name: str
    changes: tuple[str, ...] = ()

    def as_json(self) -> Object:
        return {"action": self.action, "noun": self.noun, "name": self.name, "changes": [*self.changes]}


@dataclass(frozen=True, slots=True)
class Plan:
    """
    The steps, and what would be sent to the flow service for them. ``flow`` is the dataflow as it would be.

    ``violations`` are of policies, and keep it from being applied.
    """

    wanted: Activation
    found: Found
    filled: Filled
    flow: Flow
    rows: tuple[Object, ...]
    steps: tuple[Step, ...]
    is_other_connection: bool
    warnings: tuple[Problem, ...] = field(default=())
    violations: tuple[Violation, ...] = field(default=())

    @property
    def new_audiences(self) -> frozenset[tuple[str, str]]:
        """The audiences whose members are sent when this is applied, by origin and id."""
        before = _stored_flow(self.found)
        known = {(item.namespace, item.id) for item in (before.audiences if before is not None else ())}
        return frozenset((item.namespace, item.id) for item in self.flow.audiences) - known


def read_activation(document: object) -> Activation:
    """
    Read an activation.

    Raises:
        ConfigurationError: with everything that is wrong with it.
    """
    wanted, _ = read(Activation, document)
    problems = [
        Problem("missing-field", f"/audiences/{place}/id", "an audience needs its `id` or its `name`")
        for place, item in enumerate(wanted.audiences)
        if item.id is None and item.name is None
    ]
    if problems:
        raise ConfigurationError(problems)
    return wanted


def plan(tx: Transaction, caller: Caller, keyring: Keyring, wanted: Activation) -> Plan:
    """
    Say what it takes to make an activation true. Changes nothing.

    Raises:
        ConfigurationError: with everything that keeps it from being made.
    """
    found = find(tx, caller, wanted)
    destination = found.edition.destination
    rows = tuple(_rows(wanted))
    filled = file_form.fill(destination, wanted.connection, root=("connection",))
    flow, _ = read(Flow, _document(wanted, found, rows))
    actions = holding.action_problems(tx, caller.number, flow)
    found_wrong = chain(actions, problems_of(flow, destination), warnings_of(flow, destination))
    problems = [*filled.problems, *_told(found_wrong, wanted)]
    if any(problem.is_error for problem in problems):
        raise ConfigurationError(problems)
    is_other = _is_other_connection(caller, keyring, wanted, found, filled)
    steps = (*_connection_steps(wanted, found, is_other=is_other), *_flow_steps(wanted, found, flow))
    id_ = found.dataflow.id if found.dataflow is not None else TO_BE
    subject = subject_of(tx, caller.number, id_, flow, found.edition.id, destination)
    violations = holding.brought_by(tx, caller, subject, found.dataflow)
    return Plan(wanted, found, filled, flow, rows, steps, is_other, tuple(problems), tuple(violations))


def _document(wanted: Activation, found: Found, rows: tuple[Object, ...]) -> Object:
    document: Object = {
        "name": wanted.name,
        "sourceConnectionIds": [found.source.id if found.source is not None else TO_BE],
        "targetConnectionIds": [found.target.id if found.target is not None else TO_BE],
        "transformations": [{"name": "GeneralTransform", "params": chosen(wanted, found, rows)}],
    }
    if wanted.description is not None:
        document["description"] = wanted.description
    policy = wanted.policy_wanted
    if policy is None and found.dataflow is not None:
        policy = found.dataflow.document.get("policy")
    return document if policy is None else {**document, "policy": policy}


def chosen(wanted: Activation, found: Found, rows: tuple[Object, ...]) -> Object:
    """Return the audiences, the mapping and which rows files have, as the flow service writes them."""
    before = _stored_flow(found)
    selected = {"segmentSelectors": {"selectors": [*found.selectors]}, "profileSelectors": {"selectors": [*rows]}}
    return {**selected, **wanted.rows_wanted(before.params.rows if before is not None else None)}


def _rows(wanted: Activation) -> Iterator[Object]:
    """Yield the rows of the mapping as the flow service writes them."""
    for place, row in enumerate(wanted.mapping):
        whole = row if len(row) != 1 else dict(zip(("source", "target"), next(iter(row.items())), strict=True))
        source, target = whole.get("source"), whole.get("target")
        rest = {key: value for key, value in whole.items() if key not in ("source", "target")}
        if not isinstance(source, str) or not isinstance(target, str) or rest.keys() - {"transformation"}:
            message = "a row is `source: target`, or has `source`, `target` and perhaps a `transformation`"
            raise ConfigurationError([Problem("invalid", f"/mapping/{place}", message)])
        mapping: Object = {"sourceType": "text/x.schema-path", "source": source, "destination": target}
        mapping |= {"x-headrace": rest} if rest else {}
        yield {"type": "JSON_PATH", "value": {"path": source, "mapping": mapping}}


def _told(problems: Iterator[Problem], wanted: Activation) -> Iterator[Problem]:
    """Yield problems of the dataflow at the places that the activation has for them."""
    for problem in problems:
        where = _place_of(problem.pointer)
        if wanted.marketing_actions is not None and where.startswith(_ACTIONS):
            where = where.replace(_ACTIONS, "/marketingActions", 1)
        yield Problem(problem.code, where, problem.message, problem.severity)


def _place_of(pointer: str) -> str:
    """
    Return where in an activation something of its dataflow stands.

    >>> _place_of("/transformations/0/params/segmentSelectors/selectors/3/value/mappingId")
    '/audiences/3/mappingId'
    """
    if pointer.startswith(_MAPPING):
        return "/mapping" + "/".join(pointer.removeprefix(_MAPPING).split("/")[:2])
    if pointer.startswith(_AUDIENCES):
        return "/audiences" + pointer.removeprefix(_AUDIENCES).replace("/value", "", 1)
    if pointer.startswith(_CHOICES):
        return pointer.removeprefix(_PARAMS)
    return "/destination" if pointer == "/targetConnectionIds/0" else pointer


def _is_other_connection(caller: Caller, keyring: Keyring, wanted: Activation, found: Found, filled: Filled) -> bool:
    """Say whether the target connection that is there has another account or other customer data."""
    if found.target is None:
        return False
    opened = sealing.opened(Safe(keyring, caller.tenant), found.target.id, found.target.document)
    account = found.account.id if found.account is not None else None
    is_moved = account != opened.get("baseConnectionId") and wanted.account is not None
    return is_moved or opened.get("params", {}) != filled.values


def _connection_steps(wanted: Activation, found: Found, *, is_other: bool) -> Iterator[Step]:
    if wanted.account is not None:
        yield Step("keep" if found.account is not None else "create", "account", wanted.account)
    if found.source is None:
        yield Step("create", "source connection", "profiles")
    if found.target is None:
        yield Step("create", "target connection", wanted.name)
    else:
        changes = ("the account or the customer data",) if is_other else ()
        yield Step("change" if is_other else "keep", "target connection", found.target.document["name"], changes)


def _flow_steps(wanted: Activation, found: Found, flow: Flow) -> Iterator[Step]:
    before = _stored_flow(found)
    if before is None:
        yield Step("create", "dataflow", wanted.name, tuple(_words_of_rows(flow.params.rows)))
    else:
        rows = _words_of_rows(flow.params.rows, before.params.rows)
        changes = (*_other_words(wanted, found), *rows)
        yield Step("change" if changes else "keep", "dataflow", wanted.name, changes)
    yield from _compared("audience", audiences_of(before) if before is not None else {}, audiences_of(flow))
    yield from _compared("mapping", rows_of(before) if before is not None else {}, rows_of(flow))


def _other_words(wanted: Activation, found: Found) -> Iterator[str]:
    assert found.dataflow is not None
    for name, value in (("description", wanted.description), ("policy", wanted.policy_wanted)):
        if value is not None and value != found.dataflow.document.get(name):
            yield "marketing actions" if name == "policy" else name


def _words_of_rows(rows: RowSettings, before: RowSettings | None = None) -> Iterator[str]:
    """Say which rows files have, where that is another than ``before``."""
    keys = [part.attribute_path or part.identity_namespace or "" for part in rows.primary_fields or ()]
    for name, said in (("mandatory_fields", rows.mandatory_fields or ()), ("primary_fields", keys)):
        known = getattr(before, name, None) or ()
        if (getattr(rows, name) or ()) != known:
            what = "mandatory" if name == "mandatory_fields" else "one row for each"
            yield f"{what}: {', '.join(said) or 'nothing'}"


def _compared(noun: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Step]:
    for name, value in after.items():
        if name not in before:
            yield Step("create", noun, name)
        else:
            yield Step("keep" if before[name] == value else "change", noun, name)
    yield from (Step("remove", noun, name) for name in before if name not in after)


def audiences_of(flow: Flow) -> dict[str, Any]:
    """Return the audiences of a dataflow, by the name they have in a plan, with what is said of each."""
    return {_named(item.namespace, item.id): _said_of(item) for item in flow.audiences}


def _said_of(item: SegmentSelectorValue) -> tuple[Any, ...]:
    return (item.name, item.mapping_id, item.schedule, item.filename_template, item.export_mode)


def rows_of(flow: Flow) -> dict[str, Any]:
    """Return the mapping of a dataflow, by the name that a row has in a plan."""
    return {f"{row.source} -> {row.destination}": row.extension.transformation for row in flow.mapping}


def _named(namespace: str, id_: str) -> str:
    return id_ if namespace == "ups" else f"{namespace}/{id_}"


def _stored_flow(found: Found) -> Flow | None:
    return lenient(Flow, found.dataflow.document) if found.dataflow is not None else None
