"""Ending an account here ends its token at the partner, afterwards, however long that takes; then it is forgotten."""

import asyncio
import contextlib
import json
from urllib.parse import parse_qsl

import pytest

from headrace.connect.auth import Granted, SignInNeeded
from headrace.connect.transport import NotSent
from headrace.model.http import Response
from headrace.services import accounts, authoring, key_rotation, standing
from headrace.services.caller import Principal
from headrace.services.catalog import Catalog, destination_of
from headrace.services.grants import Grants
from headrace.services.in_use import InUse
from headrace.services.revocations import KIND
from headrace.services.telling import MOST_TRIES, Telling
from headrace.store import access, audit, documents, runs, tables
from headrace.store.keys import key_in
from headrace.store.sign_in_states import REVOKED, SIGNED_IN
from unit.services.house import House
from unit.services.signed_in import (
    JSON,
    REVOCATION_URL,
    Partnership,
    activate,
    client_credentials,
    grant,
    holder,
)

ENDS = {"x-headrace": {"revocationUrl": REVOCATION_URL}}
SHOWN = {"client_id": "headrace", "client_secret": "secret-of-the-client"}
REFRESH = {"token": "refresh-token-1", "token_type_hint": "refresh_token", **SHOWN}
DOWN = Response(503)


@pytest.fixture
def partner():
    return Partnership()


@pytest.fixture
def house(tmp_path, lend_database, partner):
    with lend_database() as database_url:
        built = House(tmp_path, partner, database_url)
        yield built
        built.close()


async def account_of(house, way):
    """An account that nothing uses."""
    saved = await authoring.save(
        house.store, house.clock, house.keyring, house.caller, authoring.SERVER, house.server_document()
    )
    house.servers["flow"] = saved.declared.id
    document = house.destination_document()
    document["destinationDelivery"][0]["authenticationRule"] = "CUSTOMER_AUTHENTICATION"
    document["customerAuthenticationConfigurations"] = [way]
    saved = await authoring.save(house.store, house.clock, house.keyring, house.caller, authoring.DESTINATION, document)
    spec, auth = {"id": saved.declared.id}, {"specName": "OAUTH2", "params": {}}
    document = {"name": "a", "connectionSpec": spec, "auth": auth}
    return (await accounts.create_account(house.store, house.clock, house.keyring, house.caller, document)).id


async def sign_in(house, account, partner):
    given = partner._granted()
    fields = {"accessToken": given["access_token"], "refreshToken": given["refresh_token"]}
    await house.tokens.sign_in(holder(house, account), Granted(fields, partner.life), house.clock.now(), "client:test")


async def token_of(house, account):
    def look(tx):
        known = documents.get(tx, house.caller.number, accounts.ACCOUNT, account)
        edition = Catalog(tx, house.caller.tenant).offered(destination_of(known))
        return house.partners.access(tx, house.caller.tenant, edition, known, None)

    return await house.store.read_now(look).token()


@pytest.fixture
async def account(house, partner):
    """An account that is signed in at a partner who can be told: its tokens are those of number 1."""
    made = await account_of(house, grant(**ENDS))
    await sign_in(house, made, partner)
    return made


def ended(partner):
    return [dict(parse_qsl(request.body.decode())) for request in partner.ended]


def told(house):
    """How the runs stand that tell the partner, in the order in which they are due."""
    return house.rows("SELECT state, reason FROM runs WHERE kind = 'revocation' ORDER BY due_at, state DESC")


def newest_run(house):
    return house.store.read_now(lambda tx: runs.latest(tx, house.caller.number, 1, kind=KIND))[0]


def set_aside(house):
    return house.rows("SELECT holder FROM sign_in_states WHERE state = 'set-aside'")


def audited(house):
    """What the audit says of telling partners."""
    entries = house.store.read_now(lambda tx: audit.latest(tx, house.caller.tenant.organization_number, 100))
    return [entry.details for entry in entries if entry.action == "tell-partner"]


def state(house, account):
    return house.store.read_now(lambda tx: standing.state_of(tx, holder(house, account))).state


def everything_kept(house):
    """All rows of all tables, as a reader of the database sees them."""
    sorted_tables = tables.metadata.sorted_tables
    rows = house.store.read_now(lambda tx: [row for table in sorted_tables for row in tx.core.execute(table.select())])
    return repr([tuple(row) for row in rows])


async def run_out(house, turns=MOST_TRIES + 2):
    for _ in range(turns):
        await house.carry_runs()
        house.pass_time(3600)


# -- the partner is told ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", ["revoke", "delete"])
async def test_the_partner_is_told_once_and_afterwards(house, account, partner, way):
    await getattr(house.revoking, way)(house.caller, account)
    assert partner.ended == [], "what people do here does not wait for the partner"
    assert len(set_aside(house)) == 1

    await run_out(house, 3)

    assert ended(partner) == [REFRESH]
    assert told(house) == [("succeeded", None)]
    assert audited(house) == [{"outcome": "told"}]
    assert set_aside(house) == []


