"""Target connections: a destination set up under an account, with what its form asks for."""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.clock import Clock
from headrace.connect.keyring import Keyring
from headrace.errors import Conflict
from headrace.model.flow import TargetConnection
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.reading import read
from headrace.services import declared, file_form, fitting, form, limits, looking_up, moving, sealing
from headrace.services.accounts import ACCOUNT, TARGET, offered
from headrace.services.at_partner import abandoning
from headrace.services.caller import Caller
from headrace.services.carried import not_carried_yet
from headrace.services.catalog import Catalog, Edition, uses_working
from headrace.services.exports import looks
from headrace.services.form import Filled
from headrace.services.governance.holding import held
from headrace.services.in_use import find_unused
from headrace.services.looked_up import attributes_of
from headrace.services.looking_up import LookUps, Question
from headrace.services.patching import Operations, patched
from headrace.services.rebinding import followed
from headrace.services.sealing import SEALED, Safe
from headrace.services.setting_up_storages import Storage, storage_of, try_out
from headrace.services.storage_trials import StorageTrials
from headrace.store import consents, documents, unique_values
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared

Asked = list[tuple[form.Asked, Question]]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A target connection as it would be kept, and what is still to be asked of the partner."""

    target: TargetConnection
    edition: Edition
    filled: Filled
    asked: Asked
    schema: Question | None = None
    storage: Storage | None = None


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who sets something up, and by what partners and storages may be asked."""

    caller: Caller
    lookups: LookUps | None
    trials: StorageTrials | None


async def create_target(
    store: Store,
    clock: Clock,
    keyring: Keyring,
    caller: Caller,
    document: object,
    lookups: LookUps | None = None,
    *,
    most: int | None = None,
    trials: StorageTrials | None = None,
) -> Declared:
    """
    Keep a target connection: a destination set up under an account. That it was made is the consent to what it sends.

    Without ``lookups`` no partner is asked, and what hangs on an answer is refused. ``most`` is how many a sandbox may
    have. With ``trials`` a storage is tried, whether files can be written there, unless the document says not to.

    Raises:
        ConfigurationError: the destination or the account is not there, the form is not filled in right, or files
            cannot be written to the storage.
        TooManyCalls: partners were called too often.
    """
    target, _ = read(TargetConnection, document)
    prepared = await store.read(lambda tx: _prepare_new(tx, _Asking(caller, lookups, trials), target))
    filled = await _checked(lookups, prepared)
    await try_out(trials, caller, prepared.storage)
    id_, now = str(uuid.uuid4()), clock.now()
    kept = _kept(Safe(keyring, caller.tenant), id_, target, filled)
    unique = _fingerprints(keyring, caller, prepared.edition, filled)

    def work(tx: Transaction) -> Declared:
        edition = _edition_for(tx, caller, target)
        _refuse_another_edition(prepared.edition, edition)
        declared.refuse([*limits.too_many_destinations(tx, caller, most)])
        declared.refuse([*_account_problems(tx, caller, target), *_taken(tx, caller, target, id_, unique)])
        moving.agree(tx, id_, caller, edition, now)  # Whoever looks at the connection asks for its edition.
        stored = declared.add(tx, caller, TARGET, id_, kept, now)
        unique_values.keep(tx, caller.tenant, edition.id, id_, unique)
        return stored

    return await store.write(work)


async def change_target(
    store: Store,
    clock: Clock,
    keyring: Keyring,
    caller: Caller,
    id_: str,
    version: str,
    operations: Operations,
    lookups: LookUps | None = None,
    *,
    trials: StorageTrials | None = None,
) -> Declared:
    """
    Change a target connection by JSON Patch; its form is checked as a whole. Dots stand for the secret that is stored.

    Raises:
        NotFound: it is not in this sandbox.
        StaleVersion: ``version`` is not the one that is stored.
        ConfigurationError: the patch does not apply, the form is not right, or a dataflow could not go on.
    """
    now, safe = clock.now(), Safe(keyring, caller.tenant)
    asking = _Asking(caller, lookups, trials)
    prepared = await store.read(lambda tx: _prepare_changed(tx, asking, safe, (id_, version), operations))
    filled = await _checked(lookups, prepared)
    await try_out(trials, caller, prepared.storage)
    attributes = await _attributes(lookups, prepared.schema)
    kept = _kept(safe, id_, prepared.target, filled)
    unique = _fingerprints(keyring, caller, prepared.edition, filled)

    def work(tx: Transaction) -> Declared:
        known = declared.existing(tx, caller, TARGET, id_)
        declared.refuse_another(known, version)
        edition = _edition_of(tx, caller, known, prepared.target)
        _refuse_another_edition(prepared.edition, edition)
        declared.refuse([*_account_problems(tx, caller, prepared.target)])
        declared.refuse([*_taken(tx, caller, prepared.target, id_, unique)])
        declared.refuse([*_unbearable(tx, caller, known, edition, attributes)])
        with held(tx, caller.tenant), followed(tx, caller.tenant, caller.actor, now):
            stored = declared.replace(tx, caller, TARGET, known, kept, now)
            if uses_working(stored) != uses_working(known):
                moving.agree(tx, id_, caller, edition, now)
        documents.rewrite_versions(tx, caller.number, TARGET, id_, stored.version, sealing.without_sealed)
        unique_values.keep(tx, caller.tenant, edition.id, id_, unique)
        return stored

    return await store.write(work)


