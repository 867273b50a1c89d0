"""Accounts: an operator's credentials at a partner, sealed at once, and the connections that use them."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from headrace.clock import Clock
from headrace.connect.auth import Scheme, schemes
from headrace.connect.keyring import Keyring
from headrace.connect.secrets import Secret
from headrace.errors import AccountError, Conflict
from headrace.model.block import Block, pointer
from headrace.model.customer_data import CustomerDataField
from headrace.model.destination import Destination
from headrace.model.flow import Auth, BaseConnection, SourceConnection, TargetConnection
from headrace.model.pattern import is_match
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.reading import read
from headrace.services import declared, moving, sealing
from headrace.services.caller import Caller
from headrace.services.carried import not_carried_yet
from headrace.services.catalog import Catalog, Edition
from headrace.services.sealing import SEALED, Safe
from headrace.services.ways import refuse_unless_allowed
from headrace.store import documents
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared

ACCOUNT = "account"
SOURCE = "source-connection"
TARGET = moving.TARGET


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an account signs in with, opened: the scheme, the secrets to keep out of texts, and ``authData``."""

    scheme: Scheme
    secrets: tuple[Secret, ...]
    auth_data: dict[str, str]


async def create_account(
    store: Store, clock: Clock, keyring: Keyring, caller: Caller, document: object, *, password_grant: bool = False
) -> Declared:
    """
    Keep an account; its credentials are sealed before they are stored and never read back.

    Raises:
        ConfigurationError: the document is wrong, or the destination is not there or asks for other credentials.
    """
    account, _ = read(BaseConnection, document)
    destination = (await store.read(lambda tx: _offered(tx, caller, account.connection_spec.id))).destination
    id_ = str(uuid.uuid4())
    kept = account.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if account.auth is not None:
        auth_type = _auth_type(account.auth, destination)
        refuse_unless_allowed(auth_type, destination, password_grant=password_grant)
        params = _texts(account.auth.params)
        _try(auth_type, params)
        kept["auth"] = {"specName": auth_type, "params": Safe(keyring, caller.tenant).seal(id_, params)}
    elif destination.delivery.authentication_rule == "CUSTOMER_AUTHENTICATION":
        raise ConfigurationError([Problem("missing-field", "/auth", "the destination asks for credentials")])

    def check(tx: Transaction) -> list[Problem]:
        _offered(tx, caller, account.connection_spec.id)
        return []

    return await declared.create(store, clock, caller, ACCOUNT, kept, check, id_)


async def create_source(store: Store, clock: Clock, caller: Caller, document: object) -> Declared:
    """Keep a source connection: a name for the profile store."""
    return await _create_plain(store, clock, caller, SOURCE, SourceConnection, document)


async def create_target(store: Store, clock: Clock, keyring: Keyring, caller: Caller, document: object) -> Declared:
    """
    Keep a target connection: a destination set up under an account. That it was made is the consent to what it sends.

    Raises:
        ConfigurationError: the destination or the account is not there, or a customer data field is not right.
    """
    target, _ = read(TargetConnection, document)
    seen = await store.read(lambda tx: _edition_for(tx, caller, target))
    id_, now = str(uuid.uuid4()), clock.now()
    kept = target.model_dump(mode="json", by_alias=True, exclude_unset=True)
    fields = seen.destination.customer_data_fields
    defaults = {field.name: field.default for field in fields if field.default is not None}
    kept["params"] = {**defaults, **target.params}
    secret = sealing.sealed(Safe(keyring, caller.tenant), id_, kept, _password_pointers(seen))

    def work(tx: Transaction) -> Declared:
        edition = _edition_for(tx, caller, target)
        if (edition.config_id, edition.version) != (seen.config_id, seen.version):
            raise Conflict("the destination was changed just now; look at it again")
        declared.refuse([*_params_problems(target, edition.destination), *_account_problems(tx, caller, target)])
        stored = declared.add(tx, caller, TARGET, id_, secret if secret[SEALED] else kept, now)
        moving.agree(tx, stored, caller, edition, now)
        return stored

    return await store.write(work)


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
    """
    now = clock.now()

    def work(tx: Transaction) -> Declared:
        target = declared.existing(tx, caller, TARGET, id_)
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


def shown(keyring: Keyring, caller: Caller, account: Declared) -> dict[str, Any]:
    """Return an account's document as the API shows it: credentials masked, each with a fingerprint."""
    document = dict(account.document)
    if "auth" in document:
        masked = Safe(keyring, caller.tenant).mask(account.id, document["auth"]["params"])
        document["auth"] = {
            "specName": document["auth"]["specName"],
            "params": {name: value.text for name, value in masked.items()},
            "x-headrace": {"fingerprints": {name: value.fingerprint for name, value in masked.items()}},
        }
    return document


def credentials(safe: Safe, account: Declared | None) -> Credentials:
    """
    Open what an account signs in with; without an account, nothing is signed.

    Raises:
        AccountError: the credentials are not complete.
        OperationError: they cannot be opened.
    """
    if account is None or "auth" not in account.document:
        return Credentials(schemes.get("NONE")({}), (), {})
    opened = safe.open(account.id, account.document["auth"]["params"])
    scheme = schemes.get(account.document["auth"]["specName"])(opened)
    auth_data = {name: secret.reveal() for name, secret in opened.items()}
    if "token" in auth_data:
        auth_data.setdefault("accessToken", auth_data["token"])
    return Credentials(scheme, tuple(opened.values()), auth_data)


