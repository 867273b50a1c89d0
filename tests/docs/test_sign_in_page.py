"""The page about signing in shows what is sent, to the byte, and what is read."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from headrace.connect.auth import OAuthClient, UserContext, schemes
from headrace.connect.auth.answer import LONGEST_LIFE, OUTPUTS
from headrace.connect.auth.refusal import FINAL, SignInNeeded, TokenRefused
from headrace.model.authentication import CustomerAuthentication
from headrace.model.credentials import KINDS
from headrace.model.http import Request, Response
from headrace.model.reading import read

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "sign-in.md").read_text(encoding="utf-8")
TYPED = {
    "The client in its own name": {"clientId": "headrace", "clientSecret": "the-secret"},
    "A user name and a password": {"username": "ada", "password": "correct horse"},
    "A request of your own": {"tenant": "acme", "apiKey": "k&9"},
}
BACK = "https://headrace.example/callback"


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(title, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", section(title), flags=re.DOTALL | re.MULTILINE)


def client(title):
    way, problems = read(CustomerAuthentication, json.loads(blocks(title, "json")[0]))
    assert not problems
    return OAuthClient.of(way, TYPED.get(title, {}), UserContext(sandbox_name="prod"))


def shown(request):
    """A request as the page writes it, in lines that are not broken."""
    url = urlsplit(request.url)
    target = f"{url.path}?{url.query}" if url.query else url.path
    headers = [f"{name}: {value}" for name, value in (("Host", url.netloc), *request.headers)]
    lines = [f"{request.method} {target} HTTP/1.1", *headers]
    return "\n".join([*lines, "", request.body.decode()] if request.body else lines)


def written(block):
    return re.sub(r"\n +&", "&", block).strip()


def test_the_browser_is_sent_where_the_page_says():
    url = client("In the browser").authorization_url(redirect_uri=BACK, state="the-state", challenge="the-challenge")

    assert shown(Request("GET", url)) == written(blocks("In the browser", "http")[0])


@pytest.mark.parametrize(
    ("title", "place", "ask"),
    [
        (
            "In the browser",
            1,
            lambda asking: asking.exchange(code="the-code", redirect_uri=BACK, verifier="the-verifier"),
        ),
        ("The client in its own name", 0, lambda asking: asking.obtain({})),
        ("A user name and a password", 0, lambda asking: asking.obtain({})),
        ("The next token", 0, lambda asking: asking.obtain({"refreshToken": "the-refresh-token"})),
        ("A request of your own", 0, lambda asking: asking.obtain({})),
    ],
)
def test_a_token_is_asked_for_as_the_page_says(title, place, ask):
    assert shown(next(ask(client(title)))) == written(blocks(title, "http")[place])


def test_a_token_is_ended_as_the_page_says():
    title = "The end of a token"
    revocation = client(title).revocation({"accessToken": "the-access-token", "refreshToken": "the-refresh-token"})

    assert shown(revocation.request()) == written(blocks(title, "http")[0])


def test_the_answer_on_the_page_is_read_as_it_says():
    head, _, body = blocks("A request of your own", "http")[1].partition("\n\n")
    name, _, value = head.splitlines()[1].partition(": ")
    exchange = client("A request of your own").obtain({})
    next(exchange)

    with pytest.raises(StopIteration) as end:
        exchange.send(Response(200, ((name, value),), body.encode()))
    assert end.value.value.fields == {"accessToken": "s-77", "expiresIn": "1200", "shard": "eu1"}
    assert end.value.value.expires_in == 1200


def test_the_host_on_the_page_cannot_be_led_elsewhere():
    way, _ = read(CustomerAuthentication, json.loads(blocks("A request of your own", "json")[0]))
    asking = OAuthClient.of(way, {"tenant": "elsewhere.example/", "apiKey": "k"}, UserContext())

    assert asking.addresses() == ()


def test_the_tables_name_what_there_is():
    ways = set(re.findall(r"^\| `([A-Z0-9]+)` \|", PAGE, flags=re.MULTILINE))
    assert ways == set(schemes) - {"NONE"}

    read_of_answers = section("What is read of an answer")
    assert tuple(re.findall(r"^\| `(\w+)` \| `\w+` \|", read_of_answers, flags=re.MULTILINE)) == OUTPUTS
    for example in re.findall(r"`(\{.*?\})`", read_of_answers):
        read(CustomerAuthentication, {
            "authType": "OAUTH2", "grant": "OAUTH2_CLIENT_CREDENTIALS", "accessTokenUrl": "https://a.example",
            "clientId": "a", "clientSecret": "b", "authenticationDataFields": [json.loads(example)]})  # fmt: skip

    refusals = section("When there is no token")
    assert set(re.findall(r"^\| `([\w-]+)` \|", refusals, flags=re.MULTILINE)) == {SignInNeeded.code, TokenRefused.code}
    assert set(FINAL) <= set(re.findall(r"`(\w+)`", refusals))
    assert set(re.findall(r"^\| `(\w+)` \|", section("Shared credentials"), flags=re.MULTILINE)) <= set(KINDS.values())
    assert LONGEST_LIFE == 10 * 365 * 86400
    assert "More than ten years are ten years." in PAGE
