"""Where policies are held against dataflows: nothing may bring a violation that was not there before."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from headrace.model.core_governance import ACTION_BY_NAME
from headrace.model.flow import Flow
from headrace.model.governance import action_of, references_in
from headrace.model.problem import Problem
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog, Edition
from headrace.services.checks import lenient
from headrace.services.governance.evaluating import PolicyViolation, Subject, Violation, evaluate
from headrace.services.governance.gathering import ACTION, live_subjects, rules, stored_subject, subject_of
from headrace.services.in_use import TARGET
from headrace.store import dataflows, documents
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow

_REFERENCES = "/policy/enforcementRefs"


@contextmanager
def held(tx: Transaction, tenant: Tenant) -> Iterator[None]:
    """
    Hold what is changed inside to the policies, over all dataflows that are not disabled.

    Raises:
        PolicyViolation: dataflows would violate policies that they did not violate before, or by something new.
    """
    before = standing(tx, tenant)
    yield
    refuse_new(before, standing(tx, tenant))


def standing(tx: Transaction, tenant: Tenant) -> list[Violation]:
    """Return what dataflows that are not disabled violate as it is."""
    enforced = rules(tx, tenant.tenant)
    if not enforced:
        return []
    return [item for subject in live_subjects(tx, tenant) for item in evaluate(enforced, subject)]


def refuse_new(before: list[Violation], after: list[Violation]) -> None:
    """
    Refuse what brings a violation that was not there before.

    Raises:
        PolicyViolation: it names each.
    """
    refuse(new_ones(before, after))


def new_ones(before: list[Violation], after: list[Violation]) -> list[Violation]:
    """Return the violations that were not there before, or are by something new."""
    known = {part for item in before for part in item.parts()}
    return [item for item in after if not known.issuperset(item.parts())]


def refuse(violations: Sequence[Violation]) -> None:
    """
    Refuse what brings violations.

    Raises:
        PolicyViolation: there are any; it names each.
    """
    if violations:
        raise PolicyViolation(violations)


def violations_of(tx: Transaction, tenant: Tenant, stored: StoredDataflow) -> list[Violation]:
    """Return what a dataflow violates as it is, whether or not it is going."""
    subject = stored_subject(tx, tenant, stored)
    return evaluate(rules(tx, tenant.tenant), subject) if subject is not None else []


def refuse_violating(tx: Transaction, caller: Caller, id_: str, flow: Flow, was: StoredDataflow | None = None) -> None:
    """
    Refuse a dataflow that is new, or would be another, for what it violates and did not before.

    Raises:
        PolicyViolation: it names each policy, and the way on which it is violated.
    """
    target = documents.get(tx, caller.number, TARGET, flow.target_connection_ids[0])
    assert target is not None, "it was refused before this"
    edition = Catalog(tx, caller.tenant).in_force(target)
    subject = subject_of(tx, caller.number, id_, flow, edition.id, edition.destination)
    refuse(brought_by(tx, caller, subject, was))


def brought_by(tx: Transaction, caller: Caller, subject: Subject, was: StoredDataflow | None) -> list[Violation]:
    """Return what a dataflow, as it would be, violates and did not violate as it was."""
    before = violations_of(tx, caller.tenant, was) if was is not None else []
    return new_ones(before, evaluate(rules(tx, caller.number), subject))


def brought_by_edition(tx: Transaction, tenant: Tenant, target: str, edition: Edition) -> list[Violation]:
    """Return what dataflows of a target connection would newly violate under another edition of its destination."""
    enforced = rules(tx, tenant.tenant)
    found: list[Violation] = []
    for stored in dataflows.all_of(tx, tenant.tenant) if enforced else ():
        if stored.state != "disabled" and target in stored.document["targetConnectionIds"]:
            flow = lenient(Flow, stored.document)
            subject = subject_of(tx, tenant.tenant, stored.id, flow, edition.id, edition.destination)
            found += new_ones(violations_of(tx, tenant, stored), evaluate(enforced, subject))
    return found


def refuse_to_enable(tx: Transaction, caller: Caller, stored: StoredDataflow) -> None:
    """
    Refuse to set a dataflow going that violates policies.

    Raises:
        PolicyViolation: it does.
    """
    refuse(violations_of(tx, caller.tenant, stored))


def check(tx: Transaction, caller: Caller, id_: str) -> tuple[StoredDataflow, list[Violation]] | None:
    """Return a dataflow with what it violates as it is; ``None`` where there is no such dataflow."""
    stored = dataflows.get(tx, caller.number, id_)
    return (stored, violations_of(tx, caller.tenant, stored)) if stored is not None else None


def action_problems(tx: Transaction, tenant: int, flow: Flow, where: str = _REFERENCES) -> Iterator[Problem]:
    """Say which marketing actions a dataflow names that there are none of."""
    listed = (flow.policy or {}).get("enforcementRefs")
    if listed is not None and (not isinstance(listed, list) or not all(isinstance(item, str) for item in listed)):
        yield Problem("invalid", _REFERENCES, "`enforcementRefs` is a list of references to marketing actions")
    for place, reference in enumerate(references_in(flow.policy)):
        if not is_there(tx, tenant, action_of(reference)):
            message = f"{reference[:200]!r} leads to no marketing action that there is here"
            yield Problem("unknown-marketing-action", f"{where}/{place}", message)


def is_there(tx: Transaction, tenant: int, action: tuple[str, str] | None) -> bool:
    """Say whether there is a marketing action, by its kind and name."""
    if action is None:
        return False
    kind, name = action
    return name in ACTION_BY_NAME if kind == "core" else documents.get(tx, tenant, ACTION, name) is not None
