"""Accounts: an operator's credentials at a partner, sealed at once, tried, replaced, and gone when they are deleted."""

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.clock import Clock
from headrace.connect.auth import Scheme, schemes
from headrace.connect.keyring import Keyring
from headrace.connect.secrets import MASK, Secret
from headrace.errors import AccountError, OperationError
from headrace.model.authentication import CustomerAuthentication
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.flow import PROFILE_STORE_SPEC, Auth, BaseConnection
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.reading import read
from headrace.services import (
    declared,
    host_keys,
    moving,
    sealed_files,
    sealing,
    signing_secrets,
    standing,
    storage_credentials,
)
from headrace.services.caller import Caller
from headrace.services.carried import not_carried_yet
from headrace.services.catalog import Catalog, Edition
from headrace.services.exports import due
from headrace.services.in_use import find_unused
from headrace.services.patching import Operations, patched
from headrace.services.sealing import Safe
from headrace.services.specs import auth_spec
from headrace.services.standing import Holder
from headrace.services.storage_trials import StorageTrials
from headrace.services.storages import external_id
from headrace.services.ways import OAUTH2, refuse_unless_allowed
from headrace.store import documents
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared

ACCOUNT = "account"
SOURCE = "source-connection"
TARGET = moving.TARGET
_UNSAID = "the destination asks for credentials"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an account signs in with, opened: the scheme, the secrets to keep out of texts, and ``authData``."""

    scheme: Scheme
    secrets: tuple[Secret, ...]
    auth_data: dict[str, str]


async def create_account(
    store: Store,
    clock: Clock,
    keyring: Keyring,
    caller: Caller,
    document: object,
    *,
    password_grant: bool = False,
    trials: StorageTrials | None = None,
) -> Declared:
    """
    Keep an account; its credentials are sealed before they are stored and never read back.

    Clients of the original make one for the profile store as well, where nobody signs in. Without ``trials`` no server
    is asked for its host key.

    Raises:
        ConfigurationError: the document is wrong, the destination is not there or asks for other credentials, or a
            server shows another host key than is said.
        TooManyCalls: servers were asked too often.
    """
    account, _ = read(BaseConnection, document)
    id_, spec, safe = str(uuid.uuid4()), account.connection_spec.id, Safe(keyring, caller.tenant)
    kept = account.model_dump(mode="json", by_alias=True, exclude_unset=True)
    secrets = account.extension.signing_secrets
    if spec == PROFILE_STORE_SPEC and account.auth is None:
        kept = signing_secrets.sealed(safe, id_, kept, secrets, None, are_needed=False)
        return await declared.create(store, clock, caller, ACCOUNT, kept, declared.nothing_to_check, id_)
    asking = await store.read(lambda tx: _asking(offered(tx, caller, spec)))
    kept = signing_secrets.sealed(safe, id_, kept, secrets, None, are_needed=asking.are_signed)
    auth: Mapping[str, str] = {}
    if account.auth is not None:
        kept["auth"], auth = _sealed(safe, id_, account.auth, asking, None)
        refuse_unless_allowed(kept["auth"]["specName"], asking.destination, password_grant=password_grant)
    elif asking.destination.delivery.authentication_rule == "CUSTOMER_AUTHENTICATION":
        raise ConfigurationError([Problem("missing-field", "/auth", _UNSAID)])
    _refuse_roles(trials, auth)
    kept = sealed_files.pinned(asking.server, kept, None, clock.now())
    kept = await host_keys.pinned(trials, caller, host_keys.Leads(id_, asking.server, auth), kept)

    def check(tx: Transaction) -> list[Problem]:
        offered(tx, caller, spec)
        return []

    return await declared.create(store, clock, caller, ACCOUNT, kept, check, id_)


async def change_account(
    store: Store,
    clock: Clock,
    keyring: Keyring,
    caller: Caller,
    id_: str,
    version: str,
    operations: Operations,
    *,
    trials: StorageTrials | None = None,
) -> Declared:
    """
    Change an account by JSON Patch. Of credentials that are replaced nothing is left, in older versions neither.

    ``/auth/params`` replaces all of them; dots for one of them stand for the one that is stored.

    Raises:
        NotFound: it is not in this sandbox.
        StaleVersion: ``version`` is not the one that is stored.
        ConfigurationError: the patch does not apply, or what would come out is not right.
    """
    now, safe = clock.now(), Safe(keyring, caller.tenant)

    def look(tx: Transaction) -> tuple[Declared, "_Asking | None"]:
        known, edition = _as_read(tx, caller, id_, version)
        return known, _asking(edition) if edition is not None else None

    known, asking = await store.read(look)
    account, _ = read(BaseConnection, patched(_masked(known), operations, ACCOUNT))
    declared.refuse([*_of_the_same(known, account.connection_spec.id)])
    kept = await _kept_anew(safe, caller, trials, account, known, asking, now)
    is_rotated = kept.get("auth") != known.document.get("auth")
    is_signed_anew = kept.get(sealing.SEALED) != known.document.get(sealing.SEALED)

    def work(tx: Transaction) -> Declared:
        current, _ = _as_read(tx, caller, id_, version)
        action = "rotate" if is_rotated or is_signed_anew else "replace"
        stored = declared.replace(tx, caller, ACCOUNT, current, kept, now, action)
        if is_rotated or is_signed_anew:
            _forget(tx, caller, id_, stored.version)
        if is_rotated:
            standing.begin_anew(tx, Holder(caller.tenant, id_), now)
            due.hasten(tx, caller.number, id_, now)
        return stored

    return await store.write(work)


async def _kept_anew(
    safe: Safe,
    caller: Caller,
    trials: StorageTrials | None,
    account: BaseConnection,
    known: Declared,
    asking: "_Asking | None",
    now: int,
) -> dict[str, Any]:
    """Return what is kept of an account that was changed: what it shows is sealed, and whom it trusts is pinned."""
    kept = account.model_dump(mode="json", by_alias=True, exclude_unset=True)
    are_signed = asking is not None and asking.are_signed
    secrets = account.extension.signing_secrets
    kept = signing_secrets.sealed(safe, known.id, kept, secrets, known, are_needed=are_signed)
    auth: Mapping[str, str] = {}
    if account.auth is not None:
        kept["auth"], auth = _sealed(safe, known.id, account.auth, _who_asks(asking), known)
    elif "auth" in known.document:
        raise ConfigurationError([Problem("missing-field", "/auth", _UNSAID)])
    if kept.get("auth") != known.document.get("auth"):
        _refuse_roles(trials, auth)
    if asking is None:
        return kept
    kept = sealed_files.pinned(asking.server, kept, known.document, now)
    before = host_keys.Leads(known.id, asking.server, _opened(safe, known), known.document)
    return await host_keys.pinned(trials, caller, host_keys.Leads(known.id, asking.server, auth), kept, before)


def remove_account(tx: Transaction, caller: Caller, id_: str, now: int, if_match: str | None = None) -> None:
    """
    Delete an account that nothing uses, its credentials and what the partner gave it.

    Raises:
        NotFound: it is not in this sandbox.
        StaleVersion: it was changed since it was read.
        InUse: connections use it; it says which.
    """
    known = find_unused(tx, caller, ACCOUNT, id_, if_match)
    declared.remove(tx, caller, ACCOUNT, known, now)
    _forget(tx, caller, id_, known.version + 1)
    standing.remove(tx, Holder(caller.tenant, id_))


def shown(keyring: Keyring, caller: Caller, account: Declared) -> dict[str, Any]:
    """Return an account's document as the API shows it: its secrets masked, each with a fingerprint."""
    safe = Safe(keyring, caller.tenant)
    document, fingerprints = sealing.masked(safe, account.id, account.document)
    if fingerprints:
        document["x-headrace"] = {**document["x-headrace"], "fingerprints": fingerprints}
    if "auth" in document:
        masked = safe.mask(account.id, document["auth"]["params"])
        document["auth"] = {
            "specName": document["auth"]["specName"],
            "params": {name: value.text for name, value in masked.items()},
            "x-headrace": {"fingerprints": {name: value.fingerprint for name, value in masked.items()}},
        }
        if "roleArn" in masked:  # The partner's role is told by it for whom it is assumed.
            document["x-headrace"] = {**document.get("x-headrace", {}), "externalId": external_id(caller.tenant)}
    return document


