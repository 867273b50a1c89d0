"""Consent policies: kept, changed, deleted; which of them bind a dataflow; and the run that applies a change."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from headrace.clock import Clock
from headrace.errors import AccountError, Conflict
from headrace.mapping.consent import Consents, NamedPolicy
from headrace.mapping.paths import parse as parse_path
from headrace.model.consent import ConsentPolicy
from headrace.model.destination import Destination
from headrace.model.governance import actions_in, actions_of_destination, references_in
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.reading import read
from headrace.services import declared
from headrace.services.caller import Caller
from headrace.store import documents, profiles, runs
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared
from headrace.store.runs import Run

CONSENT_POLICY = "consent-policy"
#: The kind of the runs that apply policies to those who are known already.
KIND = "apply-consent"
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class InForce:
    """The policies of a sandbox, and whether a change of them is being applied to those who are known."""

    policies: tuple[NamedPolicy, ...]
    is_being_applied: bool


# -- what binds a dataflow ----------------------------------------------------------------------------------------


def in_force(tx: Transaction, tenant: int) -> InForce:
    """Return the policies of a sandbox, as the transaction sees them."""
    known = documents.all_of(tx, tenant, CONSENT_POLICY)
    named = (NamedPolicy(item.id, ConsentPolicy.model_validate(item.document)) for item in known)
    under_way = runs.unfinished(tx, tenant, KIND)
    return InForce(tuple(named), any(not run.progress.get("settled") for run in under_way))


def binding(known: InForce, flow: Object, destination: Destination) -> tuple[Consents, bool, bool]:
    """Return the policies that bind a dataflow, whether what it claims is looked at, and whether it evaluates any."""
    if not evaluates_consent(destination):
        return Consents(), False, False
    actions = actions_in(references_in(flow.get("policy"))) | actions_of_destination(destination.marketing_actions)
    names = frozenset(name for _, name in actions) or None
    consents = Consents(item for item in known.policies if item.applies_to(names))
    return consents, bool(consents) or known.is_being_applied, True


def evaluates_consent(destination: Destination) -> bool:
    """
    Say whether policies bind dataflows to a destination.

    They do not where it is sent whole profiles whatever happens to them (``x-headrace.trigger: profile``).
    """
    return not destination.follows_profiles


# -- what people do -----------------------------------------------------------------------------------------------


async def create(store: Store, clock: Clock, caller: Caller, document: object) -> Declared:
    """
    Keep a policy, and ask for the run that applies it.

    Raises:
        ConfigurationError: it is not right.
        Conflict: there is one of its name.
    """
    kept, now = _judged(document), clock.now()

    def check(tx: Transaction) -> list[Problem]:
        _refuse_namesake(tx, caller, kept, None)
        ask(tx, caller.number, caller.actor, now)
        return []

    return await declared.create(store, clock, caller, CONSENT_POLICY, kept, check)


async def replace(
    store: Store, clock: Clock, caller: Caller, id_: str, document: object, if_match: str | None
) -> Declared:
    """
    Put a policy in the place of one, and ask for the run that applies it.

    Raises:
        NotFound: it is not in this sandbox.
        StaleVersion: it was changed since it was read.
        ConfigurationError, Conflict: as when it is created.
    """
    kept, now = _judged(document), clock.now()

    def work(tx: Transaction) -> Declared:
        known = declared.existing(tx, caller, CONSENT_POLICY, id_)
        declared.refuse_stale(known, if_match)
        _refuse_namesake(tx, caller, kept, id_)
        ask(tx, caller.number, caller.actor, now)
        return declared.replace(tx, caller, CONSENT_POLICY, known, kept, now)

    return await store.write(work)


async def delete(store: Store, clock: Clock, caller: Caller, id_: str, if_match: str | None) -> None:
    """
    Delete a policy, and ask for the run that tells partners of those whom it withheld.

    Raises:
        NotFound: it is not in this sandbox.
        StaleVersion: it was changed since it was read.
    """
    now = clock.now()

    def work(tx: Transaction) -> None:
        known = declared.existing(tx, caller, CONSENT_POLICY, id_)
        declared.refuse_stale(known, if_match)
        ask(tx, caller.number, caller.actor, now)
        declared.remove(tx, caller, CONSENT_POLICY, known, now)

    await store.write(work)


def ask(tx: Transaction, tenant: int, actor: str, now: int) -> Run | None:
    """Ask for the run that applies the policies to those who are known now; where there is nobody, for none."""
    upto = profiles.last_number(tx, tenant)
    if not upto:
        return None
    return runs.ask(tx, tenant, KIND, {}, actor, now, progress={"done": 0, "after": 0, "upto": upto})


def _judged(document: object) -> Object:
    policy, _ = read(ConsentPolicy, document)
    if problems := [*_path_problems(policy)]:
        raise ConfigurationError(problems)
    return policy.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _path_problems(policy: ConsentPolicy) -> Iterator[Problem]:
    for place, condition in enumerate(policy.conditions):
        try:
            parse_path(condition.path)
        except AccountError as error:
            yield Problem("invalid-path", f"/conditions/{place}/path", error.message)


def _refuse_namesake(tx: Transaction, caller: Caller, kept: Object, id_: str | None) -> None:
    known = documents.all_of(tx, caller.number, CONSENT_POLICY)
    if any(item.document["name"] == kept["name"] and item.id != id_ for item in known):
        raise Conflict(f"there is a consent policy {kept['name']!r} already: choose another name")
