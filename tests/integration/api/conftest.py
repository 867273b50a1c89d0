"""One Headrace for a module, with a partner beside it, and the documents that its tests send."""

import copy
import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.cli import examples
from headrace.cli.demo import TOKEN, _chosen, _towards, connect
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.testkit.partner import Partner
from support import AUTHORING, FLOWS, InProcess, in_process

SERVERS = f"{AUTHORING}/destination-servers"
DESTINATIONS = f"{AUTHORING}/destinations"
TEMPLATES = f"{AUTHORING}/audience-templates"
CREDENTIALS = f"{AUTHORING}/credentials"
PUBLISH = f"{DESTINATIONS}/publish"
REQUESTS = "/publishing/requests"
#: A directory with people who do not exist, below which datasets may lie.
PEOPLE = Path(__file__).with_name("people")


@pytest.fixture(scope="module")
def partner(lend_database):
    """A partner who has heard nothing yet from this module's Headrace on this database."""
    with Partner.in_thread(token=TOKEN) as partner:
        yield partner


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, partner, lend_database):
    folder = tmp_path_factory.mktemp("headrace")
    settings = {
        "retry_steps": "0.05,0.05,0.05",
        "max_request_bytes": 1 << 20,
        "max_upload_bytes": 3 << 20,
        "dataset_directories": str(PEOPLE),
    }
    settings |= {"calls_per_minute": 100_000, "unreached_after": 0}
    with lend_database() as database_url:
        settings |= {"egress_allow": partner.origin, "database_url": database_url}
        with in_process(folder, **settings) as headrace:
            yield headrace


@pytest.fixture(scope="module")
def api(headrace):
    return headrace.api


@pytest.fixture
def server_document():
    """The destination server of an example, as its author would send it."""
    return copy.deepcopy(examples.destination("moviestar")["destinationServer"])


@pytest.fixture
def destination_document(api, server_document):
    """The destination of an example, with a server that is there."""
    server = api.post(SERVERS, server_document).json["instanceId"]
    return destination_on(server)


@pytest.fixture
def template_document():
    """An audience template, as its author would send it."""
    create = {
        "url": "https://api.acme.example/lists",
        "httpMethod": "POST",
        "headers": [{"header": "Content-Type", "value": "application/json"}],
        "requestBody": {"json": {"title": "{{segment.name}}"}},
        "responseFields": [{"name": "externalAudienceId", "value": "{{body.list.id}}"}],
    }
    return {"metadataTemplate": {"name": "Acme audiences", "create": create}}


@pytest.fixture
def credentials_document():
    """Shared credentials, as their author would send them."""
    return {"name": "Acme", "basicAuthentication": {"username": "headrace", "password": "canary-password-Qx17"}}


def dataset_document():
    """A dataset, as an operator would send it."""
    return {
        "name": "people",
        "format": "csv",
        "location": str(PEOPLE / "people.csv"),
        "key": "id",
        "identities": [{"column": "email", "namespace": "Email"}],
        "attributes": [{"column": "city", "path": "address.city"}],
    }


def destination_on(server, name="moviestar"):
    delivery = {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": server}
    return {**copy.deepcopy(examples.destination(name)["destination"]), "destinationDelivery": [delivery]}


@dataclass
class Operator:
    """What an operator does with a destination, a step at a time."""

    headrace: InProcess
    partner: Partner
    numbers = itertools.count(1)

    def destination(self, name="lighthouse", body=None, **changes):
        """Author an example destination; ``body`` is another template for it, ``changes`` replace what else it says."""
        document = copy.deepcopy(_towards(examples.destination(name)["destinationServer"], self.partner.origin))
        if body is not None:
            document["httpTemplate"]["requestBody"] = {"templatingStrategy": "PEBBLE_V1", "value": body}
        server = self.headrace.api.post(SERVERS, document).json["instanceId"]
        answer = self.headrace.api.post(DESTINATIONS, {**destination_on(server, name), **changes})
        assert answer.status == 200, answer.text
        return answer.json["instanceId"]

    def account(self, destination, token=TOKEN, **changes):
        auth = {"specName": "BEARER", "params": {"token": token}}
        document = {"name": "account", "connectionSpec": {"id": destination, "version": "1.0"}, "auth": auth, **changes}
        return self.headrace.api.post(f"{FLOWS}/connections", document)

    def source(self):
        document = {"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
        return self.headrace.api.post(f"{FLOWS}/sourceConnections", document).json["id"]

    def target(self, destination, account, params=None, **changes):
        spec = {"id": destination, "version": "1.0"}
        document = {"name": "target", "baseConnectionId": account, "connectionSpec": spec, "params": params, **changes}
        return self.headrace.api.post(f"{FLOWS}/targetConnections", document)

    def flow_document(self, destination, name="lighthouse", account=None):
        """A dataflow of all audiences to a destination that is signed in at, with an account of its own or another."""
        example = examples.destination(name)["activation"]
        account = account or self.account(destination).json["id"]
        target = self.target(destination, account, example["customerData"])
        assert target.status == 201, target.text
        return {
            "name": f"dataflow {next(self.numbers)}",
            "sourceConnectionIds": [self.source()],
            "targetConnectionIds": [target.json["id"]],
            "transformations": [{"name": "GeneralTransform", "params": _chosen(example["mapping"])}],
        }

    def flow(self, name="lighthouse"):
        """Connect an example with what the demo uses for it, and return the dataflow's id."""
        self.headrace.client.close()  # It was idle for as long as other tests took; the server has hung up by now.
        return connect(self.headrace.client, name, self.partner).dataflow


@pytest.fixture(scope="module")
def operator(headrace, partner):
    return Operator(headrace, partner)


def paths(answer):
    """The places that an answer finds wrong."""
    assert answer.status == 400, (answer.status, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    return sorted(problem["path"] for problem in answer.json["errors"])


def codes(answer):
    """What an answer finds wrong, by place."""
    assert answer.status == 400, (answer.status, answer.text)
    return {problem["path"]: problem["code"] for problem in answer.json["errors"]}