def listed(keyring: Keyring, caller: Caller, account: Declared) -> dict[str, Any]:
    """Return an account's document for a list, in which one whose key cannot be had says so and hides no other."""
    try:
        return shown(keyring, caller, account)
    except OperationError as error:
        document = _masked(account)
        return {**document, "x-headrace": {**document.get("x-headrace", {}), "error": sealing.fault(error)}}


async def sign_ins(store: Store, caller: Caller, items: Iterable[Declared]) -> dict[str, dict[str, Any]]:
    """Return how accounts with credentials are signed in, by their ids."""

    def look(tx: Transaction) -> dict[str, dict[str, Any]]:
        return {
            item.id: standing.told_of(tx, Holder(caller.tenant, item.id), is_granted=auth["specName"] == OAUTH2)
            for item in items
            if (auth := item.document.get("auth")) is not None
        }

    return await store.read(look)


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
    if account.document["auth"]["specName"] in storage_credentials.WAYS:  # What opens a storage signs no request.
        return Credentials(schemes.get("NONE")({}), tuple(opened.values()), {})
    scheme = schemes.get(account.document["auth"]["specName"])(opened)
    auth_data = {name: secret.reveal() for name, secret in opened.items()}
    if "token" in auth_data:
        auth_data.setdefault("accessToken", auth_data["token"])
    return Credentials(scheme, tuple(opened.values()), auth_data)


