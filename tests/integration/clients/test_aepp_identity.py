"""The public Python client of the original, as it is published, for namespaces of identities."""

import aepp
import pytest
from aepp.identity import Identity

from support import in_process


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with in_process(tmp_path_factory.mktemp("headrace")) as headrace:
        given = headrace.credentials
        aepp.configure(given["org"], None, given["client_secret"], given["client_id"], scopes="openid", sandbox="prod")
        aepp.config.endpoints["global"] = given["url"]
        aepp.config.config_object["imsEndpoint"] = given["url"]
        aepp.config.config_object["oauthTokenEndpointV2"] = f"{given['url']}/ims/token/v3"
        client = Identity(config=dict(aepp.config.config_object), header=dict(aepp.config.header))
        client.endpoint = given["url"] + aepp.config.endpoints["identity"]
        yield client
        client.connector.session.close()


def test_the_standard_namespaces_are_there(client):
    listed = {item["code"]: item for item in client.getIdentities()}

    assert {"ECID", "Email", "Email_LC_SHA256", "Phone", "Phone_E.164", "GAID", "IDFA"} <= listed.keys()
    assert not any(item["custom"] for item in listed.values())
    assert listed["Email_LC_SHA256"]["hashFunction"] == "SHA256"
    assert client.getIdentityDetail(str(listed["Email"]["id"])) == listed["Email"]


def test_a_namespace_is_declared_read_and_changed(client):
    made = client.createIdentity("Customers", "crmId", "CROSS_DEVICE", "Of the shop")

    assert (made["code"], made["custom"], made["namespaceType"]) == ("crmId", True, "Custom")
    assert client.getIdentities(only_custom=True) == [made]
    changed = client.updateIdentity(str(made["id"]), "Clients", "crmId", "CROSS_DEVICE", "Of the shop")
    assert (changed["id"], changed["name"]) == (made["id"], "Clients")
    assert client.getIdentityDetail(str(made["id"])) == changed


def test_what_is_refused_is_told_to_the_client(client):
    assert client.createIdentity("Mail", "Email", "EMAIL")["status"] == 409
    assert client.updateIdentity("6", "Mail", "Email", "EMAIL")["status"] == 409
    assert client.getIdentityDetail("77")["status"] == 404