async def _create_plain(
    store: Store, clock: Clock, caller: Caller, noun: str, block: type[Block], document: object
) -> Declared:
    kept = read(block, document)[0].model_dump(mode="json", by_alias=True, exclude_unset=True)
    return await declared.create(store, clock, caller, noun, kept, declared.nothing_to_check)


def _edition_for(tx: Transaction, caller: Caller, target: TargetConnection) -> Edition:
    """Return the edition that a new target connection would use."""
    id_ = target.connection_spec.id
    if not target.extension.working:
        return _offered(tx, caller, id_)
    edition = Catalog(tx, caller.tenant).working(id_)
    if edition is None:
        message = "only who works on a destination can use it as it is being worked on; leave `working` out"
        raise ConfigurationError([Problem("invalid", "/x-headrace/working", message)])
    declared.refuse([*not_carried_yet(edition.destination, "/connectionSpec/id")])
    return edition


def _offered(tx: Transaction, caller: Caller, id_: str) -> Edition:
    edition = Catalog(tx, caller.tenant).find(id_)
    if edition is None:
        message = f"there is no destination {id_!r}; a connection spec's id is the destination's `instanceId`"
        raise ConfigurationError([Problem("unknown-destination", "/connectionSpec/id", message)])
    declared.refuse([*not_carried_yet(edition.destination, "/connectionSpec/id")])
    return edition


def _params_problems(target: TargetConnection, destination: Destination) -> Iterator[Problem]:
    """Say what is wrong with the customer data of a target connection."""
    for field in destination.customer_data_fields:
        yield from _judge(field, target.params)
    known = {field.name for field in destination.customer_data_fields}
    for name in target.params.keys() - known:
        these = ", ".join(sorted(known)) or "none"
        message = f"`{name}` is not a customer data field of this destination; these are: {these}"
        yield Problem("unknown-field", f"/params/{name}", message)
    if target.base_connection_id is None and destination.delivery.authentication_rule == "CUSTOMER_AUTHENTICATION":
        yield Problem("missing-field", "/baseConnectionId", "the destination needs an account")


def _account_problems(tx: Transaction, caller: Caller, target: TargetConnection) -> Iterator[Problem]:
    """Say what is wrong with the account of a target connection."""
    id_ = target.base_connection_id
    account = documents.get(tx, caller.number, ACCOUNT, id_) if id_ is not None else None
    if id_ is not None and account is None:
        yield Problem("unknown-account", "/baseConnectionId", f"there is no account {id_!r}")
    if account is not None and account.document["connectionSpec"]["id"] != target.connection_spec.id:
        message = "this account belongs to another destination: its credentials go nowhere else"
        yield Problem("other-destination", "/baseConnectionId", message)


def _password_pointers(edition: Edition) -> list[str]:
    """Return where a target connection has customer data that is secret."""
    fields = edition.document.get("customerDataFields") or ()
    return [pointer(("params", field["name"])) for field in fields if field.get("format") == "password"]


def _auth_type(auth: Auth, destination: Destination) -> str:
    """Return the destination's way of signing in that is meant: its name, however it is written or spaced."""
    offered = [item.auth_type for item in destination.customer_authentication_configurations]
    meant = re.sub(r"[^A-Z0-9]", "", auth.spec_name.upper())
    for auth_type in offered:
        if meant.startswith(auth_type.replace("_", "")):
            return _carried(auth_type)
    these = ", ".join(offered) or "none"
    message = f"{auth.spec_name!r} is not a way to sign in at this destination; these are: {these}"
    raise ConfigurationError([Problem("not-allowed", "/auth/specName", message)])


def _carried(auth_type: str) -> str:
    if auth_type not in schemes:
        these = ", ".join(name for name in schemes if name != "NONE")
        message = f"Headrace does not sign in with `{auth_type}` yet; use one of: {these}"
        raise ConfigurationError([Problem("not-carried-yet", "/auth/specName", message)])
    return auth_type


def _texts(params: dict[str, Any]) -> dict[str, str]:
    """Return credentials that are texts, as all of them are; refuse others by name."""
    wrong = [name for name, value in params.items() if not isinstance(value, str)]
    if wrong:
        raise ConfigurationError([Problem("invalid", f"/auth/params/{name}", f"`{name}` is a text") for name in wrong])
    return params


def _try(auth_type: str, params: dict[str, str]) -> None:
    """Refuse credentials that could never sign anything."""
    try:
        schemes.get(auth_type)(params)
    except AccountError as error:
        raise ConfigurationError([Problem("credentials", "/auth/params", error.message)]) from None


def _judge(field: CustomerDataField, params: dict[str, Any]) -> list[Problem]:
    """Say what is wrong with the value of one customer data field."""
    where, value = f"/params/{field.name}", params.get(field.name, field.default)
    if value is None or value == "":
        message = f"`{field.name}` must be filled in"
        return [Problem("missing-field", where, message)] if field.is_required else []
    if field.type == "integer" and type(value) is not int:
        return [Problem("invalid", where, f"`{field.name}` is a whole number")]
    if field.type == "string" and not isinstance(value, str):
        return [Problem("invalid", where, f"`{field.name}` is a text")]
    if field.options is not None and str(value) not in field.options:
        return [Problem("not-allowed", where, f"`{field.name}` is one of: {', '.join(field.options)}")]
    if field.pattern is not None and not is_match(field.pattern, str(value)):
        return [Problem("invalid", where, f"`{field.name}` does not match the pattern {field.pattern}")]
    return []