def offered(tx: Transaction, caller: Caller, id_: str) -> Edition:
    """
    Return a destination that can be connected to here.

    Raises:
        ConfigurationError: it cannot, or asks for what is not carried out yet.
    """
    edition = Catalog(tx, caller.tenant).find(id_)
    if edition is None:
        message = f"there is no destination {id_!r}; a connection spec's id is the destination's `instanceId`"
        raise ConfigurationError([Problem("unknown-destination", "/connectionSpec/id", message)])
    declared.refuse([*not_carried_yet(edition.destination, "/connectionSpec/id")])
    return edition


def _as_read(tx: Transaction, caller: Caller, id_: str, version: str) -> tuple[Declared, Edition | None]:
    """Return an account in the version that its client has read, and its destination; the profile store is none."""
    known = declared.existing(tx, caller, ACCOUNT, id_)
    declared.refuse_another(known, version)
    return known, Catalog(tx, caller.tenant).offered(known.document["connectionSpec"]["id"])


@dataclass(frozen=True, slots=True)
class _Asking:
    """What asks for an account: a destination and its server, and whether messages to that are signed."""

    destination: Destination
    server: DestinationServer
    are_signed: bool


def _asking(edition: Edition) -> _Asking:
    return _Asking(edition.destination, edition.server, signing_secrets.signs(edition.server))


def _who_asks(asking: _Asking | None) -> _Asking:
    if asking is None:
        message = "nobody signs in at the profile store; leave the credentials out"
        raise ConfigurationError([Problem("has-no-effect", "/auth", message, "error")])
    return asking


def _refuse_roles(trials: StorageTrials | None, auth: Mapping[str, str]) -> None:
    """Refuse a role where the house has no keys to assume it with."""
    if auth.get("roleArn") and trials is not None and trials.storages.way.house is None:
        message = (
            "no role is assumed from here: enter an access key, or have whoever runs Headrace set "
            "HEADRACE_AWS_ACCESS_KEY_ID and HEADRACE_AWS_SECRET_ACCESS_KEY"
        )
        raise ConfigurationError([Problem("not-allowed", "/auth/params/roleArn", message)])


def _opened(safe: Safe, account: Declared) -> dict[str, str]:
    opened = safe.open(account.id, account.document.get("auth", {}).get("params", {}))
    return {name: secret.reveal() for name, secret in opened.items()}


def _masked(account: Declared) -> dict[str, Any]:
    """Return an account's document with dots for its secrets, as its client has read it."""
    document = sealing.without_sealed(account.document)
    if "auth" not in document:
        return document
    auth = document["auth"]
    return {**document, "auth": {**auth, "params": dict.fromkeys(auth["params"], MASK)}}


def _of_the_same(known: Declared, destination: str) -> Iterator[Problem]:
    if known.document["connectionSpec"]["id"] != destination:
        message = "an account stays with its destination: its credentials go nowhere else; make another account"
        yield Problem("other-destination", "/connectionSpec/id", message)


def _forget(tx: Transaction, caller: Caller, id_: str, before: int) -> None:
    """Forget the secrets that an account had in its versions before one."""
    documents.rewrite_versions(tx, caller.number, ACCOUNT, id_, before, _without_credentials)


def _without_credentials(document: dict[str, Any]) -> dict[str, Any]:
    plain = signing_secrets.forgotten(document)
    return {**plain, "auth": {**plain["auth"], "params": {}}} if "auth" in plain else plain


