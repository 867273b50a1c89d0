"""Subscriptions to alerts: made, tried and ended; and what is in force."""

import uuid
from typing import Any

from headrace.clock import Clock
from headrace.connect.keyring import Keyring
from headrace.errors import Conflict, NotFound
from headrace.model.alert import AlertSubscription
from headrace.model.reading import read
from headrace.services import declared, sealing
from headrace.services.alerts.conditions import SUBSCRIPTION
from headrace.services.alerts.notices import KIND
from headrace.services.caller import Caller
from headrace.services.sealing import Safe
from headrace.store import alerts, dataflows, documents, runs
from headrace.store.alerts import Alert
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared
from headrace.store.runs import Run

#: The most subscriptions of a sandbox, and the most alerts that are listed.
MOST_SUBSCRIPTIONS = 100
MOST_LISTED = 1000
_SEALED = ["/signingSecret"]


async def subscribe(store: Store, clock: Clock, keyring: Keyring, caller: Caller, document: object) -> Declared:
    """
    Keep a subscription. Its signing secret is sealed.

    Raises:
        ConfigurationError: it is not right.
        NotFound: there is no such dataflow here.
        Conflict: there are as many as there may be.
    """
    wanted, _ = read(AlertSubscription, document)
    plain = wanted.model_dump(mode="json", by_alias=True, exclude_none=True)
    id_, now = str(uuid.uuid4()), clock.now()
    pointers = _SEALED if wanted.signing_secret is not None else []
    kept, problems = sealing.completed(
        sealing.sealed(Safe(keyring, caller.tenant), id_, plain, pointers), None, pointers
    )
    declared.refuse(problems)

    def work(tx: Transaction) -> Declared:
        if wanted.dataflow is not None and dataflows.get(tx, caller.number, wanted.dataflow) is None:
            raise NotFound(f"there is no dataflow {wanted.dataflow!r} here")
        if len(documents.all_of(tx, caller.number, SUBSCRIPTION)) >= MOST_SUBSCRIPTIONS:
            raise Conflict(f"there are {MOST_SUBSCRIPTIONS} subscriptions already; delete one first")
        return declared.add(tx, caller, SUBSCRIPTION, id_, kept, now)

    return await store.write(work)


async def end(store: Store, clock: Clock, caller: Caller, id_: str) -> None:
    """
    End a subscription; what is still to be sent to it is not sent.

    Raises:
        NotFound: it is not in this sandbox.
    """
    now = clock.now()

    def work(tx: Transaction) -> None:
        declared.remove(tx, caller, SUBSCRIPTION, declared.existing(tx, caller, SUBSCRIPTION, id_), now)

    await store.write(work)


async def try_out(store: Store, clock: Clock, caller: Caller, id_: str) -> Run:
    """
    Ask for a message that says that it is a test.

    Raises:
        NotFound: it is not in this sandbox.
    """
    now = clock.now()

    def work(tx: Transaction) -> Run:
        declared.existing(tx, caller, SUBSCRIPTION, id_)
        return runs.ask(tx, caller.number, KIND, {"subscription": id_, "at": now, "test": True}, caller.actor, now)

    return await store.write(work)


async def listing(store: Store, caller: Caller, *, also_recovered: bool) -> list[tuple[Alert, str | None]]:
    """Return the alerts of a sandbox, the newest first, each with the name of the dataflow that it is about."""

    def work(tx: Transaction) -> list[tuple[Alert, str | None]]:
        names = {id_: name for _, id_, name in dataflows.names(tx, caller.number)}
        found = alerts.of(tx, caller.number, MOST_LISTED, also_recovered=also_recovered)
        return [(alert, names.get(alert.about)) for alert in found]

    return await store.read(work)


def shown(item: Declared) -> dict[str, Any]:
    """Return a subscription as it is told: of its secret there are dots."""
    return sealing.without_sealed(item.document)
