"""A token endpoint may do anything; what Headrace makes of it is the same through the real transport."""

import asyncio
import ssl

import pytest

from exchanges import client as client_of
from headrace.connect.auth import OAuthClient, SignInNeeded, Token, TokenRefused, pkce, schemes
from headrace.connect.conversation import converse
from headrace.connect.egress import AllowList, Egress
from headrace.connect.http import HttpTransport
from headrace.connect.secrets import Secret
from headrace.connect.transport import Unanswered
from headrace.connect.wire import Limits
from headrace.model.http import Request
from headrace.testkit.oauth import AuthorizationServer
from headrace.testkit.partner import Partner

BACK = "http://127.0.0.1:9/callback"


@pytest.fixture
async def transport():
    egress = Egress(AllowList.parse("127.0.0.0/8"), connect_timeout=2.0)
    made = HttpTransport(egress, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), limits=Limits())
    yield made
    await made.close()


def client(server, grant="OAUTH2_CLIENT_CREDENTIALS", **changes):
    urls = {"accessTokenUrl": server.token_url, "refreshTokenUrl": server.token_url}
    return client_of(grant, clientSecret=server.client_secret, **urls, **changes)


async def hold(exchange, transport, deadline=5.0):
    request = next(exchange)
    while True:
        answer = await transport.send(request, deadline=deadline, pool="account")
        try:
            request = exchange.send(answer)
        except StopIteration as end:
            return end.value


async def signed_in(server, transport, **changes):
    """Get the first token as a browser would, without its page."""
    verifier, challenge = pkce()
    code = server.code_for(BACK, challenge)
    asking = client(server, "OAUTH2_AUTHORIZATION_CODE", **changes)
    return asking, await hold(asking.exchange(code=code, redirect_uri=BACK, verifier=verifier), transport)


@pytest.mark.parametrize(
    ("mischief", "says"),
    [
        (429, "answered 429"),
        (503, "answered 503"),
        ("html", "a page for people"),
        ("huge", "more than Headrace reads"),
        ("no-json", "something else than a JSON object"),
        ("a-list", "something else than a JSON object"),
        ("no-token", "no access token"),
    ],
)
async def test_what_may_pass_is_told_apart(transport, mischief, says):
    async with AuthorizationServer([mischief]) as server:
        asking = client(server)
        with pytest.raises(TokenRefused, match=says):
            await hold(asking.obtain({}), transport)

        assert server.accepts((await hold(asking.obtain({}), transport)).fields["accessToken"])


async def test_what_will_not_pass_is_told_apart(transport):
    async with AuthorizationServer(["revoked"]) as server:
        with pytest.raises(SignInNeeded, match="invalid_grant: The grant was revoked"):
            await hold(client(server).obtain({}), transport)


@pytest.mark.parametrize("mischief", ["hang", "slow", "reset"])
async def test_a_server_that_does_not_answer_costs_a_deadline_and_no_more(transport, mischief):
    async with AuthorizationServer([mischief]) as server:
        with pytest.raises(Unanswered):
            await hold(client(server).obtain({}), transport, deadline=0.2)


@pytest.mark.parametrize("told", [None, 0, -1, "soon", True])
async def test_a_token_without_a_life_is_a_token(transport, told):
    async with AuthorizationServer([{"expires_in": told}]) as server:
        granted = await hold(client(server).obtain({}), transport)

        assert granted.expires_in is None
        assert server.accepts(granted.fields["accessToken"])


@pytest.mark.parametrize("is_basic", [False, True])
async def test_a_secret_of_any_signs_arrives(transport, is_basic):
    async with AuthorizationServer(client_secret="ü%&=+ :/?#") as server:
        await hold(client(server, options={"useBasicAuth": is_basic}).obtain({}), transport)

        assert server.counts["by_header" if is_basic else "by_form"] == 1


@pytest.mark.parametrize("rotates", [True, False])
async def test_every_refresh_token_is_used_in_its_turn(transport, rotates):
    async with AuthorizationServer(rotates=rotates) as server:
        asking, granted = await signed_in(server, transport)
        for _ in range(5):
            granted = await hold(asking.obtain(granted.fields), transport)

        assert server.accepts(granted.fields["accessToken"])
        assert (server.counts["refresh_token"], server.counts["reuse"]) == (5, 0)


async def test_a_refresh_token_that_is_used_twice_is_the_end(transport):
    async with AuthorizationServer() as server:
        asking, first = await signed_in(server, transport)
        await hold(asking.obtain(first.fields), transport)
        with pytest.raises(SignInNeeded):
            await hold(asking.obtain(first.fields), transport)

        assert server.counts["reuse"] == 1


class Kept:
    """An account's token in memory, renewed by one at a time."""

    def __init__(self, asking: OAuthClient, fields, transport):
        self.asking, self.fields, self.transport = asking, fields, transport
        self.lock, self.generation = asyncio.Lock(), 1

    async def token(self, refused=None):
        async with self.lock:
            if refused is not None and refused.generation == self.generation:
                self.fields = (await hold(self.asking.obtain(self.fields), self.transport)).fields
                self.generation += 1
        kept = {name: Secret(value) for name, value in self.fields.items()}
        return Token(kept["accessToken"], self.generation, None, kept)


async def test_a_token_that_dies_is_renewed_once_for_all_who_use_it(transport):
    async with AuthorizationServer() as server, Partner(token=server.accepts) as partner:
        asking, granted = await signed_in(server, transport)
        tokens = Kept(asking, granted.fields, transport)

        def message():
            request = Request("POST", partner.url, (), b"{}")
            scheme = schemes.get("OAUTH2")({})
            return converse(scheme, request, transport, deadline=5.0, pool="account", tokens=tokens)

        assert (await message()).status == 200
        server.kill()
        answers = await asyncio.gather(*(message() for _ in range(20)))

        assert {answer.status for answer in answers} == {200}
        assert (server.counts["refresh_token"], server.counts["reuse"]) == (1, 0)
        assert partner.statuses[401] == 20