async def test_the_access_token_is_sent_where_there_is_no_refresh_token(house, partner):
    account = await account_of(house, client_credentials() | ENDS | {"options": {"useBasicAuth": True}})
    partner.answers = [{"refresh_token": None}]
    await token_of(house, account)
    await house.revoking.revoke(house.caller, account)
    await house.carry_runs()

    assert ended(partner) == [{"token": "access-token-1", "token_type_hint": "access_token"}]
    assert partner.ended[0].header("Authorization").startswith("Basic ")


async def test_where_the_destination_says_nothing_nobody_is_told(house, partner):
    account = await account_of(house, grant())
    await sign_in(house, account, partner)
    await house.revoking.revoke(house.caller, account)
    await house.revoking.delete(house.caller, account)

    assert (told(house), audited(house), set_aside(house)) == ([], [], [])


async def test_an_account_that_has_no_token_has_nothing_to_tell(house, account, partner):
    await house.revoking.revoke(house.caller, account)
    await house.revoking.revoke(house.caller, account)
    await house.revoking.delete(house.caller, account)
    await run_out(house, 2)

    assert ended(partner) == [REFRESH]


async def test_what_is_refused_here_tells_nobody(house, partner):
    account = await activate(house, "a", way=grant(**ENDS))
    await sign_in(house, account, partner)
    with pytest.raises(InUse):
        await house.revoking.delete(house.caller, account)

    assert (told(house), set_aside(house)) == ([], [])
    assert state(house, account) == SIGNED_IN


async def test_who_signs_in_again_meanwhile_keeps_the_new_token(house, account, partner):
    partner.endings = [DOWN]
    await house.revoking.revoke(house.caller, account)
    await house.carry_runs()
    await sign_in(house, account, partner)
    house.pass_time(60)
    await house.carry_runs()

    assert [form["token"] for form in ended(partner)] == ["refresh-token-1"] * 2
    assert state(house, account) == SIGNED_IN


# -- the partner does not do as it is told ---------------------------------------------------------------------------
@pytest.mark.parametrize("trouble", [DOWN, NotSent("nobody there")], ids=["503", "away"])
async def test_a_partner_that_is_down_is_told_when_it_is_back(house, account, partner, trouble):
    partner.endings = [trouble]
    await house.revoking.revoke(house.caller, account)
    await house.carry_runs()
    await house.carry_runs()
    assert state(house, account) == REVOKED
    assert [state for state, _ in told(house)] == ["failed", "asked"]
    assert audited(house) == []

    house.pass_time(60)
    await house.carry_runs()

    assert ended(partner) == [REFRESH] * 2
    assert [state for state, _ in told(house)] == ["failed", "succeeded"]
    assert (audited(house), set_aside(house)) == ([{"outcome": "told"}], [])


async def test_the_wait_that_the_partner_asks_for_is_kept(house, account, partner):
    partner.endings = [Response(503, (("Retry-After", "600"),))]
    await house.revoking.revoke(house.caller, account)
    await house.carry_runs()
    house.pass_time(599)
    await house.carry_runs()
    assert len(partner.ended) == 1

    house.pass_time(1)
    await house.carry_runs()
    assert len(partner.ended) == 2


async def test_it_is_given_up_after_a_day_and_the_token_is_forgotten(house, account, partner):
    partner.endings = [DOWN] * (MOST_TRIES + 1)
    await house.revoking.revoke(house.caller, account)
    await run_out(house)

    reason = "The partner did not end the token: it answered 503."
    assert told(house) == [("failed", reason)] * MOST_TRIES
    assert audited(house) == [{"outcome": "not told", "reason": reason}]
    assert set_aside(house) == []


async def test_a_refusal_is_told_readably_and_without_secrets_and_not_repeated(house, account, partner):
    def refuse(request):
        described = f"no such kind: {request.body.decode()}"
        error = {"error": "unsupported_token_type", "error_description": described}
        return Response(400, JSON, json.dumps(error).encode())

    partner.endings = [refuse]
    await house.revoking.delete(house.caller, account)
    await run_out(house, 3)

    ((outcome, reason),) = told(house)
    assert (outcome, len(partner.ended)) == ("failed", 1)
    assert reason.startswith("The partner did not end the token: it answered 400, unsupported_token_type: no such kind")
    assert audited(house) == [{"outcome": "not told", "reason": reason}]
    assert "refresh-token-1" not in reason
    assert "secret-of-the-client" not in reason
    assert set_aside(house) == []


async def test_a_run_that_is_cancelled_forgets_the_token(house, account, partner):
    await house.revoking.revoke(house.caller, account)
    cancelled = await house.runs.cancel(house.caller, newest_run(house).run)
    assert set_aside(house) == []

    await house.runs.retry(house.caller, cancelled.run)
    await house.carry_runs()

    assert partner.ended == []
    reasons = dict(told(house))
    assert reasons.keys() == {"cancelled", "failed"}
    assert "keeps this token no longer" in reasons["failed"]