def _sealed(
    safe: Safe, id_: str, auth: Auth, asking: _Asking, known: Declared | None
) -> tuple[dict[str, str | dict[str, str]], dict[str, str]]:
    """
    Check credentials and seal them, and return them as they are with that.

    What dots stand for is taken over as it was stored.
    """
    way = _way(auth, asking.destination)
    params = storage_credentials.named(way.auth_type, auth.params)
    before = known.document.get("auth", {}) if known is not None else {}
    stored = before.get("params", {}) if before.get("specName") == way.auth_type else {}
    dots = [name for name, value in params.items() if value == MASK]
    message = f"{MASK} stands for a secret that is stored, and none is stored here: send the secret itself"
    declared.refuse([Problem("masked-secret", f"/auth/params/{name}", message) for name in dots if name not in stored])
    kept = {name: stored[name] for name in dots}
    given = _texts(way, {name: value for name, value in params.items() if name not in kept})
    whole: dict[str, str | Secret] = {**given, **safe.open(id_, kept)}
    _try(way, whole, asking.server)
    plain = {name: value.reveal() if isinstance(value, Secret) else value for name, value in whole.items()}
    return {"specName": way.auth_type, "params": {**kept, **safe.seal(id_, given)}}, plain


def _way(auth: Auth, destination: Destination) -> CustomerAuthentication:
    """Return the destination's way of signing in that is meant: its name, however it is written or spaced."""
    ways = destination.customer_authentication_configurations
    meant = re.sub(r"[^A-Z0-9]", "", auth.spec_name.upper())
    meant = storage_credentials.SPEC_NAMES.get(meant, meant).replace("_", "")
    for way in ways:
        if meant.startswith(way.auth_type.replace("_", "")):
            return _carried(way)
    these = ", ".join(way.auth_type for way in ways) or "none"
    message = f"{auth.spec_name!r} is not a way to sign in at this destination; these are: {these}"
    raise ConfigurationError([Problem("not-allowed", "/auth/specName", message)])


def _carried(way: CustomerAuthentication) -> CustomerAuthentication:
    if way.auth_type not in schemes and way.auth_type not in storage_credentials.WAYS:
        these = ", ".join(name for name in (*schemes, *sorted(storage_credentials.WAYS)) if name != "NONE")
        message = f"Headrace does not sign in with `{way.auth_type}` yet; use one of: {these}"
        raise ConfigurationError([Problem("not-carried-yet", "/auth/specName", message)])
    return way


def _texts(way: CustomerAuthentication, params: Mapping[str, Any]) -> dict[str, str]:
    """Return credentials as texts, which all of them are but what an author asks for as something else."""
    asked = auth_spec(way)["properties"]
    kinds = {"integer": int, "boolean": bool}
    texts = {}
    for name, value in params.items():
        if type(value) is kinds.get(asked.get(name, {}).get("type")):
            texts[name] = str(value).lower()
        elif isinstance(value, str):
            texts[name] = value
    wrong = params.keys() - texts.keys()
    declared.refuse([Problem("invalid", f"/auth/params/{name}", f"`{name}` is a text") for name in sorted(wrong)])
    return texts


def _try(way: CustomerAuthentication, params: Mapping[str, str | Secret], server: DestinationServer) -> None:
    """Refuse credentials that could never sign anything."""
    if way.auth_type in storage_credentials.WAYS:
        plain = {name: value.reveal() if isinstance(value, Secret) else value for name, value in params.items()}
        declared.refuse([*_unknown(way, params), *storage_credentials.problems(way.auth_type, plain, server)])
        return
    if way.auth_type == "OAUTH2":
        declared.refuse([*_unfilled(way, params), *_unknown(way, params)])
    try:
        schemes.get(way.auth_type)(params)
    except AccountError as error:
        raise ConfigurationError([Problem("credentials", "/auth/params", error.message)]) from None


def _unfilled(way: CustomerAuthentication, params: Mapping[str, str | Secret]) -> Iterator[Problem]:
    """Say what the author asks for and nobody gave."""
    for name in auth_spec(way)["required"]:
        if not params.get(name):
            yield Problem("missing-field", f"/auth/params/{name}", f"`{name}` must be filled in")


def _unknown(way: CustomerAuthentication, params: Mapping[str, str | Secret]) -> Iterator[Problem]:
    """Say what was given and nobody asks for."""
    asked = auth_spec(way)["properties"]
    these = ", ".join(asked) or "none"
    for name in sorted(params.keys() - asked.keys()):
        message = f"`{name}` is not asked for by this way to sign in; these are: {these}"
        yield Problem("unknown-field", f"/auth/params/{name}", message)
