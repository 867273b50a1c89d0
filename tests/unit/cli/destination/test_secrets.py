"""Secrets are named in files, filled in on the way to the server, and kept where they are."""

import pytest

from headrace.cli.destination.nouns import NOUNS
from headrace.cli.destination.secrets import filled, placeholders, secret_paths, with_placeholders
from headrace.errors import AuthoringError

MASK = "••••"
NOUN = NOUNS["destination"]
OAUTH = {
    "customerAuthenticationConfigurations": [
        {
            "authType": "OAUTH2",
            "clientId": "us",
            "clientSecret": {"env": "ACME_SECRET"},
            "accessTokenRequest": {
                "responseFields": [{"name": "accessToken", "templatingStrategy": "NONE", "value": "x"}]
            },
            "authenticationDataFields": [{"name": "key", "format": "password", "value": {"env": "ACME_KEY"}}],
        }
    ],
    "customerDataFields": [{"name": "pin", "format": "password", "default": {"env": "PIN"}}],
}
SECRET = ("customerAuthenticationConfigurations", 0, "clientSecret")
KEY = ("customerAuthenticationConfigurations", 0, "authenticationDataFields", 0, "value")
PIN = ("customerDataFields", 0, "default")


def shown(document=OAUTH):
    """The document as the server shows it."""
    return with_masks(document)


def with_masks(value):
    if isinstance(value, dict):
        return MASK if set(value) == {"env"} else {key: with_masks(item) for key, item in value.items()}
    return [with_masks(item) for item in value] if isinstance(value, list) else value


def test_secrets_are_found_by_name_and_by_format_and_nothing_else_is():
    assert placeholders(NOUN, OAUTH) == {SECRET: "ACME_SECRET", KEY: "ACME_KEY", PIN: "PIN"}
    assert set(secret_paths(NOUN, shown())) == {SECRET, KEY, PIN}


def test_new_secrets_come_from_the_environment():
    environment = {"ACME_SECRET": "s", "ACME_KEY": "k", "PIN": "p"}

    document, sent = filled(NOUN, OAUTH, None, environment)

    assert document["customerAuthenticationConfigurations"][0]["clientSecret"] == "s"
    assert document["customerDataFields"][0]["default"] == "p"
    assert sorted(sent) == ["ACME_KEY", "ACME_SECRET", "PIN"]
    assert OAUTH["customerDataFields"][0]["default"] == {"env": "PIN"}, "what was read stays as it was"


@pytest.mark.parametrize("environment", [{}, {"ACME_SECRET": ""}], ids=["missing", "empty"])
def test_a_new_secret_whose_variable_is_not_there_is_an_error_that_names_it(environment):
    with pytest.raises(AuthoringError, match="set ACME_SECRET in the environment"):
        filled(NOUN, OAUTH, None, {"ACME_KEY": "k", "PIN": "p", **environment})


def test_what_the_server_has_stays_there_by_the_mask_that_it_shows():
    document, sent = filled(NOUN, OAUTH, shown(), {"ACME_SECRET": "other"})

    assert (document, sent) == (shown(), [])


def test_a_secret_is_sent_again_when_that_is_asked_for_and_it_is_there():
    document, sent = filled(NOUN, OAUTH, shown(), {"ACME_SECRET": "other"}, sends_again=True)

    assert document["customerAuthenticationConfigurations"][0]["clientSecret"] == "other"
    assert document["customerDataFields"][0]["default"] == MASK
    assert sent == ["ACME_SECRET"]


def test_the_secret_of_another_entry_is_not_taken_for_ones_own():
    """Entries are known by their places: one that was put before another stands where that one's secret was."""
    other = {"authType": "OAUTH2", "clientId": "them", "clientSecret": {"env": "OTHER"}}
    document = {"customerAuthenticationConfigurations": [other]}

    with pytest.raises(AuthoringError, match="set OTHER"):
        filled(NOUN, document, shown(), {})


def test_a_secret_stays_when_what_stands_beside_it_changes():
    noun = NOUNS["credentials"]
    document = {"basicAuthentication": {"username": "you", "password": {"env": "PASSWORD"}}}
    there = {"basicAuthentication": {"username": "me", "password": MASK}}

    assert filled(noun, document, there, {})[0]["basicAuthentication"] == {"username": "you", "password": MASK}


def test_servers_have_no_secrets():
    document = {"httpTemplate": {"headers": [{"header": "password", "value": "x"}]}, "password": "x"}

    assert secret_paths(NOUNS["destination-server"], document) == []


def test_what_is_pulled_has_the_placeholders_of_the_file_and_new_ones_for_the_rest():
    pulled = with_placeholders(NOUN, shown(), {"customerDataFields": OAUTH["customerDataFields"]}, "acme")

    assert placeholders(NOUN, pulled) == {SECRET: "ACME_CLIENT_SECRET", KEY: "ACME_VALUE", PIN: "PIN"}
    assert MASK not in str(pulled)