async def delete_target(
    store: Store, clock: Clock, caller: Caller, id_: str, if_match: str | None = None, *, abandon: bool = False
) -> None:
    """
    Delete a target connection that no dataflow sends to, with its secrets; its unique values are free again.

    With ``abandon``, audiences that are still to be deleted at the partner are left there.

    Raises:
        NotFound: it is not in this sandbox.
        StaleVersion: it was changed since it was read.
        InUse: dataflows send to it; it says which.
        Conflict: audiences are still to be deleted at its partner; it names them.
    """
    now = clock.now()

    def work(tx: Transaction) -> None:
        known = find_unused(tx, caller, TARGET, id_, if_match)
        if abandon:
            abandoning.abandon(tx, caller, known, now)
        abandoning.refuse_left(tx, caller, known)
        declared.remove(tx, caller, TARGET, known, now)
        documents.rewrite_versions(tx, caller.number, TARGET, id_, known.version + 1, sealing.without_sealed)
        unique_values.free(tx, caller.number, id_)
        consents.forget(tx, caller.number, id_)

    await store.write(work)


async def shown_target(store: Store, keyring: Keyring, caller: Caller, target: Declared) -> dict[str, Any]:
    """Return a target connection's document as the API shows it, with what its operator has to agree to."""
    document, fingerprints = sealing.masked(Safe(keyring, caller.tenant), target.id, target.document)
    held = await store.read(lambda tx: moving.held_back(tx, caller.tenant, target))
    added: dict[str, Any] = {"fingerprints": fingerprints} if fingerprints else {}
    added |= {"consentRequired": told(held)} if held is not None else {}
    return {**document, "x-headrace": {**document.get("x-headrace", {}), **added}} if added else document


async def consent(store: Store, clock: Clock, caller: Caller, id_: str, config_id: str | None) -> Declared:
    """
    Agree to the newest version of the destination that a target connection sends to, and use it from now on.

    Raises:
        NotFound: the connection is not in this sandbox.
        Conflict: ``config_id`` is not the newest version's.
        ConfigurationError: dataflows of the connection cannot go on under it.
        PolicyViolation: policies deny what they would do under it.
    """
    now = clock.now()

    def work(tx: Transaction) -> Declared:
        target = declared.existing(tx, caller, TARGET, id_)
        with held(tx, caller.tenant), followed(tx, caller.tenant, caller.actor, now):
            moving.consent(tx, caller, target, config_id, now)
        return target

    return await store.write(work)


def told(held: moving.Held) -> dict[str, Any]:
    """Return what an operator is told of a newer version: what is new in it, and what does not fit."""
    return {
        "configId": held.edition.config_id,
        "origins": [*held.news.origins],
        "fields": [*held.news.fields],
        "errors": [problem.as_json() for problem in held.problems],
    }


# -- what would be kept -------------------------------------------------------------------------------------------


def _prepare_new(tx: Transaction, asking: _Asking, target: TargetConnection) -> _Prepared:
    caller, lookups = asking.caller, asking.lookups
    edition = _edition_for(tx, caller, target)
    filled = file_form.fill(edition.destination, target.params)
    _refuse_form(tx, caller, target, edition, filled)
    declared.refuse([*looks.problems_of(caller.tenant, edition, filled.values, "/params")])
    asked = _questions(tx, caller, lookups, edition, target, filled)
    return _Prepared(target, edition, filled, asked, storage=_storage(tx, asking, edition, target, filled))


