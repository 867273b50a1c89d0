"""Signing in with a token that may have to be renewed."""

import pytest

from headrace.connect.auth import SignInNeeded, Token, TokenWanted, schemes
from headrace.connect.conversation import converse
from headrace.connect.secrets import Secret
from headrace.errors import AccountError
from headrace.model.http import Request, Response

REQUEST = Request("POST", "https://partner.example/", (("Content-Type", "application/json"),), b"{}")


def token(text="t1", kind=None, generation=1):
    fields = {"accessToken": Secret(text)} | ({"tokenType": Secret(kind)} if kind is not None else {})
    return Token(Secret(text), generation, None, fields)


def first_signature(granted):
    flow = schemes.get("OAUTH2")({}).auth_flow(REQUEST)
    assert next(flow) == TokenWanted()
    return flow.send(granted).header("Authorization")


class Tokens:
    """Gives the tokens in turn, and remembers which was refused."""

    def __init__(self, *texts):
        self.left = list(texts)
        self.refused = []

    async def token(self, refused=None):
        self.refused.append(refused.access_token.reveal() if refused is not None else None)
        given = self.left.pop(0)
        if isinstance(given, Exception):
            raise given
        return token(given)


class Partner:
    """Takes certain tokens, and remembers what it was shown."""

    def __init__(self, *good, otherwise=401):
        self.good, self.otherwise, self.shown = good, otherwise, []

    async def send(self, request, *, deadline, pool):
        self.shown.append(request.header("Authorization"))
        is_good = any(self.shown[-1] == f"Bearer {text}" for text in self.good)
        return Response(200 if is_good else self.otherwise)


async def conversation(tokens, partner, request=REQUEST):
    scheme = schemes.get("OAUTH2")({})
    return await converse(scheme, request, partner, deadline=5.0, pool="account", tokens=tokens)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (None, "Bearer"),
        ("Bearer", "Bearer"),
        ("bearer", "Bearer"),
        ("BEARER", "Bearer"),
        ("MAC", "MAC"),
        ("Zoho-oauthtoken", "Zoho-oauthtoken"),
        ("", "Bearer"),
        ("two words", "Bearer"),
        ("a\r\nX-Evil: 1", "Bearer"),
        ("x" * 65, "Bearer"),
        ("Bäarer", "Bearer"),
    ],
)
def test_the_token_goes_under_the_word_that_the_partner_gave_it(kind, word):
    assert first_signature(token(kind=kind)) == f"{word} t1"


@pytest.mark.parametrize("text", ["", "a b", "a\r\nX-Evil: 1", "tökén"])
def test_a_token_that_can_be_none_is_not_sent(text):
    with pytest.raises(AccountError, match="no token has") as refusal:
        first_signature(token(text))
    assert not text or text not in str(refusal.value)


async def test_a_token_that_is_taken_is_asked_for_once():
    tokens, partner = Tokens("t1"), Partner("t1")

    assert (await conversation(tokens, partner)).status == 200
    assert (tokens.refused, partner.shown) == ([None], ["Bearer t1"])


async def test_a_refused_token_is_renewed_and_the_request_sent_once_more():
    tokens, partner = Tokens("t1", "t2"), Partner("t2")

    assert (await conversation(tokens, partner)).status == 200
    assert (tokens.refused, partner.shown) == ([None, "t1"], ["Bearer t1", "Bearer t2"])


async def test_a_partner_that_refuses_every_token_is_asked_twice_and_no_more():
    tokens, partner = Tokens("t1", "t2"), Partner()

    assert (await conversation(tokens, partner)).status == 401
    assert len(partner.shown) == 2


async def test_nothing_is_sent_again_with_the_same_token():
    tokens, partner = Tokens("t1", "t1"), Partner()

    assert (await conversation(tokens, partner)).status == 401
    assert partner.shown == ["Bearer t1"]


@pytest.mark.parametrize("status", [400, 403, 429, 500])
async def test_no_other_refusal_is_about_the_token(status):
    tokens, partner = Tokens("t1"), Partner(otherwise=status)

    assert (await conversation(tokens, partner)).status == status


async def test_a_request_that_brings_its_own_authorization_is_whoever_made_its_to_make_anew():
    request = Request("GET", "https://partner.example/", (("authorization", "Token t1"),))
    tokens, partner = Tokens(), Partner()

    assert (await conversation(tokens, partner, request)).status == 401
    assert (tokens.refused, partner.shown) == ([], ["Token t1"])


async def test_a_token_that_cannot_be_renewed_is_the_operators():
    with pytest.raises(SignInNeeded):
        await conversation(Tokens("t1", SignInNeeded()), Partner())


async def test_without_a_source_of_tokens_nothing_is_sent():
    partner = Partner()

    with pytest.raises(AccountError, match="nothing here gives one"):
        await conversation(None, partner)
    assert partner.shown == []
