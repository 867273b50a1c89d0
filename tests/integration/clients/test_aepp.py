"""The public Python client of the original's API works as it is published: only the hosts are others."""

import copy
import logging
from types import SimpleNamespace

import aepp
import pytest
from aepp.destination import Authoring

from headrace.cli import examples
from headrace.connect.secrets import MASK
from support import in_process

EXAMPLE = examples.destination("moviestar")
LOGGING = {"level": logging.WARNING, "stream": False, "format": "%(message)s", "filename": "", "file": False}


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
    # Its class of this version wants both of a configuration: the endpoints, and the object itself.
    configured = SimpleNamespace(
        endpoints=aepp.config.endpoints, getConfigObject=lambda: aepp.config.config_object, **aepp.config.config_object
    )
    client = Authoring(configured, aepp.config.header, loggingObject=LOGGING)
    yield client
    client.connector.session.close()


def server():
    return copy.deepcopy(EXAMPLE["destinationServer"])


def destination(client):
    delivery = {
        "authenticationRule": "CUSTOMER_AUTHENTICATION",
        "destinationServerId": client.createDestinationServer(server())["instanceId"],
    }
    return {**copy.deepcopy(EXAMPLE["destination"]), "destinationDelivery": [delivery]}


def template():
    event = {"url": "https://api.acme.example/lists", "httpMethod": "POST"}
    return {"metadataTemplate": {"name": "Acme", "create": event}}


def credentials():
    return {"name": "Acme", "basicAuthentication": {"username": "me", "password": "s3cret-of-all"}}


def ids(listed):
    return [item["instanceId"] for item in listed["items"]]


def test_destination_servers(client):
    made = client.createDestinationServer(server())
    id_ = made["instanceId"]

    assert client.getDestinationServer(id_) == made
    assert client.updateDestinationServer(id_, {**made, "name": "another"})["name"] == "another"
    assert id_ in ids(client.getDestinationServers())
    assert client.deleteDestinationServer(id_) == 200
    assert client.getDestinationServer(id_)["status"] == 404
    assert id_ not in ids(client.getDestinationServers())


def test_destinations(client):
    made = client.createDestination(destination(client))
    id_ = made["instanceId"]

    assert client.getDestination(id_) == made
    assert client.updateDestination(id_, {**made, "description": "another"})["description"] == "another"
    assert client.getDestination(id_)["description"] == "another"
    assert id_ in ids(client.getDestinations())
    assert client.deleteDestination(id_) == 200
    assert client.getDestination(id_)["status"] == 404


def test_audience_templates(client):
    made = client.createAudienceTemplate(template())
    id_ = made["instanceId"]

    assert client.getAudienceTemplate(id_) == made
    changed = template()
    changed["metadataTemplate"]["name"] = "another"
    assert client.updateAudienceTemplate(id_, changed)["metadataTemplate"]["name"] == "another"
    assert id_ in ids(client.getAudienceTemplates())
    assert client.deleteAudienceTemplate(id_) == 200
    assert client.getAudienceTemplate(id_)["status"] == 404


def test_credentials(client):
    made = client.createCredential(credentials())
    id_ = made["instanceId"]

    assert made["basicAuthentication"]["password"] == MASK
    assert client.getCredential(id_) == made
    assert client.updateCredential(id_, {**made, "name": "another"})["name"] == "another"
    assert id_ in ids(client.getCredentials())
    assert client.deleteCredential(id_) == 200
    assert client.getCredential(id_)["status"] == 404


def test_publishing(client):
    id_ = client.createDestination(destination(client))["instanceId"]
    limited = {"destinationId": id_, "destinationAccess": "LIMITED", "allowedOrgs": ["one@org"]}

    submitted = client.SubmitDestination(limited)

    assert submitted["publishDetailsList"][-1]["status"] == "REVIEW"
    assert client.getSubmission(id_)["publishDetailsList"] == submitted["publishDetailsList"]
    assert id_ in [item["destinationId"] for item in client.getSubmissions()]
    changed = client.updateSubmissionRequest(id_, {**limited, "allowedOrgs": ["another@org"]})
    assert changed["publishDetailsList"][-1]["allowedOrgs"] == ["another@org"]


def test_what_is_refused_is_told_to_the_client(client):
    refused = client.createDestinationServer({"name": "no server"})
    id_ = client.createDestinationServer(server())["instanceId"]
    delivery = {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": id_}
    client.createDestination({**copy.deepcopy(EXAMPLE["destination"]), "destinationDelivery": [delivery]})

    in_use = client.deleteDestinationServer(id_)

    assert (refused["status"], refused["code"]) == (400, "configuration")
    assert (in_use["status"], in_use["uses"][0]["noun"]) == (409, "destination")