def _storage(
    tx: Transaction, asking: _Asking, edition: Edition, target: TargetConnection, filled: Filled
) -> Storage | None:
    account, is_tried = _account(tx, asking.caller, target), target.extension.check
    return storage_of(tx, asking.trials, asking.caller, edition, account, filled, is_tried=is_tried)


def _prepare_changed(
    tx: Transaction, asking: _Asking, safe: Safe, wanted: tuple[str, str], operations: Operations
) -> _Prepared:
    """Apply a patch to what the client has read, and see what it asks for; ``wanted`` is the id and the version."""
    caller, lookups = asking.caller, asking.lookups
    known = declared.existing(tx, caller, TARGET, wanted[0])
    declared.refuse_another(known, wanted[1])
    document = patched(sealing.without_sealed(known.document), operations, "target connection")
    whole = sealing.restored(safe, known.id, document, known.document)
    target, _ = read(TargetConnection, whole)
    before = sealing.opened(safe, known.id, known.document).get("params", {})
    edition = _edition_of(tx, caller, known, target)
    filled = file_form.fill(edition.destination, file_form.as_sent(edition.destination, target.params, before))
    _refuse_form(tx, caller, target, edition, filled)
    declared.refuse([*looks.problems_of(caller.tenant, edition, filled.values, "/params")])
    is_other = uses_working(known) != target.extension.working
    if filled.values == before and target.base_connection_id == known.document.get("baseConnectionId") and not is_other:
        return _Prepared(target, edition, filled, [])
    asked = _questions(tx, caller, lookups, edition, target, filled)
    has_flows = bool(Catalog(tx, caller.tenant).dataflows_of(known.id))
    schema = _schema_question(tx, caller, lookups, edition, target, filled) if has_flows else None
    return _Prepared(target, edition, filled, asked, schema, _storage(tx, asking, edition, target, filled))


def _refuse_form(tx: Transaction, caller: Caller, target: TargetConnection, edition: Edition, filled: Filled) -> None:
    problems = [*filled.problems, *_account_problems(tx, caller, target)]
    if target.base_connection_id is None and edition.destination.delivery.authentication_rule == (
        "CUSTOMER_AUTHENTICATION"
    ):
        problems.append(Problem("missing-field", "/baseConnectionId", "the destination needs an account"))
    declared.refuse(problems)


def _kept(safe: Safe, id_: str, target: TargetConnection, filled: Filled) -> dict[str, Any]:
    """Return the document that is stored. Never inside work of the store, for sealing may have to keep a key."""
    document = target.model_dump(mode="json", by_alias=True, exclude_unset=True)
    secret = sealing.sealed(safe, id_, {**document, "params": filled.values}, [*filled.secret])
    return secret if secret[SEALED] else sealing.without_sealed(secret)


def _edition_for(tx: Transaction, caller: Caller, target: TargetConnection) -> Edition:
    """Return the edition that a new target connection would use."""
    id_ = target.connection_spec.id
    if not target.extension.working:
        return offered(tx, caller, id_)
    edition = Catalog(tx, caller.tenant).working(id_)
    if edition is None:
        message = "only who works on a destination can use it as it is being worked on; leave `working` out"
        raise ConfigurationError([Problem("invalid", "/x-headrace/working", message)])
    declared.refuse([*not_carried_yet(edition.destination, "/connectionSpec/id")])
    return edition


def _edition_of(tx: Transaction, caller: Caller, known: Declared, target: TargetConnection) -> Edition:
    """Return the edition that a changed target connection uses: the one it has, unless `working` is another."""
    if target.connection_spec.id != known.document["connectionSpec"]["id"]:
        message = "a target connection stays with its destination; make another one"
        raise ConfigurationError([Problem("other-destination", "/connectionSpec/id", message)])
    if target.extension.working != uses_working(known):
        return _edition_for(tx, caller, target)
    return Catalog(tx, caller.tenant).in_force(known)


def _refuse_another_edition(seen: Edition, edition: Edition) -> None:
    if (edition.config_id, edition.version) != (seen.config_id, seen.version):
        raise Conflict("the destination was changed just now; look at it again")


