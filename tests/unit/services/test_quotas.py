"""Quotas: a sandbox that has as much as it may is told to come back, and others do not notice."""

import orjson
import pytest

from headrace.errors import NotFound
from headrace.model.roles import PERMISSIONS
from headrace.services.caller import Caller, Principal
from headrace.services.ingestion import Receipt
from headrace.services.quotas import FILES_FRESH, FRESH, QuotaFull, Quotas
from headrace.store import access, audit
from headrace.store.quotas import Quota
from unit.services.house import person

NONE = dict.fromkeys(("waiting", "people", "requests", "bytes"), 0)


@pytest.fixture
def events():
    return []


@pytest.fixture
def limit(house, events):
    """Give every sandbox of the house a quota."""

    def put(**most):
        quotas = Quotas(house.store, house.clock, events.append, Quota(**{**NONE, **most}))
        object.__setattr__(house.ingestion, "quotas", quotas)
        return quotas

    return put


def later(house, seconds):
    house.clock.at += int(seconds * 1000)


def other_sandbox(house):
    """Make another sandbox, and return a caller there."""

    def work(tx):
        number = access.add_tenant(tx, house.caller.tenant.organization_number, "dev", "id-of-dev")
        return access.tenant_of(tx, number)

    return Caller("client:other", house.store.write_now(work), frozenset(PERMISSIONS))


async def take(house, caller, *people):
    return await house.ingestion.take(caller, orjson.dumps(people), lines=False)


async def test_changes_that_wait_are_bounded_and_others_unaffected(house, limit, events):
    await house.activate("a")
    other = other_sandbox(house)
    limit(waiting=2)
    await house.ingest(person(1, "a"), person(2, "a"))
    later(house, FRESH)

    with pytest.raises(QuotaFull, match="2 changes") as refused:
        await house.ingest(person(3, "a"))
    later(house, FRESH)
    with pytest.raises(QuotaFull):
        await house.ingestion.take_part(house.caller.number, [], Receipt(), lambda *_: None)
    assert (await take(house, other, person(1, "a"))).accepted == 1

    await house.run()
    later(house, FRESH)
    assert (await house.ingest(person(3, "a"))).accepted == 1
    assert refused.value.seconds > 0
    assert [(event.quota, event.sandbox) for event in events] == [("waiting", house.caller.number)]


async def test_people_are_bounded_exactly_and_those_there_are_go_on(house, limit):
    quotas = limit(people=2)
    await house.ingest(person(1), person(2))

    with pytest.raises(QuotaFull, match="2 people"):
        await house.ingest(person(1, "a"), person(3))
    assert (await house.ingest(person(1, "a"))).accepted == 1
    assert (await quotas.standing(house.caller.number)).used.people == 2

    await house.erase("crmId:1")
    assert (await house.ingest(person(3))).accepted == 1
    with pytest.raises(QuotaFull):
        await house.ingest(person(4))


async def test_requests_are_counted_by_the_minute(house, limit):
    limit(requests=2)
    await house.ingest(person(1))
    later(house, 20)
    await house.ingest(person(1))

    with pytest.raises(QuotaFull) as refused:
        await house.ingest(person(1))
    assert refused.value.seconds == 40
    later(house, 40)
    assert (await house.ingest(person(1))).accepted == 1


async def test_bytes_of_files_are_bounded(house, limit):
    quotas, number = limit(bytes=100), house.caller.number
    await quotas.admit_file(number)
    file = house.store.directory / "audiences" / str(number) / "1" / "upload-1.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(100))
    later(house, FILES_FRESH)

    with pytest.raises(QuotaFull, match="100 bytes"):
        await quotas.admit_file(number)
    await quotas.admit_file(number + 1)


async def test_the_host_says_how_much_a_sandbox_may_have(house, limit):
    quotas, number = limit(people=1), house.caller.number
    host = house.store.read_now(lambda tx: access.all_organizations(tx)[0])
    principal = Principal("client:host", host, None)
    await house.ingest(person(1))

    await quotas.put(principal, house.caller.tenant.sandbox_id, Quota(people=3, requests=7))
    standing = await quotas.standing(number)
    assert (standing.most, standing.used.people) == (Quota(0, 3, 7, 0), 1)
    assert (await house.ingest(person(2), person(3))).accepted == 2
    with pytest.raises(NotFound):
        await quotas.put(principal, "no sandbox", Quota())
    newest = house.store.read_now(lambda tx: audit.latest(tx, host.number, 1)[0])
    assert (newest.action, newest.noun) == ("replace", "quota")
    assert [tenant.sandbox for tenant, _ in await quotas.listing()] == [house.caller.tenant.sandbox]
