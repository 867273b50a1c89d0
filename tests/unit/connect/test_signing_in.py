"""Signing in is a conversation, held here without any network."""

import pytest

from headrace.connect.auth import Bearer, Unsigned, schemes
from headrace.connect.conversation import converse
from headrace.connect.secrets import Secret
from headrace.connect.transport import NotSent
from headrace.errors import AccountError, AuthoringError
from headrace.model.http import Request, Response

REQUEST = Request("POST", "https://partner.example/", (("Content-Type", "application/json"),), b"{}")


class Scripted:
    """A transport that answers from a list and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []

    async def send(self, request, *, deadline, pool):
        self.sent.append((request, deadline, pool))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def first_request(scheme, request=REQUEST):
    return next(scheme.auth_flow(request))


@pytest.mark.parametrize("name", ["token", "accessToken", "bearerToken"])
@pytest.mark.parametrize("wrap", [str, Secret])
def test_a_bearer_token_is_added(name, wrap):
    signed = first_request(schemes.get("BEARER")({name: wrap("t0ken")}))

    assert signed.headers == (("Content-Type", "application/json"), ("Authorization", "Bearer t0ken"))
    assert (signed.method, signed.url, signed.body) == (REQUEST.method, REQUEST.url, REQUEST.body)


def test_the_published_name_comes_first():
    assert first_request(Bearer({"bearerToken": "b", "token": "a"})).header("Authorization") == "Bearer a"
    assert first_request(Bearer({"bearerToken": "b", "token": ""})).header("Authorization") == "Bearer b"


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
def test_a_request_that_brings_its_own_authorization_keeps_it(name):
    request = Request("GET", "https://partner.example/", ((name, "Basic dXNlcjpwdw=="),))

    assert first_request(Bearer({"token": "t0ken"}), request) is request


@pytest.mark.parametrize("params", [{}, {"token": ""}, {"token": Secret("")}, {"username": "x"}, {"token": "  \n"}])
def test_an_account_without_a_token_is_the_operators_to_mend(params):
    with pytest.raises(AccountError, match="has no token; give it as 'token'"):
        Bearer(params)


def test_a_token_pasted_with_a_line_break_is_trimmed():
    assert first_request(Bearer({"token": " t0ken\n"})).header("Authorization") == "Bearer t0ken"


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a b", "a\x00b", "tökén"])
def test_a_token_that_is_none_is_refused_without_repeating_it(token):
    with pytest.raises(AccountError) as refusal:
        Bearer({"token": token})

    assert token not in str(refusal.value)


def test_the_token_is_not_shown_by_its_scheme():
    assert "t0ken" not in repr(vars(Bearer({"token": "t0ken"})))


def test_none_sends_the_request_as_it_is():
    assert isinstance(scheme := schemes.get("NONE")({}), Unsigned)
    assert first_request(scheme) is REQUEST


def test_the_folder_lists_what_is_supported():
    assert schemes.names() == ["BASIC", "BEARER", "NONE", "OAUTH2"]
    with pytest.raises(
        AuthoringError, match="'BAERER' is not a way of signing in; these are: BEARER, BASIC, NONE, OAUTH2"
    ):
        schemes.get("BAERER")


async def test_the_last_answer_is_the_one_that_counts():
    transport = Scripted(Response(200))

    answer = await converse(Bearer({"token": "t"}), REQUEST, transport, deadline=5.0, pool="account")

    ((sent, deadline, pool),) = transport.sent
    assert answer.status == 200
    assert sent.header("Authorization") == "Bearer t"
    assert 4.0 < deadline <= 5.0
    assert pool == "account"


class Renewing:
    """Renews its token when it is refused."""

    def auth_flow(self, request):
        response = yield request
        if response.status == 401:
            renewal = yield Request("POST", "https://partner.example/token")
            if renewal.status == 200:
                yield request


@pytest.mark.parametrize(
    ("statuses", "last"), [([200], 200), ([401, 200, 201], 201), ([401, 500], 500), ([401, 200, 401], 401)]
)
async def test_a_scheme_may_send_more_than_the_request(statuses, last):
    transport = Scripted(*map(Response, statuses))

    answer = await converse(Renewing(), REQUEST, transport, deadline=5.0, pool="account")

    assert answer.status == last
    assert len(transport.sent) == len(statuses)


async def test_one_deadline_covers_the_whole_conversation():
    transport = Scripted(*map(Response, [401, 200, 201]))

    await converse(Renewing(), REQUEST, transport, deadline=5.0, pool="account")

    deadlines = [deadline for _, deadline, _ in transport.sent]
    assert deadlines == sorted(deadlines, reverse=True)


async def test_an_error_of_the_transport_ends_the_conversation():
    ended = []

    class Watched:
        def auth_flow(self, request):
            try:
                yield request
            finally:
                ended.append(True)

    with pytest.raises(NotSent):
        await converse(Watched(), REQUEST, Scripted(NotSent()), deadline=5.0, pool="account")
    assert ended == [True]


async def test_a_scheme_that_never_ends_is_ended():
    class Endless:
        def auth_flow(self, request):
            while True:
                yield request

    transport = Scripted(*[Response(401)] * 50)

    with pytest.raises(AccountError, match="not done after 8 requests"):
        await converse(Endless(), REQUEST, transport, deadline=5.0, pool="account")
    assert len(transport.sent) == 8
