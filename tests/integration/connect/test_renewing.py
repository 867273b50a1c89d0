"""Renewing at a real authorization server that takes a second use of a refresh token for theft."""

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest

from headrace.connect.auth import OAuthClient, SignInNeeded, UserContext, pkce
from headrace.connect.egress import AllowList, Egress
from headrace.connect.http import HttpTransport
from headrace.model.authentication import CustomerAuthentication
from headrace.services import standing
from headrace.services.standing import Holder
from headrace.services.tokens import Asking
from headrace.store.sign_in_states import SIGN_IN_NEEDED
from headrace.testkit.oauth import AuthorizationServer
from unit.services.house import House

REDIRECT = "http://127.0.0.1:8000/callback"
#: Renews a token in a process of its own, which an armed crash point ends.
DIES = """
import asyncio, sys
from pathlib import Path
from integration.connect.test_renewing import renewed_in
asyncio.run(renewed_in(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
"""


@pytest.fixture
def oauth():
    with AuthorizationServer.in_thread() as server:
        yield server


def client(issuer, secret):
    way = {
        "authType": "OAUTH2",
        "grant": "OAUTH2_AUTHORIZATION_CODE",
        "authorizationUrl": f"{issuer}/authorize",
        "accessTokenUrl": f"{issuer}/token",
        "refreshTokenUrl": f"{issuer}/token",
        "clientId": "headrace",
        "clientSecret": secret,
    }
    return OAuthClient.of(CustomerAuthentication.model_validate(way), {}, UserContext())


@asynccontextmanager
async def house_in(folder, issuer):
    transport = HttpTransport(Egress(AllowList.parse(issuer)))
    house = House(folder, transport)
    yield house
    await transport.close()
    house.close()


async def signed_in(house, oauth):
    """Sign an account in by a code, and return who asks for its tokens."""
    verifier, challenge = pkce()
    holder, client_ = Holder(house.caller.tenant, "account"), client(oauth.issuer, oauth.client_secret)
    code = oauth.code_for(REDIRECT, challenge)
    granted = await house.tokens.ask(
        holder, client_, client_.exchange(code=code, redirect_uri=REDIRECT, verifier=verifier), "client:test"
    )
    await house.tokens.sign_in(holder, granted, house.clock.now(), "client:test")
    return Asking(holder, client_, 1)


async def renewed_in(folder, issuer, secret):
    async with house_in(folder, issuer) as house:
        asking = Asking(Holder(house.caller.tenant, "account"), client(issuer, secret), 1)
        await house.tokens.token(asking, refused=1)


async def test_a_hundred_who_were_refused_make_one_request(tmp_path, oauth):
    async with house_in(tmp_path, oauth.issuer) as house:
        asking = await signed_in(house, oauth)
        old = await house.tokens.token(asking)
        oauth.kill()

        tokens = await asyncio.gather(*(house.tokens.token(asking, refused=old.generation) for _ in range(100)))

    assert len({token.access_token.reveal() for token in tokens}) == 1
    assert oauth.accepts(tokens[0].access_token.reveal())
    assert oauth.counts["refresh_token"] == 1
    assert oauth.counts["reuse"] == 0


async def test_a_death_before_the_new_token_is_kept_ends_in_a_sign_in_and_no_loop(tmp_path, oauth):
    async with house_in(tmp_path, oauth.issuer) as house:
        await signed_in(house, oauth)
    path = os.pathsep.join(sys.path)
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", DIES, str(tmp_path), oauth.issuer, oauth.client_secret],
        env={"HEADRACE_CRASH_AT": "after_token_answer", "PYTHONPATH": path, "HOME": str(tmp_path)},
        capture_output=True,
        timeout=60,
    )
    assert died.returncode == -9, died.stderr.decode()
    assert oauth.counts["refresh_token"] == 1

    async with house_in(tmp_path, oauth.issuer) as house:
        house.pass_time(60)  # The claim of the process that died has run out.
        asking = Asking(Holder(house.caller.tenant, "account"), client(oauth.issuer, oauth.client_secret), 1)
        for _ in range(3):
            with pytest.raises(SignInNeeded):
                await house.tokens.token(asking, refused=1)
        state = house.store.read_now(lambda tx: standing.state_of(tx, asking.holder))

    assert state.state == SIGN_IN_NEEDED
    assert oauth.counts["/token"] == 3, "a code, the answer that was lost, and one try with the old token"
