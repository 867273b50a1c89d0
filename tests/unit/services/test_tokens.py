"""Tokens: one request at a time whoever wants one, renewed in time, and held where there is none."""

import asyncio

import pytest

from headrace.connect.auth import Granted, OAuthClient, SignInNeeded, TokenRefused, UserContext
from headrace.connect.keyring import SealError
from headrace.connect.transport import NotSent
from headrace.model.authentication import CustomerAuthentication
from headrace.services import standing
from headrace.services.tokens import MOST_A_MINUTE, Asking, Tokens
from headrace.store import sign_in_states
from headrace.store.sign_in_states import NOT_SIGNED_IN, REFUSED, REVOKED, SIGN_IN_NEEDED, SIGNED_IN
from unit.services.house import House, person, reaching_to
from unit.services.signed_in import Partnership, activate, client_credentials, grant, holder


@pytest.fixture
def partner():
    return Partnership()


@pytest.fixture
def house(tmp_path, lend_database, partner):
    with lend_database() as database_url:
        built = House(tmp_path, partner, database_url)
        yield built
        built.close()


@pytest.fixture
def account(house):
    """An account by its holder, without any dataflow."""
    return holder(house, "an-account")


def client(way=None):
    return OAuthClient.of(CustomerAuthentication.model_validate(way or grant()), {}, UserContext())


def asking(account, way=None, issue=1):
    return Asking(account, client(way), issue)


async def sign_in(house, account, partner, **fields):
    granted = partner._granted()
    named = {"accessToken": granted["access_token"], "refreshToken": granted["refresh_token"], **fields}
    await house.tokens.sign_in(account, Granted(named, partner.life), house.clock.now(), "client:test")


def state(house, account):
    return house.store.read_now(lambda tx: standing.state_of(tx, account))


def another(house, partner):
    """The tokens of another process on the same store."""
    return Tokens(
        house.store,
        house.clock,
        house.keyring,
        reaching_to(house, partner),
        house.events.append,
        house._wake_sandbox,
        deadline=30.0,
    )


async def test_a_token_is_kept_sealed_and_used_again(house, account, partner):
    ask = asking(account, client_credentials(), issue=0)

    first, second = await house.tokens.token(ask), await another(house, partner).token(ask)

    assert first.access_token.reveal() == second.access_token.reveal() == "access-token-1"
    assert len(partner.token_requests) == 1
    assert "access-token-1" not in str(house.rows("SELECT * FROM sign_in_states"))
    assert state(house, account).state == SIGNED_IN


async def test_a_token_is_renewed_shortly_before_it_expires(house, account, partner):
    await sign_in(house, account, partner)
    ask = asking(account)
    house.pass_time(3600 - 61)
    assert (await house.tokens.token(ask)).access_token.reveal() == "access-token-1"

    house.pass_time(2)

    assert (await house.tokens.token(ask)).access_token.reveal() == "access-token-2"
    assert house.announced()["TokenRenewed"] == 1


async def test_a_short_life_is_not_spent_on_renewing_early(house, account, partner):
    partner.life = 100
    await sign_in(house, account, partner)
    ask = asking(account)

    house.pass_time(89)
    assert (await house.tokens.token(ask)).access_token.reveal() == "access-token-1"
    house.pass_time(2)
    assert (await house.tokens.token(ask)).access_token.reveal() == "access-token-2"


async def test_a_token_of_unknown_life_is_renewed_when_it_is_refused(house, account, partner):
    partner.life = None
    await sign_in(house, account, partner)
    ask = asking(account)
    house.pass_time(30 * 86400)

    token = await house.tokens.token(ask)
    newer = await house.tokens.token(ask, refused=token.generation)

    assert token.expires_at is None
    assert [token.access_token.reveal(), newer.access_token.reveal()] == ["access-token-1", "access-token-2"]


