"""Secrets that authors write: sealed on disk, masked in every answer, unchanged where the mask comes back."""

import copy

import pytest

from headrace.connect.secrets import MASK
from headrace.store import tables
from support import FLOWS

from .conftest import CREDENTIALS, DESTINATIONS, codes

SECRET = "canary-password-Qx17"
OTHER = "canary-password-Zw29"
WHERE = "/basicAuthentication/password"

COVERED = ("masked-secret",)


def kept_by(headrace):
    """All that is kept of what people declare, as text."""
    kept = (tables.credentials, tables.destinations, tables.target_connections, tables.versions, tables.audit)
    return headrace.app.store.read_now(
        lambda tx: "".join(str(row) for table in kept for row in tx.core.execute(table.select()))
    )


def test_a_password_is_kept_and_never_shown(headrace, api, credentials_document):
    created = api.post(CREDENTIALS, credentials_document)
    where = f"{CREDENTIALS}/{created.json['instanceId']}"
    answers = [created, api.get(where), api.get(CREDENTIALS), api.put(where, credentials_document)]
    answers += [api.get(f"{where}/versions/1"), api.get(f"{where}/diff"), api.get(f"{where}/versions")]

    assert [answer.status for answer in answers] == [200] * len(answers)
    assert created.json["basicAuthentication"] == {"username": "headrace", "password": MASK}
    assert not any(SECRET in answer.text for answer in answers)
    assert "basicAuthentication" in kept_by(headrace)
    assert "canary-password" not in kept_by(headrace)


def test_the_same_secret_has_the_same_fingerprint_and_another_has_another(api, credentials_document):
    another = copy.deepcopy(credentials_document)
    another["basicAuthentication"]["password"] = OTHER

    first, same, other = (
        api.post(CREDENTIALS, document).json["x-headrace"]["fingerprints"][WHERE]
        for document in (credentials_document, credentials_document, another)
    )

    assert first == same != other


def test_a_mask_that_comes_back_means_unchanged(api, credentials_document):
    created = api.post(CREDENTIALS, credentials_document).json
    where = f"{CREDENTIALS}/{created['instanceId']}"

    renamed = api.put(where, {**created, "name": "another"})

    assert renamed.status == 200
    assert renamed.json["name"] == "another"
    assert renamed.json["x-headrace"]["fingerprints"] == created["x-headrace"]["fingerprints"]
    assert [change["path"] for change in api.get(f"{where}/diff").json["changes"]] == ["/name"]


def test_a_new_secret_is_a_difference_that_does_not_tell_it(api, credentials_document):
    created = api.post(CREDENTIALS, credentials_document).json
    where = f"{CREDENTIALS}/{created['instanceId']}"
    credentials_document["basicAuthentication"]["password"] = OTHER

    replaced = api.put(where, credentials_document).json

    (change,) = api.get(f"{where}/diff").json["changes"]
    assert (change["op"], change["path"]) == ("replace", WHERE)
    prints = [item["x-headrace"]["fingerprints"][WHERE] for item in (created, replaced)]
    assert [change["before"], change["after"]] == [f"{MASK} {print_}" for print_ in prints]


def test_a_mask_for_nothing_is_refused(api, credentials_document):
    credentials_document["basicAuthentication"]["password"] = MASK

    assert codes(api.post(CREDENTIALS, credentials_document)) == {WHERE: "masked-secret"}


def test_what_stands_for_a_sealed_value_is_not_taken_from_a_client(api, credentials_document):
    sealed = {"x-headrace-sealed": {"/name": "v1.k.AAAA"}, "x-headrace": {"fingerprints": {"/name": "0"}}}

    created = api.post(f"{CREDENTIALS}?strict=false", {**credentials_document, **sealed})

    assert created.status == 200
    assert created.json["name"] == "Acme"
    assert [*created.json["x-headrace"]["fingerprints"]] == [WHERE]


def test_an_older_version_brings_its_secret_back(api, credentials_document):
    created = api.post(CREDENTIALS, credentials_document).json
    where = f"{CREDENTIALS}/{created['instanceId']}"
    credentials_document["basicAuthentication"]["password"] = OTHER
    api.put(where, credentials_document)

    restored = api.post(f"{where}/versions/1/restore", None)

    assert restored.json["x-headrace"]["fingerprints"] == created["x-headrace"]["fingerprints"]


@pytest.fixture
def asking_for_a_password(destination_document):
    """A destination with a secret of its author's, which asks operators for one too."""
    way = {"authType": "BEARER", "clientSecret": SECRET}
    field = {"name": "apiKey", "type": "string", "format": "password"}
    more = {"customerAuthenticationConfigurations": [way], "customerDataFields": [field]}
    return {**destination_document, **more}


def test_a_destinations_own_secrets_are_masked_too(api, asking_for_a_password):
    created = api.post(f"{DESTINATIONS}?strict=false", asking_for_a_password)

    assert created.status == 200, created.text
    assert created.json["customerAuthenticationConfigurations"][0]["clientSecret"] == MASK
    assert [*created.json["x-headrace"]["fingerprints"]] == ["/customerAuthenticationConfigurations/0/clientSecret"]
    assert SECRET not in created.text


def test_customer_data_of_the_format_password_is_sealed_and_masked(headrace, api, operator, asking_for_a_password):
    destination = api.post(f"{DESTINATIONS}?strict=false", asking_for_a_password).json["instanceId"]
    account = operator.account(destination).json["id"]

    target = operator.target(destination, account, {"apiKey": OTHER}).json["id"]

    (read,) = api.get(f"{FLOWS}/targetConnections/{target}").json["items"]
    assert read["params"] == {"apiKey": MASK}
    assert [*read["x-headrace"]["fingerprints"]] == ["/params/apiKey"]
    assert "apiKey" in kept_by(headrace)
    assert OTHER not in kept_by(headrace)
