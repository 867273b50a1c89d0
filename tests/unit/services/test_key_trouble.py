"""A key that cannot be had stops what needs it, says which key, and nothing else."""

import pytest
from sqlalchemy import select, update

from headrace.connect.keyfile import LocalKeyFile
from headrace.errors import OperationError
from headrace.services import accounts, activation, authoring, connecting
from headrace.services.live import FAULT_PAUSE
from headrace.store import documents, tables
from headrace.store.keys import key_in
from unit.services.house import person

CANARY = "canary-of-the-account"


class Provider:
    """A key file behind a wire that can be cut."""

    def __init__(self, path):
        self._file = LocalKeyFile(path)
        self.is_away = False
        self.asked = 0

    def __getattr__(self, name):
        return getattr(self._file, name)

    def unwrap(self, wrapped, aad):
        self.asked += 1
        if self.is_away:
            raise OperationError(f"the vault does not answer for the key '{self._file.key_id}'")
        return self._file.unwrap(wrapped, aad)


@pytest.fixture
async def two(house):
    """Two dataflows: one that signs in, and one that needs no key."""
    await house.activate("a", name="open")
    await house.activate("a", name="signed")
    spec = {"id": house.destinations["signed"]}
    document = {
        **house.destination_document("signed"),
        "customerAuthenticationConfigurations": [{"authType": "BEARER"}],
        "destinationDelivery": [
            {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": house.servers["signed"]}
        ],
    }
    await authoring.save(
        house.store, house.clock, house.keyring, house.caller, authoring.DESTINATION, document, id_=spec["id"]
    )
    auth = {"specName": "BEARER", "params": {"token": CANARY}}
    account = await accounts.create_account(
        house.store, house.clock, house.keyring, house.caller, {"name": "a", "connectionSpec": spec, "auth": auth}
    )
    _use(house, account.id)
    return house


def _use(house, account):
    """Let the target connection of the dataflow sign in with an account."""

    def work(tx):
        for target in documents.all_of(tx, house.caller.number, "target-connection"):
            if target.document["name"] == "signed":
                table, document = tables.target_connections, {**target.document, "baseConnectionId": account}
                tx.core.execute(update(table).where(table.c.id == target.id).values(document=document))
                tx.core.execute(update(tables.tenants).values(configuration=1))

    house.store.write_now(work)


def restart(house, provider):
    """Have nothing opened or compiled any more, as after a start, and keys from a provider."""
    house.keyring._provider = provider
    house.keyring._clock = house.clock
    house.keyring._keys.clear()
    house.live._known.clear()


def stopped(house):
    return [event.reason for event in house.events if type(event).__name__ == "DataflowStopped"]


async def told(house):
    """Why dataflows do not send, by name, as whoever lists them is told."""
    flows = await activation.listing(house.store, house.caller)
    found = await connecting.stopped(house.store, house.partners, house.caller, flows)
    return {flow.document["name"]: found[flow.id] for flow in flows if flow.id in found}


async def test_while_a_provider_is_away_others_go_on_and_it_is_tried_again(two):
    provider = Provider(two.store.directory / "key")
    provider.is_away = True
    restart(two, provider)
    await two.open()
    await two.ingest(person(1, "a"), person(2, "a"))
    await two.run()

    assert await two.balance("open") == {"accepted": 2, "delivered": 2, "messages": 1}
    assert await two.balance("signed") == {"accepted": 2, "pending": 2}
    (reason,) = stopped(two)
    assert f"key '{provider.key_id}'" in reason
    assert CANARY not in reason
    assert await told(two) == {"signed": reason}

    provider.is_away = False
    two.pass_time(FAULT_PAUSE)
    await two.run()
    assert await two.balance("signed") == {"accepted": 2, "delivered": 2, "messages": 1}
    assert len(stopped(two)) == 1
    assert await told(two) == {}


async def test_a_provider_that_fails_is_asked_again_only_after_a_pause_and_one_that_answered_never(two):
    provider = Provider(two.store.directory / "key")
    provider.is_away = True
    restart(two, provider)
    account = _account(two)
    for _ in range(5):
        with pytest.raises(OperationError, match="the vault does not answer"):
            accounts.shown(two.keyring, two.caller, account)
    assert provider.asked == 1

    two.pass_time(11)
    provider.is_away = False
    for _ in range(5):
        accounts.shown(two.keyring, two.caller, account)
    provider.is_away = True
    accounts.shown(two.keyring, two.caller, account)
    assert provider.asked == 2


@pytest.mark.parametrize("trouble", ["wrong key file", "damaged data key", "missing data key", "damaged value"])
async def test_what_is_damaged_stops_only_what_needs_it_and_names_the_key(two, tmp_path, trouble):
    (key_id,) = two.store.read_now(lambda tx: tx.core.execute(select(tables.data_keys.c.key_id)).scalars().all())
    provider = _make(trouble, two, tmp_path)
    restart(two, provider)
    await two.open()
    await two.ingest(person(1, "a"))
    await two.run()

    assert await two.balance("open") == {"accepted": 1, "delivered": 1, "messages": 1}
    assert await two.balance("signed") == {"accepted": 1, "pending": 1}
    (reason,) = stopped(two)
    assert f"data key '{key_id}'" in reason
    assert CANARY not in reason


def _account(house):
    return house.store.read_now(lambda tx: documents.all_of(tx, house.caller.number, "account"))[0]


def _make(trouble, house, tmp_path):
    """Make trouble, and return the provider to start with."""

    def work(tx):
        if trouble == "damaged data key":
            tx.core.execute(update(tables.data_keys).values(wrapped=b"x" * 60))
        if trouble == "missing data key":
            tx.run("DELETE FROM data_keys")
        if trouble == "damaged value":
            (account,) = documents.all_of(tx, house.caller.number, "account")
            sealed = account.document["auth"]["params"]["token"]
            damaged = {"token": f"v1.{key_in(sealed)}.{'A' * 60}"}
            document = {**account.document, "auth": {**account.document["auth"], "params": damaged}}
            tx.core.execute(update(tables.accounts).values(document=document))

    house.store.write_now(work)
    name = "another" if trouble == "wrong key file" else "key"
    return LocalKeyFile((tmp_path if name == "another" else house.store.directory) / name)