async def test_whoever_was_refused_with_an_older_token_gets_the_one_there_is(house, account, partner):
    await sign_in(house, account, partner)
    ask = asking(account)
    old = await house.tokens.token(ask)
    new = await house.tokens.token(ask, refused=old.generation)

    assert await house.tokens.token(ask, refused=old.generation) == new
    assert len(partner.token_requests) == 1


@pytest.mark.parametrize("round_", range(20))
async def test_many_callers_in_many_processes_make_one_request(house, account, partner, round_):
    await sign_in(house, account, partner)
    ask = asking(account)
    processes = [house.tokens, *(another(house, partner) for _ in range(4))]
    old = await house.tokens.token(ask)

    tokens = await asyncio.gather(
        *(process.token(ask, refused=old.generation) for process in processes for _ in range(10))
    )

    assert {token.access_token.reveal() for token in tokens} == {"access-token-2"}
    assert len(partner.token_requests) == 1
    assert not partner.is_revoked


async def test_a_process_that_died_while_it_asked_keeps_nobody_waiting_for_ever(house, account, partner):
    await sign_in(house, account, partner)
    ask = asking(account)
    old = await house.tokens.token(ask)
    now = house.clock.now()
    claim = (*account.key, "a process that died", now, now + 35_000, old.generation)
    assert await house.store.write(lambda tx: sign_in_states.claim(tx, *claim))

    waiting = asyncio.create_task(house.tokens.token(ask, refused=old.generation))
    await asyncio.sleep(0.2)
    assert partner.token_requests == []
    house.pass_time(36)

    assert (await waiting).access_token.reveal() == "access-token-2"


async def test_whoever_gives_up_waiting_ends_no_renewal(house, account, partner):
    await sign_in(house, account, partner)
    ask = asking(account)
    old = await house.tokens.token(ask)

    impatient = asyncio.create_task(house.tokens.token(ask, refused=old.generation))
    await asyncio.sleep(0.02)
    patient = asyncio.create_task(house.tokens.token(ask, refused=old.generation))
    impatient.cancel()

    assert (await patient).access_token.reveal() == "access-token-2"
    assert len(partner.token_requests) == 1


async def test_a_token_that_has_not_expired_is_used_while_its_renewal_fails(house, account, partner):
    await sign_in(house, account, partner)
    ask = asking(account)
    partner.answers = [503, NotSent("refused"), {"access_token": None}]
    house.pass_time(3600 - 30)

    for _ in range(3):
        assert (await house.tokens.token(ask)).access_token.reveal() == "access-token-1"
        house.pass_time(10)
    partner.answers = [503]
    with pytest.raises(TokenRefused):
        await house.tokens.token(ask)

    assert state(house, account).state == SIGNED_IN


async def test_after_a_failure_nobody_asks_again_at_once(house, account, partner):
    ask = asking(account, client_credentials(), issue=0)
    partner.answers = [503]

    for _ in range(3):
        with pytest.raises(TokenRefused):
            await house.tokens.token(ask)
    assert len(partner.token_requests) == 1
    house.pass_time(10)

    assert (await house.tokens.token(ask)).access_token.reveal() == "access-token-1"


async def test_a_refusal_for_good_stops_the_account(house, account, partner):
    await sign_in(house, account, partner)
    ask = asking(account)
    partner.is_revoked = True
    house.pass_time(3600)

    for _ in range(3):
        with pytest.raises(SignInNeeded):
            await house.tokens.token(ask)

    assert len(partner.token_requests) == 1
    assert state(house, account).state == SIGN_IN_NEEDED
    assert house.announced()["AccountStopped"] == 1


