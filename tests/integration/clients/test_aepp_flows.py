"""The public Python client of the original, as it is published, for accounts and connections."""

from types import SimpleNamespace

import aepp
import pytest
from aepp.flowservice import FlowService

from headrace.cli import examples
from headrace.cli.demo import TOKEN
from headrace.connect.secrets import MASK
from headrace.model.flow import PROFILE_STORE_SPEC
from support import AUTHORING, in_process


@pytest.fixture(scope="module")
def headrace(tmp_path_factory):
    with in_process(tmp_path_factory.mktemp("headrace")) as headrace:
        yield headrace


@pytest.fixture(scope="module")
def client(headrace):
    """The client, configured as its own documentation says; then the two hosts are set."""
    given = headrace.credentials
    aepp.configure(given["org"], None, given["client_secret"], given["client_id"], scopes="openid", sandbox="prod")
    aepp.config.endpoints["global"] = given["url"]
    aepp.config.config_object["imsEndpoint"] = given["url"]
    aepp.config.config_object["oauthTokenEndpointV2"] = f"{given['url']}/ims/token/v3"
    client = FlowService(dict(aepp.config.config_object), dict(aepp.config.header))
    yield client
    client.connector.session.close()


@pytest.fixture(scope="module")
def destination(headrace):
    example = examples.destination("lighthouse")
    server = headrace.api.post(f"{AUTHORING}/destination-servers", example["destinationServer"]).json["instanceId"]
    delivery = {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": server}
    document = {**example["destination"], "destinationDelivery": [delivery]}
    return headrace.api.post(f"{AUTHORING}/destinations", document).json["instanceId"]


@pytest.fixture
def operator(client, destination):
    return Operator(client, {"id": destination, "version": "1.0"})


class Operator(SimpleNamespace):
    """What an operator makes with the client."""

    def __init__(self, client, spec):
        super().__init__(client=client, spec=spec)

    def account(self, name="account"):
        auth = {"specName": "BEARER", "params": {"token": TOKEN}}
        return self.client.createConnection(name=name, auth=auth, connectionSpec=self.spec)["id"]

    def source(self):
        return self.client.createSourceConnection({"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}})

    def target(self, account):
        params = examples.destination("lighthouse")["activation"]["customerData"]
        document = {"name": "target", "baseConnectionId": account, "connectionSpec": self.spec, "params": params}
        return self.client.createTargetConnection(data=document)


def test_what_can_be_connected(client, destination):
    assert client.getConnectionSpecsMap()["Lighthouse"] == destination
    assert client.getConnectionSpecIdFromName("Lighthouse") == destination
    assert client.getConnectionSpec(destination)["items"][0]["authSpec"][0]["name"] == "BEARER"


def test_accounts(client, operator):
    made = operator.account()

    assert client.getConnection(made)["auth"]["params"] == {"token": MASK}
    assert made in [item["id"] for item in client.getConnections()]
    assert client.getConnections(count=True)["count"] == len(client.getConnections())
    changes = [
        {"op": "replace", "path": "/name", "value": "renamed"},
        {"op": "replace", "path": "/auth/params", "value": {"token": "another"}},
    ]
    assert client.patchConnection(made, changes).keys() == {"id", "etag"}
    assert client.getConnection(made)["name"] == "renamed"
    assert client.connectionTest(made)["ok"]
    assert client.deleteConnection(made) == 204
    assert client.getConnection(made) == {}


def test_an_account_of_the_profile_store(client):
    made = client.createConnectionToUPS(name="profile store")

    assert client.getConnection(made["id"])["connectionSpec"]["id"] == PROFILE_STORE_SPEC
    assert client.deleteConnection(made["id"]) == 204


def test_source_connections(client, operator):
    made = operator.source()

    assert made["id"] in [item["id"] for item in client.getSourceConnections()]
    change = [{"op": "replace", "path": "/name", "value": "renamed"}]
    assert client.updateSourceConnection(made["id"], made["etag"], change)["etag"] != made["etag"]
    assert client.getSourceConnection(made["id"])["name"] == "renamed"
    assert client.deleteSourceConnection(made["id"]) == 202


def test_target_connections(client, operator):
    made = operator.target(operator.account())

    assert made["id"] in [item["id"] for item in client.getTargetConnections()]
    change = [{"op": "replace", "path": "/params/workspace", "value": "other-0002"}]
    assert client.updateTargetConnection(made["id"], made["etag"], change)["etag"] != made["etag"]
    assert client.getTargetConnection(made["id"])["params"]["workspace"] == "other-0002"
    assert client.updateTargetConnection(made["id"], made["etag"], change).keys() == {"errorMessage", "errorDetails"}
    assert client.deleteTargetConnection(made["id"]) == 202


def test_everything_is_listed_page_by_page(client, operator):
    made = {operator.source()["id"] for _ in range(5)}
    accounts = {operator.account(f"n{number}") for number in range(5)}

    assert made <= {item["id"] for item in client.getSourceConnections(limit=2, n_results="inf")}
    assert accounts <= {item["id"] for item in client.getConnections(limit=2, n_results="inf")}
    names = [item["name"] for item in client.getConnections(property="name==n3")]
    assert names == ["n3"]


def test_what_is_in_use_is_not_deleted(client, operator):
    account = operator.account()
    target = operator.target(account)["id"]

    refused = client.deleteConnection(account)

    assert (refused["status"], refused["uses"][0]["id"]) == (409, target)
