"""Labels, marketing actions and policies of a sandbox: kept, listed, changed and deleted, beside the core ones."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from headrace.clock import Clock
from headrace.errors import Conflict, NotFound
from headrace.model.block import Block
from headrace.model.core_governance import ACTION_BY_NAME, CORE_POLICIES, LABEL_BY_NAME, POLICY_BY_ID
from headrace.model.deny import labels_in, read_deny
from headrace.model.flow import Flow
from headrace.model.governance import (
    EnabledPolicies,
    MarketingAction,
    Policy,
    UsageLabel,
    action_of,
    actions_in,
    references_in,
)
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.reading import read
from headrace.services import declared
from headrace.services.caller import Caller
from headrace.services.checks import lenient
from headrace.services.governance.gathering import ACTION, LABEL, POLICY
from headrace.services.governance.holding import held, is_there
from headrace.services.in_use import InUse, Use
from headrace.services.patching import Operations, patched
from headrace.store import audit, dataflows, documents, governance
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared

ENABLED_CORE = "enabled-core-policies"
Object = dict[str, Any]
_BLOCKS: dict[str, type[UsageLabel | MarketingAction]] = {LABEL: UsageLabel, ACTION: MarketingAction}
_CORE: dict[str, Mapping[str, object]] = {LABEL: LABEL_BY_NAME, ACTION: ACTION_BY_NAME}


# -- labels and marketing actions: known by their names -------------------------------------------------------------


async def put(store: Store, clock: Clock, caller: Caller, noun: str, name: str, document: object) -> Declared:
    """
    Keep a label or a marketing action under its name, or replace what is said of it.

    Raises:
        ConfigurationError: it is not right, or says another name than its place.
        Conflict: a core one has the name.
    """
    wanted, _ = read(_BLOCKS[noun], document)
    if wanted.name != name:
        raise ConfigurationError([Problem("wrong-id", "/name", f"it is kept as {name!r}: write that, or leave it")])
    if name in _CORE[noun]:
        raise Conflict(f"{name!r} is a core {declared.spoken(noun)}: those stay as they are; take another name")
    kept, now = _kept(wanted), clock.now()
    return await store.write(lambda tx: _put(tx, caller, noun, name, kept, now))


async def delete(store: Store, clock: Clock, caller: Caller, noun: str, name: str) -> None:
    """
    Delete a label or a marketing action that nothing uses.

    Raises:
        NotFound: it is not in this sandbox.
        InUse: policies, data or dataflows do; it says which.
    """
    now = clock.now()

    def work(tx: Transaction) -> None:
        known = declared.existing(tx, caller, noun, name)
        uses = [*(_uses_of_label if noun == LABEL else _uses_of_action)(tx, caller, name)]
        if uses:
            raise InUse(noun, uses, 0)
        declared.remove(tx, caller, noun, known, now)

    await store.write(work)


def _put(tx: Transaction, caller: Caller, noun: str, name: str, document: Object, now: int) -> Declared:
    known = documents.get(tx, caller.number, noun, name)
    if known is not None:
        return declared.replace(tx, caller, noun, known, document, now)
    if not documents.versions_of(tx, caller.number, noun, name, most=1):
        return declared.add(tx, caller, noun, name, document, now)
    revived = documents.revive(tx, caller.number, noun, name, document, now, caller.actor)
    declared.note(tx, caller, "create", noun, revived, now)
    return revived


def _uses_of_label(tx: Transaction, caller: Caller, name: str) -> Iterator[Use]:
    for policy in documents.all_of(tx, caller.number, POLICY):
        deny, _ = read_deny(policy.document["deny"], "/deny")
        if name in labels_in(deny):
            yield Use(POLICY, policy.id, policy.document["name"])
    for item in governance.labels(tx, caller.number):
        if name in item.labels:
            yield Use(item.kind, item.name, item.name)


def _uses_of_action(tx: Transaction, caller: Caller, name: str) -> Iterator[Use]:
    for policy in documents.all_of(tx, caller.number, POLICY):
        if ("custom", name) in actions_in(policy.document["marketingActionRefs"]):
            yield Use(POLICY, policy.id, policy.document["name"])
    for stored in dataflows.all_of(tx, caller.number):
        if ("custom", name) in actions_in(references_in(lenient(Flow, stored.document).policy)):
            yield Use("dataflow", stored.id, stored.document["name"])


# -- policies -------------------------------------------------------------------------------------------------------


async def create_policy(store: Store, clock: Clock, caller: Caller, document: object) -> Declared:
    """
    Keep a policy.

    Raises:
        ConfigurationError: it is not right, or names what there is not.
        PolicyViolation: it is enabled, and dataflows would violate it.
    """
    now, id_ = clock.now(), uuid.uuid4().hex[:24]

    def work(tx: Transaction) -> Declared:
        kept = _judged(tx, caller, document)
        with held(tx, caller.tenant):
            return declared.add(tx, caller, POLICY, id_, kept, now)

    return await store.write(work)


async def replace_policy(store: Store, clock: Clock, caller: Caller, id_: str, document: object) -> Declared:
    """
    Put a policy in the place of one that there is.

    Raises:
        NotFound: it is not in this sandbox.
        ConfigurationError, PolicyViolation: as when one is created.
    """
    now = clock.now()

    def work(tx: Transaction) -> Declared:
        known = declared.existing(tx, caller, POLICY, id_)
        kept = _judged(tx, caller, document)
        with held(tx, caller.tenant):
            return declared.replace(tx, caller, POLICY, known, kept, now)

    return await store.write(work)


async def patch_policy(store: Store, clock: Clock, caller: Caller, id_: str, operations: Operations) -> Declared:
    """Change a policy by JSON Patch: ``/status`` to enforce it, or not any more. Raises as ``replace_policy``."""
    known = await declared.read(store, caller, POLICY, id_)
    return await replace_policy(store, clock, caller, id_, patched(known.document, operations, POLICY))


async def delete_policy(store: Store, clock: Clock, caller: Caller, id_: str) -> None:
    """
    Delete a policy: it is not enforced any more.

    Raises:
        NotFound: it is not in this sandbox.
    """
    now = clock.now()
    await store.write(lambda tx: declared.remove(tx, caller, POLICY, declared.existing(tx, caller, POLICY, id_), now))


async def enabled_core(store: Store, caller: Caller) -> tuple[list[str], int]:
    """Return the ids of the core policies that are enforced, and when that was said."""
    ids, at = await store.read(lambda tx: governance.enabled(tx, caller.number))
    return [policy.id for policy in CORE_POLICIES if policy.id in ids], at


async def enable_core(store: Store, clock: Clock, caller: Caller, document: object) -> None:
    """
    Enforce the core policies that are named, and no other.

    Raises:
        ConfigurationError: there is no such policy.
        PolicyViolation: dataflows would violate one.
    """
    wanted, _ = read(EnabledPolicies, {"policyIds": document} if isinstance(document, list) else document)
    ids, now = [*dict.fromkeys(wanted.policy_ids)], clock.now()
    declared.refuse([*_unknown_policies(ids)])

    def work(tx: Transaction) -> None:
        with held(tx, caller.tenant):
            governance.enable(tx, caller.number, ids, now)
        details = {"policyIds": ids}
        audit.note(tx, caller.number, caller.actor, "replace", ENABLED_CORE, ENABLED_CORE, now, details=details)

    await store.write(work)


def core_policy(id_: str) -> Object:
    """
    Return a core policy.

    Raises:
        NotFound: there is none of this id.
    """
    if id_ not in POLICY_BY_ID:
        raise NotFound(f"there is no core policy {id_!r}")
    policy = POLICY_BY_ID[id_]
    operands = [{"label": label} for label in policy.labels]
    return {
        "id": policy.id,
        "name": policy.name,
        "marketingActionRefs": [f"/dulepolicy/marketingActions/core/{policy.action}"],
        "description": ACTION_BY_NAME[policy.action].description,
        "deny": {"operator": "OR", "operands": operands},
    }


def unknown_labels(tx: Transaction, tenant: int, labels: Iterator[str], where: str) -> Iterator[Problem]:
    """Yield a problem for each label that there is not."""
    for label in dict.fromkeys(labels):
        if label not in LABEL_BY_NAME and documents.get(tx, tenant, LABEL, label) is None:
            yield Problem("unknown-label", where, f"there is no label {label[:100]!r} here")


def _unknown_policies(ids: list[str]) -> Iterator[Problem]:
    for place, id_ in enumerate(ids):
        if id_ not in POLICY_BY_ID:
            these = ", ".join(POLICY_BY_ID)
            yield Problem("unknown-policy", f"/policyIds/{place}", f"{id_[:100]!r} is none of these: {these}")


def _judged(tx: Transaction, caller: Caller, document: object) -> Object:
    """Return a policy as it is kept, or raise all that is wrong with it."""
    wanted, _ = read(Policy, document)
    deny, problems = read_deny(wanted.deny, "/deny")
    for place, reference in enumerate(wanted.marketing_action_refs):
        if not is_there(tx, caller.number, action_of(reference)):
            message = f"{reference[:200]!r} leads to no marketing action that there is here"
            problems.append(Problem("unknown-marketing-action", f"/marketingActionRefs/{place}", message))
    if not problems:
        problems += unknown_labels(tx, caller.number, labels_in(deny), "/deny")
    declared.refuse(problems)
    return _kept(wanted)


def _kept(wanted: Block) -> Object:
    return wanted.model_dump(mode="json", by_alias=True, exclude_none=True)
