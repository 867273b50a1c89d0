"""Every secret of a document is found by its block, wherever it stands."""

import pytest

from authored import (
    KINDS_OF_CREDENTIALS,
    WITH_EVERYTHING,
    changed,
    credentials,
    form_of_everything,
    messages,
    messages_with_everything,
)
from headrace.model.audience_template import AudienceTemplate
from headrace.model.credentials import Credentials
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.reading import examine, read
from headrace.model.secrets import secret_pointers

SECRET_FIELDS = {
    "basicAuthentication": ["password"],
    "s3Authentication": ["secretKey"],
    "sshAuthentication": ["sshKey"],
    "azureAuthentication": ["servicePrincipalKey"],
    "azureConnectionStringAuthentication": ["connectionString"],
    "oauth2ClientAuthentication": ["clientSecret", "developerToken", "header"],
    "oauth2RefreshTokenAuthentication": ["clientSecret", "header", "refreshToken"],
}
WAY = "/customerAuthenticationConfigurations/0"


@pytest.mark.parametrize("kind", KINDS_OF_CREDENTIALS)
def test_the_secrets_of_shared_credentials_are_found(kind):
    assert secret_pointers(Credentials, credentials(kind)) == [f"/{kind}/{name}" for name in SECRET_FIELDS[kind]]


def test_all_that_is_called_a_secret_in_the_documents_with_everything_is_found():
    for document in WITH_EVERYTHING["Credentials"]:
        found = [_at(document, where) for where in secret_pointers(Credentials, document)]
        assert sorted(found) == sorted(
            value for value in _texts(document) if value.endswith("-secret") or "Key=" in value
        )


def test_the_secret_of_a_client_is_found():
    assert secret_pointers(Destination, messages_with_everything()) == [f"{WAY}/clientSecret"]


@pytest.mark.parametrize(
    ("field", "is_secret"),
    [
        ({"name": "berth", "value": "x"}, False),
        ({"name": "berth", "value": "x", "format": "password"}, True),
        ({"name": "clientId", "value": "x"}, False),
        *(({"name": name, "value": "x"}, True) for name in ("clientSecret", "password", "accessToken", "refreshToken")),
        ({"name": "clientSecret", "source": "CUSTOMER"}, False),
        ({"name": "clientSecret", "value": ""}, False),
    ],
)
def test_a_data_field_is_secret_by_its_format_or_its_name(field, is_secret):
    document = changed(messages(), {f"{WAY}/authenticationDataFields": [field]})

    expected = [f"{WAY}/authenticationDataFields/0/value"] if is_secret else []
    assert secret_pointers(Destination, document) == expected


def test_the_default_of_a_secret_is_one_in_groups_too():
    secret = {"name": "key", "type": "string", "format": "password", "default": "p"}
    group = {"name": "g", "type": "object", "properties": [{"name": "plain", "type": "string", "default": "p"}, secret]}
    document = changed(messages(), {"/customerDataFields": [*form_of_everything(), group]})

    assert secret_pointers(Destination, document) == ["/customerDataFields/5/properties/1/default"]


def test_secrets_are_found_in_what_is_wrong():
    document = {
        "basicAuthentication": {"password": 5, "username": []},
        "s3Authentication": {"secretKey": ["a"]},
        "x": 1,
    }

    assert secret_pointers(Credentials, document) == ["/basicAuthentication/password", "/s3Authentication/secretKey"]


@pytest.mark.parametrize(
    "document", [None, 5, [], "secret", {}, {"basicAuthentication": "p"}, {"name": {"password": 1}}]
)
def test_where_nothing_is_of_a_block_nothing_is_a_secret(document):
    assert secret_pointers(Credentials, document) == []


def test_a_block_that_was_read_says_the_same_as_its_class():
    document = credentials("s3Authentication")

    assert secret_pointers(read(Credentials, document)[0], document) == ["/s3Authentication/secretKey"]


def test_documents_as_deep_as_they_come_are_searched():
    document = {"name": "g", "type": "object", "properties": []}
    for _ in range(2000):
        document = {"name": "g", "type": "object", "properties": [document]}

    assert secret_pointers(Destination, {"customerDataFields": [document]}) == []


@pytest.mark.parametrize("block", [DestinationServer, AudienceTemplate])
def test_what_has_no_secrets_has_none(block):
    assert secret_pointers(block, {"name": "x", "metadataTemplate": {"name": "x"}}) == []


@pytest.mark.parametrize("block", [Credentials, Destination])
def test_the_reference_marks_secrets(block):
    schema = str(block.model_json_schema(by_alias=True))

    assert "'format': 'password'" in schema
    assert "'writeOnly': True" in schema


@pytest.mark.parametrize("wrong", [5, ["canary"], {"canary": 1}, "", True])
@pytest.mark.parametrize("kind", KINDS_OF_CREDENTIALS)
def test_no_message_tells_a_secret(kind, wrong):
    for name in SECRET_FIELDS[kind]:
        document = changed(credentials(kind), {f"/{kind}/{name}": wrong, "/type": "canary", f"/{kind}/x": "canary"})
        assert "canary" not in " ".join(problem.message for problem in examine(Credentials, document).problems)


def test_no_message_tells_the_default_of_a_secret():
    field = {"name": "a", "type": "integer", "format": "password", "default": "canary", "enum": ["b"], "pattern": "z"}
    problems = examine(Destination, changed(messages(), {"/customerDataFields": [field]})).problems

    assert {"default-not-offered", "default-unlike-pattern", "secret-default"} <= {item.code for item in problems}
    assert "canary" not in " ".join(problem.message for problem in problems)


def _texts(value):
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    return [str(value)]


def _at(document, where):
    for step in where.split("/")[1:]:
        document = document[step]
    return document