# -- whoever dies on the way -----------------------------------------------------------------------------------------
async def test_a_step_that_is_done_twice_tells_twice_and_writes_once(house, account, partner):
    await house.revoking.revoke(house.caller, account)
    asked = newest_run(house)
    telling = Telling(house.store, house.clock, house.keyring, house.partners)
    steps = Repeating()
    await telling.carry(asked, steps)

    assert ended(partner) == [REFRESH] * 2
    assert audited(house) == [{"outcome": "told"}]
    assert set_aside(house) == []


async def test_a_failed_step_that_is_done_twice_asks_for_one_run(house, account, partner):
    partner.endings = [DOWN, DOWN]
    await house.revoking.revoke(house.caller, account)
    telling = Telling(house.store, house.clock, house.keyring, house.partners)
    with contextlib.suppress(Exception):
        await telling.carry(newest_run(house), Repeating())

    assert [state for state, _ in told(house)] == ["asked", "asked"], "the one carried by hand, and its successor"
    assert len(set_aside(house)) == 1


class Repeating:
    """Steps of a run that this process has, each done twice, as if it had died before that was noted."""

    def hold(self, tx):
        pass

    async def step(self, _name, work):
        await work()
        return await work()


# -- tokens that change at that moment -------------------------------------------------------------------------------
async def test_a_token_that_is_new_at_the_last_moment_is_the_one_that_is_ended(house, account, partner, monkeypatch):
    write = house.store.write

    async def sign_in_first(work):
        monkeypatch.setattr(house.store, "write", write)
        await sign_in(house, account, partner)
        return await write(work)

    monkeypatch.setattr(house.store, "write", sign_in_first)
    await house.revoking.revoke(house.caller, account)
    await house.carry_runs()

    assert [form["token"] for form in ended(partner)] == ["refresh-token-2"]
    assert state(house, account) == REVOKED


@pytest.mark.parametrize("way", ["revoke", "delete"])
async def test_a_token_that_comes_too_late_is_ended_too(house, account, partner, way):
    arrived, goes_on = asyncio.Event(), asyncio.Event()
    usual = partner._token

    async def slowly(form):
        arrived.set()
        await goes_on.wait()
        return await usual(form)

    partner._token = slowly
    house.pass_time(3600)
    renewing = asyncio.create_task(token_of(house, account))
    await arrived.wait()
    await getattr(house.revoking, way)(house.caller, account)
    goes_on.set()
    with pytest.raises(SignInNeeded):
        await renewing
    await run_out(house, 3)

    assert sorted(form["token"] for form in ended(partner)) == ["refresh-token-1", "refresh-token-2"]
    assert set_aside(house) == []


# -- nothing leaks, and nothing is lost ------------------------------------------------------------------------------
async def test_a_token_is_nowhere_in_the_clear_and_at_last_nowhere(house, account, partner):
    partner.endings = [DOWN]
    await house.revoking.delete(house.caller, account)
    await house.carry_runs()
    waiting = everything_kept(house)
    house.pass_time(60)
    await house.carry_runs()

    for text in (waiting, everything_kept(house), repr(house.events)):
        assert "refresh-token-1" not in text
        assert "secret-of-the-client" not in text
    assert "revocation.form" in waiting
    assert "revocation.form" not in everything_kept(house)


async def test_keys_are_changed_for_tokens_that_wait_too(house, account, partner):
    await house.revoking.delete(house.caller, account)
    (host,) = house.store.read_now(access.all_organizations)
    principal = Principal("client:house", host, Grants({}))
    made = await key_rotation.rotate(house.store, house.clock, house.keyring, principal)
    await key_rotation.reseal(house.store, house.clock, house.keyring, principal)
    await key_rotation.prune(house.store, house.clock, house.keyring, principal)
    ((sealed,),) = house.store.read_now(
        lambda tx: tx.core.execute(tables.sign_in_states.select().with_only_columns(tables.sign_in_states.c.sealed))
    )
    assert {key_in(text) for text in sealed.values()} == {made[host.name]}
    await house.carry_runs()

    assert ended(partner) == [REFRESH]


async def test_credentials_that_nobody_can_open_are_ended_all_the_same(house, account, partner):
    def damage(tx):
        sealed = {"token.accessToken": "v1.gone.AAAA"}
        tx.core.execute(tables.sign_in_states.update().values(sealed=sealed))

    house.store.write_now(damage)
    await house.revoking.revoke(house.caller, account)

    assert state(house, account) == REVOKED
    assert told(house) == []
    ((outcome, reason),) = [(entry["outcome"], entry["reason"]) for entry in audited(house)]
    assert outcome == "not told"
    assert "gone" in reason
