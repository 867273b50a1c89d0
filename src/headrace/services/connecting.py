"""What operators look at before they connect, and after a destination has changed."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from headrace.errors import HeadraceError, NotFound
from headrace.model.flow import ChoicesWanted, SchemaWanted
from headrace.model.problem import ConfigurationError, Problem
from headrace.services import form, looking_up, moving, signing_secrets
from headrace.services.accounts import ACCOUNT
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog, Edition, destination_of
from headrace.services.form import Asked, Filled
from headrace.services.looked_up import Choice
from headrace.services.looking_up import LookUps, Question
from headrace.services.moving import TARGET, Held
from headrace.services.partners import Partners
from headrace.store import documents
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.documents import Declared

T = TypeVar("T")
#: Makes something of an edition, while the transaction that it is read in lasts.
Show = Callable[[Edition], T]


async def listing(store: Store, caller: Caller, show: Show[T]) -> list[T]:
    """Return everything that can be connected to."""
    return await store.read(lambda tx: [show(edition) for edition in Catalog(tx, caller.tenant).listing()])


async def read(store: Store, caller: Caller, id_: str, show: Show[T]) -> T:
    """
    Return one destination that can be connected to.

    Raises:
        NotFound: it cannot, whether or not it is there.
    """

    def look(tx: Transaction) -> T:
        return show(_offered(tx, caller, id_))

    return await store.read(look)


async def choices(
    store: Store, lookups: LookUps, caller: Caller, id_: str, asked: ChoicesWanted, *, fresh: bool
) -> list[Choice]:
    """
    Return what a field of a form can be, as the partner says.

    Raises:
        NotFound: the destination cannot be connected to.
        ConfigurationError: the field has no choices that are fetched, or others must be filled in first.
        HeadraceError: the partner could not be asked; the error says why, and whose turn it is.
    """

    def look(tx: Transaction) -> tuple[Question, str]:
        edition = _offered(tx, caller, id_)
        filled = form.fill(edition.destination.customer_data_fields, asked.params)
        field = _fetched(edition, asked.field, filled)
        looking_up.refuse_unanswered(field)
        account, target = _account(tx, caller, edition, asked), looking_up.filled_in(edition, filled)
        secrets = looking_up.secrets_in(filled)
        made = lookups.question(tx, caller, edition, field.options, account, target, secrets, field.query)
        return made, field.options.value

    question, path = await store.read(look)
    return await lookups.choices(question, path, fresh=fresh)


async def schema(
    store: Store, lookups: LookUps, caller: Caller, id_: str, asked: SchemaWanted, *, fresh: bool
) -> dict[str, Any]:
    """
    Return which attributes the partner takes, as it says itself; raises as ``choices`` does.
    """

    def look(tx: Transaction) -> Question:
        edition = _offered(tx, caller, id_)
        source = edition.destination.dynamic_schema
        if source is None:
            message = "the attributes of this destination are not fetched; its connection spec lists them"
            raise ConfigurationError([Problem("not-allowed", "", message)])
        filled = form.fill(edition.destination.customer_data_fields, asked.params)
        account, target = _account(tx, caller, edition, asked), looking_up.filled_in(edition, filled)
        return lookups.question(tx, caller, edition, source, account, target, looking_up.secrets_in(filled))

    return await lookups.schema(await store.read(look), fresh=fresh)


def _offered(tx: Transaction, caller: Caller, id_: str) -> Edition:
    edition = Catalog(tx, caller.tenant).find(id_)
    if edition is None:
        raise NotFound(f"there is no destination {id_!r} here")
    return edition


def _fetched(edition: Edition, name: str, filled: Filled) -> Asked:
    """Return a field whose choices are fetched, by its name or pointer."""
    found = form.field_at(edition.destination.customer_data_fields, name)
    asked = next((item for item in filled.asked if found is not None and item.pointer == found[0]), None)
    if asked is None:
        these = ", ".join(item.pointer.removeprefix("/params") for item in filled.asked) or "none"
        message = f"{name!r} is no field that is shown and whose choices are fetched; these are: {these}"
        raise ConfigurationError([Problem("unknown-form-field", "/field", message)])
    return asked


def _account(tx: Transaction, caller: Caller, edition: Edition, asked: SchemaWanted) -> Declared | None:
    id_ = asked.base_connection_id
    account = documents.get(tx, caller.number, ACCOUNT, id_) if id_ is not None else None
    if id_ is not None and (account is None or destination_of(account) != edition.id):
        message = f"there is no account {id_!r} of this destination"
        raise ConfigurationError([Problem("unknown-account", "/baseConnectionId", message)])
    return account


async def held_back(store: Store, caller: Caller, flows: Iterable[StoredDataflow]) -> dict[str, Held]:
    """Return, by dataflow, the newer editions that target connections of some dataflows wait before."""

    def look(tx: Transaction) -> dict[str, Held]:
        catalog, found = Catalog(tx, caller.tenant), {}
        for stored in flows:
            target = documents.get(tx, caller.number, TARGET, stored.document["targetConnectionIds"][0])
            held = moving.held_back(tx, caller.tenant, target, catalog) if target is not None else None
            if held is not None:
                found[stored.id] = held
        return found

    return await store.read(look)


async def stopped(store: Store, partners: Partners, caller: Caller, flows: Iterable[StoredDataflow]) -> dict[str, str]:
    """Return, by dataflow, why some do not send although they are enabled: what is wrong with the account."""

    def look(tx: Transaction) -> dict[str, str]:
        catalog = Catalog(tx, caller.tenant)
        found = {stored.id: _fault(tx, catalog, partners, caller, stored) for stored in flows}
        return {id_: fault for id_, fault in found.items() if fault is not None}

    return await store.read(look)


def _fault(tx: Transaction, catalog: Catalog, partners: Partners, caller: Caller, stored: StoredDataflow) -> str | None:
    target = documents.get(tx, caller.number, TARGET, stored.document["targetConnectionIds"][0])
    if target is None:
        return None
    account_id = target.document.get("baseConnectionId")
    account = documents.get(tx, caller.number, ACCOUNT, account_id) if account_id else None
    try:
        edition = catalog.in_force(target)
        access = partners.access(tx, caller.tenant, edition, account, target)
        signing_secrets.signer_for(edition.server, access.signing_secrets)
    except HeadraceError as error:
        return error.message
    return None