async def test_a_refusal_counts_for_nothing_where_somebody_has_a_newer_token(house, account, partner):
    await sign_in(house, account, partner)
    ask = asking(account)
    old = await house.tokens.token(ask)

    async def meanwhile():
        granted = {"accessToken": "of-another-process", "refreshToken": "x"}
        sealed = house.tokens._sealed(account, granted)
        by = house.rows("SELECT refreshing_by FROM sign_in_states")[0][0]
        args = (*account.key, by, old.generation, sealed, None, house.clock.now())
        assert await house.store.write(lambda tx: sign_in_states.keep(tx, *args))

    real = partner._token

    async def slow(form):
        await meanwhile()
        partner.is_revoked = True
        return await real(form)

    partner._token = slow

    token = await house.tokens.token(ask, refused=old.generation)

    assert token.access_token.reveal() == "of-another-process"
    assert state(house, account).state == SIGNED_IN


async def test_an_account_whose_every_token_is_refused_rests(house, account, partner):
    ask = asking(account, client_credentials(), issue=0)
    token = await house.tokens.token(ask)
    for _ in range(MOST_A_MINUTE - 1):
        token = await house.tokens.token(ask, refused=token.generation)
    with pytest.raises(SignInNeeded):
        await house.tokens.token(ask, refused=token.generation)

    assert len(partner.token_requests) == MOST_A_MINUTE
    assert state(house, account).state == REFUSED

    house.pass_time(standing.REST / 1000)
    await house.tokens.try_again()
    assert state(house, account).state == SIGNED_IN
    assert house.announced()["AccountRecovered"] == 1


async def test_nothing_is_asked_before_somebody_signed_in(house, account, partner):
    with pytest.raises(SignInNeeded, match="authorize"):
        await house.tokens.token(asking(account, issue=0))

    assert partner.token_requests == []
    assert state(house, account).state == NOT_SIGNED_IN


async def test_revoking_is_felt_at_once_in_memory_too(house, account, partner):
    await sign_in(house, account, partner)
    ask = asking(account)
    await house.tokens.token(ask)

    await house.store.write(lambda tx: house.tokens.revoke(tx, account, "client:test", house.clock.now()))

    with pytest.raises(SignInNeeded, match="revoked"):
        await house.tokens.token(ask)
    assert state(house, account).state == REVOKED
    assert state(house, account).sealed is None


async def test_a_token_that_comes_after_the_credentials_were_replaced_is_not_kept(house, account, partner):
    await sign_in(house, account, partner)
    ask = asking(account)
    old = await house.tokens.token(ask)

    def replace_meanwhile(_form):
        house.store.write_now(lambda tx: standing.begin_anew(tx, account, house.clock.now()))
        return {}

    partner.answers = [replace_meanwhile]
    with pytest.raises(SignInNeeded):
        await house.tokens.token(ask, refused=old.generation)

    assert state(house, account).sealed is None
    assert state(house, account).state == NOT_SIGNED_IN


async def test_one_sandbox_s_token_is_never_another_s(house, account, partner):
    await sign_in(house, account, partner)
    await house.tokens.token(asking(account))
    stored = state(house, account)
    elsewhere = standing.Holder(type(account.tenant)(99, "other@org", "prod", "id", 99, is_host=False), account.id)

    with pytest.raises(SignInNeeded):
        await house.tokens.token(asking(elsewhere, issue=0))
    with pytest.raises(SealError):
        house.tokens._opened(elsewhere, stored)


async def test_what_the_partner_gave_is_taken_out_of_texts(house, account, partner):
    await sign_in(house, account, partner)
    await house.tokens.token(asking(account))

    assert house.tokens.redact(account, "got access-token-1, refresh-token-1") == "got [secret], [secret]"


async def test_a_dataflow_waits_for_its_account_and_goes_on_by_itself(house, partner):
    id_ = await activate(house, "a")
    await house.ingest(person(1, "a"))
    await house.run()
    assert partner.messages == []
    assert await house.balance() == {"accepted": 1, "pending": 1}

    await sign_in(house, holder(house, id_), partner)
    await house.run()

    assert partner.statuses == [200]
    assert await house.balance() == {"accepted": 1, "delivered": 1, "messages": 1}
