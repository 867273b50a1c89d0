"""
Keys that come and go while everything runs.

A rotation makes a new data key, which seals from that moment on, and then seals anew whatever older keys have sealed,
a few rows at a time. What is left to do is read from the store and nowhere else: whoever is killed on the way has lost
nothing, and the next call goes on. An older key is removed only once nothing is sealed with it; a request that sealed
with it and has not stored that yet is refused when it does (``store.keys.must_be_there``).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from functools import partial

from headrace.clock import Clock
from headrace.connect.keyring import KeyInfo, Keyring, Place
from headrace.crashpoints import crashpoint
from headrace.errors import Forbidden, OperationError
from headrace.services.caller import Principal
from headrace.store import access, audit, keys, sealed
from headrace.store.access import Organization, Tenant
from headrace.store.database import Store, Transaction
from headrace.store.sealed import SHELVES, Row, Shelf

DATA_KEY, MASTER_KEY = "data-key", "master-key"
#: Rows that are sealed anew in one transaction: others write between two of them.
ROWS = 100
#: Seconds after which a call that seals anew answers, so that whoever asked sees how far it is.
TURN = 2.0


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A data key, and how many values it seals. ``is_missing``: they need it, and it is not there."""

    key: KeyInfo
    values: int
    is_newest: bool
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """The data keys of organizations, oldest first, and how many keys each master key wraps."""

    organizations: dict[str, list[KeyUse]]
    master_key: str
    wrapped: dict[str, int]


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a rotation is.

    ``left`` values are still sealed with older keys, or data keys wrapped with older ones; ``unreadable`` are those
    among them that were tried just now and do not open.
    """

    done: int
    left: int
    unreadable: int


async def status(store: Store, keyring: Keyring, principal: Principal, *, every: bool = False) -> Status:
    """
    Return the keys there are: of one's organization, or of all.

    Raises:
        Forbidden: all are asked for, and somebody else runs this installation.
    """

    def work(tx: Transaction) -> Status:
        organizations = _meant(tx, principal, every=every)
        names = {organization.name for organization in organizations}
        wrapped = Counter(keyring.master_of(item[2]) for item in keys.every(tx) if every or item[0] in names)
        uses = {organization.name: _uses(tx, keyring, organization) for organization in organizations}
        return Status(uses, keyring.master_key, dict(wrapped))

    return await store.read(work)


async def rotate(
    store: Store, clock: Clock, keyring: Keyring, principal: Principal, *, every: bool = False
) -> dict[str, str]:
    """
    Give one's organization a new data key, or each of them, and return their ids by organization.

    Raises:
        Forbidden: all are meant, and somebody else runs this installation.
    """
    organizations, now = await store.read(lambda tx: _meant(tx, principal, every=every)), clock.now()

    def work() -> dict[str, str]:
        return {item.name: _rotate(store, keyring, item, principal.actor, now) for item in organizations}

    return await asyncio.to_thread(work)


async def reseal(
    store: Store, clock: Clock, keyring: Keyring, principal: Principal, *, every: bool = False
) -> Progress:
    """
    Seal anew what older keys have sealed, for a turn, and say how much is left.

    Raises:
        Forbidden: all are meant, and somebody else runs this installation.
        OperationError: the newest key cannot be had.
    """
    organizations = await store.read(lambda tx: _meant(tx, principal, every=every))
    until, done, unreadable = clock.monotonic() + TURN, 0, 0
    async for shelf, seen in _pages(store, keyring, organizations):
        unreadable += seen.unreadable
        done += await store.write(partial(_replace, shelf=shelf, changed=seen.changed))
        crashpoint("after_resealed_part")
        if done and clock.monotonic() >= until:
            break
    return Progress(done, await store.read(lambda tx: _left(tx, keyring, organizations)), unreadable)


async def prune(
    store: Store, clock: Clock, keyring: Keyring, principal: Principal, *, every: bool = False
) -> dict[str, list[str]]:
    """
    Remove older data keys with which nothing is sealed, and return their ids by organization.

    Raises:
        Forbidden: all are meant, and somebody else runs this installation.
    """
    organizations, now = await store.read(lambda tx: _meant(tx, principal, every=every)), clock.now()

    def work() -> dict[str, list[str]]:
        return {item.name: _prune(store, keyring, item, principal.actor, now) for item in organizations}

    return await asyncio.to_thread(work)


async def rotate_master(store: Store, clock: Clock, keyring: Keyring, principal: Principal) -> str:
    """Make a new master key, with which data keys are wrapped from now on, and return its id."""
    number, now = principal.organization.number, clock.now()

    def work() -> str:
        key_id = keyring.rotate_master()
        crashpoint("after_master_key")
        store.write_now(lambda tx: _note(tx, number, principal.actor, "rotate", MASTER_KEY, key_id, now))
        return key_id

    return await asyncio.to_thread(work)


async def rewrap(store: Store, keyring: Keyring) -> Progress:
    """Wrap all data keys with the newest master key; those that do not unwrap stay as they are."""

    def work() -> Progress:
        with keyring.changing:
            older = [item for item in store.read_now(keys.every) if keyring.master_of(item[2]) != keyring.master_key]
            done = [_rewrap(store, keyring, *item) for item in older]
        return Progress(done.count(True), done.count(False) + done.count(None), done.count(None))

    return await asyncio.to_thread(work)


async def prune_master(store: Store, clock: Clock, keyring: Keyring, principal: Principal) -> list[str]:
    """Remove older master keys with which no data key is wrapped, and return their ids."""
    number, now = principal.organization.number, clock.now()

    def work() -> list[str]:
        pruned = keyring.prune_master(lambda: (item[2] for item in store.read_now(keys.every)))

        def write_down(tx: Transaction) -> None:
            for key_id in pruned:
                _note(tx, number, principal.actor, "prune", MASTER_KEY, key_id, now)

        store.write_now(write_down)
        return pruned

    return await asyncio.to_thread(work)


def _meant(tx: Transaction, principal: Principal, *, every: bool) -> list[Organization]:
    if not every:
        return [principal.organization]
    if not principal.is_host:
        raise Forbidden("only the organization that runs this installation may do this for all organizations")
    return access.all_organizations(tx)


def _uses(tx: Transaction, keyring: Keyring, organization: Organization) -> list[KeyUse]:
    counted = sealed.counted(tx, _tenants(tx, organization))
    known = keyring.keys_of(organization.name)
    there = [KeyUse(key, counted.pop(key.id, 0), key is known[-1]) for key in known]
    missing = [KeyUse(KeyInfo(key_id, None), count, False, True) for key_id, count in counted.items() if key_id]
    return [*missing, *there]


def _rotate(store: Store, keyring: Keyring, organization: Organization, actor: str, now: int) -> str:
    with keyring.changing:
        made = keyring.new_keys(organization.name)
        key_id = made[-1][0]

        def work(tx: Transaction) -> None:
            for id_, wrapped in made:
                keys.save(tx, organization.name, id_, wrapped)
            _note(tx, organization.number, actor, "rotate", DATA_KEY, key_id, now)
            crashpoint("before_key_commit")

        store.write_now(work)
        keyring.forget(organization.name)
    return key_id


@dataclass(frozen=True, slots=True)
class _Seen:
    """Rows with values that older keys have sealed, and what is to be put in the places of these."""

    rows: list[Row]
    changed: list[tuple[Row, dict[str, str]]]
    unreadable: int


async def _pages(
    store: Store, keyring: Keyring, organizations: Iterable[Organization]
) -> AsyncIterator[tuple[Shelf, _Seen]]:
    """Yield rows with what older keys have sealed, shelf by shelf, until there are no more."""
    for tenant, shelf in await store.read(lambda tx: _places(tx, organizations)):
        after: tuple[object, ...] | None = None
        while True:
            seen = await store.read(partial(_next, keyring=keyring, tenant=tenant, shelf=shelf, after=after))
            if not seen.rows:
                break
            after = seen.rows[-1].key
            yield shelf, seen


def _next(tx: Transaction, keyring: Keyring, tenant: Tenant, shelf: Shelf, after: tuple[object, ...] | None) -> _Seen:
    older = _older(keyring, tenant.organization)
    rows = sealed.rows_sealed_with(tx, shelf, tenant.tenant, older, after, ROWS) if older else []
    changed, unreadable = [], 0
    for row in rows:
        anew = {text: _sealed_anew(keyring, tenant, *value) for value in row.values if (text := value[2])}
        unreadable += sum(after is None for after in anew.values())
        texts = {before: after for before, after in anew.items() if after is not None and after != before}
        changed += [(row, texts)] if texts else []
    return _Seen(rows, changed, unreadable)


def _sealed_anew(keyring: Keyring, tenant: Tenant, record: str, field: str, text: str) -> str | None:
    try:
        return keyring.reseal(text, Place(tenant.organization, tenant.sandbox, record, field))
    except OperationError:
        return None


def _replace(tx: Transaction, shelf: Shelf, changed: list[tuple[Row, dict[str, str]]]) -> int:
    """Return how many values were replaced, as well as it is known: a row that somebody else changed counts none."""
    replaced = sealed.replace(tx, shelf, changed)
    return sum(len(texts) for _, texts in changed) if replaced == len(changed) else replaced


def _left(tx: Transaction, keyring: Keyring, organizations: Iterable[Organization]) -> int:
    total = 0
    for organization in organizations:
        older = _older(keyring, organization.name)
        if older:
            counted = sealed.counted(tx, _tenants(tx, organization), older)
            total += sum(counted[key_id] for key_id in older)
    return total


def _prune(store: Store, keyring: Keyring, organization: Organization, actor: str, now: int) -> list[str]:
    with keyring.changing:
        older = _older(keyring, organization.name)

        def work(tx: Transaction) -> list[str]:
            tenants = _tenants(tx, organization)
            unused = [key_id for key_id in older if not sealed.is_sealed_with(tx, tenants, key_id)]
            keys.remove(tx, organization.name, unused)
            for key_id in unused:
                _note(tx, organization.number, actor, "prune", DATA_KEY, key_id, now)
            return unused

        pruned = store.write_now(work)
        keyring.forget(organization.name)
    return pruned


def _rewrap(store: Store, keyring: Keyring, organization: str, key_id: str, wrapped: bytes) -> bool | None:
    """Wrap one data key anew; ``False``: somebody else changed it meanwhile, ``None``: it does not unwrap."""
    try:
        anew = keyring.rewrap(organization, key_id, wrapped)
    except OperationError:
        return None
    crashpoint("before_rewrap")
    return store.write_now(lambda tx: keys.rewrap(tx, organization, key_id, wrapped, anew))


def _older(keyring: Keyring, organization: str) -> list[str]:
    return [key.id for key in keyring.keys_of(organization)[:-1]]


def _tenants(tx: Transaction, organization: Organization) -> list[int]:
    return [tenant.tenant for tenant in access.tenants_of(tx, organization.number)]


def _places(tx: Transaction, organizations: Iterable[Organization]) -> list[tuple[Tenant, Shelf]]:
    tenants = (tenant for item in organizations for tenant in access.tenants_of(tx, item.number))
    return [(tenant, shelf) for tenant in tenants for shelf in SHELVES]


def _note(tx: Transaction, organization: int, actor: str, action: str, noun: str, id_: str, now: int) -> None:
    audit.note_in_organization(tx, organization, actor, action, noun, id_, now)