def _account_problems(tx: Transaction, caller: Caller, target: TargetConnection) -> Iterator[Problem]:
    """Say what is wrong with the account of a target connection."""
    account = _account(tx, caller, target)
    if target.base_connection_id is not None and account is None:
        yield Problem("unknown-account", "/baseConnectionId", f"there is no account {target.base_connection_id!r}")
    if account is not None and account.document["connectionSpec"]["id"] != target.connection_spec.id:
        message = "this account belongs to another destination: its credentials go nowhere else"
        yield Problem("other-destination", "/baseConnectionId", message)


def _account(tx: Transaction, caller: Caller, target: TargetConnection) -> Declared | None:
    id_ = target.base_connection_id
    return documents.get(tx, caller.number, ACCOUNT, id_) if id_ is not None else None


def _unbearable(
    tx: Transaction, caller: Caller, known: Declared, after: Edition, attributes: list[str] | None
) -> Iterator[Problem]:
    """Say which dataflows could not go on after a change of their target connection."""
    catalog = Catalog(tx, caller.tenant)
    flows, before = catalog.dataflows_of(known.id), catalog.in_force(known)
    if attributes is not None or (before.config_id, before.version) != (after.config_id, after.version):
        yield from fitting.misfits(flows, before.destination, after.destination, attributes)


# -- values that no other connection may have -----------------------------------------------------------------------


def _fingerprints(keyring: Keyring, caller: Caller, edition: Edition, filled: Filled) -> dict[str, str]:
    """Return fingerprints of the unique values, by field. Never inside work of the store, as for ``_kept``."""
    organization = caller.tenant.organization
    return {
        where: keyring.fingerprint(json.dumps([edition.id, where, str(value)]), organization)
        for where, value in filled.unique.items()
    }


def _taken(
    tx: Transaction, caller: Caller, target: TargetConnection, id_: str, unique: Mapping[str, str]
) -> Iterator[Problem]:
    """Say which values another connection of the organization has; of one of another sandbox not even its name."""
    for where, fingerprint in unique.items():
        number = caller.tenant.organization_number
        holder = unique_values.holder(tx, number, target.connection_spec.id, where, fingerprint)
        if holder is not None and holder != (caller.number, id_):
            name = where.rpartition("/")[2]
            message = f"{_named(tx, caller, *holder)} has this value of `{name}` already, which is unique; use another"
            yield Problem("value-taken", where, message)


def _named(tx: Transaction, caller: Caller, number: int, id_: str) -> str:
    other = documents.get(tx, number, TARGET, id_) if number == caller.number else None
    return f"the target connection {other.document['name']!r}" if other else "a target connection of another sandbox"


# -- what the partner is asked ------------------------------------------------------------------------------------


def _questions(
    tx: Transaction,
    caller: Caller,
    lookups: LookUps | None,
    edition: Edition,
    target: TargetConnection,
    filled: Filled,
) -> Asked:
    """Make a question of each value that was chosen from what the partner gives."""
    chosen = [asked for asked in filled.asked if asked.value not in (None, "")]
    if not chosen:
        return []
    for asked in chosen:
        looking_up.refuse_unanswered(asked)
    if lookups is None:
        message = "its choices are fetched from the partner, who cannot be asked here"
        raise ConfigurationError([Problem("choices-unknown", asked.pointer, message) for asked in chosen])
    account, drafted = _account(tx, caller, target), looking_up.filled_in(edition, filled)
    secrets = looking_up.secrets_in(filled)
    return [
        (item, lookups.question(tx, caller, edition, item.options, account, drafted, secrets, item.query))
        for item in chosen
    ]


def _schema_question(
    tx: Transaction,
    caller: Caller,
    lookups: LookUps | None,
    edition: Edition,
    target: TargetConnection,
    filled: Filled,
) -> Question | None:
    source = edition.destination.dynamic_schema
    if source is None or lookups is None:
        return None
    drafted, secrets = looking_up.filled_in(edition, filled), looking_up.secrets_in(filled)
    return lookups.question(tx, caller, edition, source, _account(tx, caller, target), drafted, secrets)


async def _checked(lookups: LookUps | None, prepared: _Prepared) -> Filled:
    """Hold the values that were chosen against the choices there are."""
    if not prepared.asked or lookups is None:
        return prepared.filled
    choices, problems = await lookups.all_choices(prepared.asked)
    filled = file_form.fill(prepared.edition.destination, prepared.filled.values, choices)
    declared.refuse([*filled.problems, *problems])
    return filled


async def _attributes(lookups: LookUps | None, question: Question | None) -> list[str] | None:
    if lookups is None or question is None:
        return None
    return attributes_of(await lookups.schema(question))
