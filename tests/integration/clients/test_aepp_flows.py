"""The public Python client of the original, as it is published, for accounts and connections."""

from types import SimpleNamespace

import aepp
import pytest
from aepp.flowservice import FlowService

from headrace.cli import examples
from headrace.cli.demo import TOKEN
from headrace.connect.secrets import MASK
from headrace.model.change import Changes
from headrace.model.flow import DATASET_FLOW_SPEC, PROFILE_STORE_SPEC, STREAMING_FLOW_SPEC
from headrace.store import dataflows, outbox, runs
from headrace.store.hours import HOUR
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

    def flow(self, name="dataflow"):
        return self.client.createFlow(
            STREAMING_FLOW_SPEC,
            name=name,
            source_connection_id=self.source()["id"],
            target_connection_id=self.target(self.account())["id"],
        )


class KnowsTheVersion(FlowService):
    """The client, whose ``updatePolicy`` forgets the version that its ``updateFlow`` needs."""

    def updateFlow(self, **given):
        return super().updateFlow(etag=self.getFlow(given["flowId"])["etag"], **given)


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


def selector(kind, **value):
    return {"type": kind, "value": value}


def test_a_dataflow_from_its_making_to_its_end(client, operator):
    made = operator.flow()
    assert made.keys() == {"id", "etag"}
    params = "/transformations/0/params"
    row = selector("JSON_PATH", path="identityMap.crmId", identity={"namespace": "customer"})
    changes = [
        {"op": "ADD", "path": f"{params}/profileSelectors/selectors/-", "value": row},
        {"op": "add", "path": f"{params}/segmentSelectors/selectors/-",
         "value": selector("PLATFORM_SEGMENT", id="a", name="A", mappingId="list-a")},
    ]  # fmt: skip
    changed = client.updateFlow(made["id"], made["etag"], changes)
    assert changed["etag"] != made["etag"], changed

    removal = [{"op": "Remove", "path": f"{params}/segmentSelectors/selectors/0", "value": {"anything": 1}}]
    stale = client.updateFlow(made["id"], made["etag"], removal)
    assert made["etag"] in stale["errorDetails"]
    assert changed["etag"] in stale["errorDetails"]
    assert client.updateFlow(made["id"], changed["etag"], removal).keys() == {"id", "etag"}

    assert client.postFlowAction(made["id"], "disable").keys() == {"id", "etag"}
    assert client.getFlow(made["id"])["state"] == "disabled"
    assert client.postFlowAction(made["id"], "enable").keys() == {"id", "etag"}
    assert client.deleteFlow(made["id"]) == 202
    assert client.getFlow(made["id"]) == {}


def test_the_policies_of_a_dataflow(client, operator):
    made = operator.flow()["id"]
    knowing = KnowsTheVersion(dict(aepp.config.config_object), dict(aepp.config.header))

    refs = ["/dulepolicy/marketingActions/core/emailTargeting/constraints"]
    another = "/dulepolicy/marketingActions/core/analytics/constraints"
    assert knowing.updatePolicy(made, refs[0]).keys() == {"id", "etag"}
    assert client.getFlow(made)["policy"] == {"enforcementRefs": refs}
    more = [{"op": "add", "path": "/policy/enforcementRefs/-", "value": another}]
    assert client.updateFlow(made, client.getFlow(made)["etag"], more).keys() == {"id", "etag"}
    assert client.getFlow(made)["policy"] == {"enforcementRefs": [*refs, another]}
    knowing.connector.session.close()


def test_dataflows_are_found_by_what_they_take_over(client, operator):
    made = [operator.flow(f"found {number}")["id"] for number in range(3)]

    assert {*made} <= {item["id"] for item in client.getFlows(onlyDestinations=True)}
    assert client.getFlows(onlySources=True) == []
    assert {*made} <= {item["id"] for item in client.getFlows(limit=2, n_results="inf")}
    by_spec = f"inheritedAttributes.targetConnections[].connectionSpec.id=={operator.spec['id']}"
    assert {*made} <= {item["id"] for item in client.getFlows(prop=by_spec)}
    assert [item["id"] for item in client.getFlows(prop=f"id=={made[0]},{made[1]}")] == [made[1], made[0]]
    assert client.getFlows(prop="state==disabled") == []
    target = client.getFlow(made[0])["targetConnectionIds"][0]
    assert [item["id"] for item in client.getFlows(filterTargetIds=[target])] == [made[0]]


def test_kinds_of_dataflows(client, operator):
    spec, of_datasets = client.getFlowSpecs()

    assert operator.spec["id"] in spec["targetConnectionSpecIds"]
    assert operator.spec["id"] not in of_datasets["targetConnectionSpecIds"]
    assert client.getFlowSpec(DATASET_FLOW_SPEC) == of_datasets
    assert client.getFlowSpec(STREAMING_FLOW_SPEC) == spec
    assert client.getFlowSpecIdFromNames(spec["name"], "profileStore", "Lighthouse") == STREAMING_FLOW_SPEC
    assert client.getFlowSpecs("name==nothing") == []


def test_runs_are_those_of_ours_that_are_about_a_dataflow(headrace, client, operator):
    made = operator.flow()["id"]
    assert client.getRuns(prop=f"flowId=={made}") == []
    asked = [
        headrace.app.store.write_now(lambda tx: runs.ask(tx, 1, "rest", {"dataflow": made}, "client:a", 10, 1 << 50))
        for _ in range(3)
    ]

    found = client.getRuns(limit=2, prop=[f"flowId=={made}"])

    assert {item["id"] for item in found} == {run.run for run in asked}
    assert found[0]["metrics"]["statusSummary"] == {"status": "waiting"}
    assert client.getRun(found[0]["id"]) == [found[0]]
    assert client.getRuns(prop=[f"flowId=={made}", "metrics.statusSummary.status==success"]) == []
    assert client.getRuns(prop=[f"flowId=={made}", "createdAt>=11"]) == []


def test_hours_of_a_dataflow_are_runs(headrace, client, operator):
    made = operator.flow()["id"]
    number = headrace.app.store.read_now(lambda tx: dataflows.number_of(tx, 1, made))
    changes = [Changes(number, who, who, (), (), (1,)) for who in (1, 2, 3)]
    for hour in range(5):
        headrace.app.store.write_now(lambda tx, hour=hour: outbox.accept(tx, 1, changes, hour * HOUR + 100 * HOUR))

    found = client.getRuns(limit=2, n_results="inf", prop=[f"flowId=={made}"])

    assert [run["createdAt"] for run in found] == [hour * HOUR for hour in (104, 103, 102, 101, 100)]
    assert client.getRun(found[1]["id"]) == [found[1]]
    assert found[0]["metrics"]["recordSummary"]["inputRecordCount"] == 3
    done = "metrics.statusSummary.status==success"
    assert len(client.getRuns(prop=[f"flowId=={made}", done, f"createdAt>={103 * HOUR}"])) == 2


def test_there_are_no_datasets_to_export(client, operator):
    assert client.getExportableDatasets(operator.spec["id"]) == []


def test_what_a_dataflow_uses_is_deleted_after_it(client, operator):
    made = operator.flow()["id"]
    flow = client.getFlow(made)
    (source,), (target,) = flow["sourceConnectionIds"], flow["targetConnectionIds"]
    account = client.getTargetConnection(target)["baseConnectionId"]

    assert client.deleteSourceConnection(source)["status"] == 409
    assert client.deleteTargetConnection(target)["status"] == 409
    assert client.deleteConnection(account)["status"] == 409
    assert client.deleteFlow(made) == 202
    assert client.deleteSourceConnection(source) == 202
    assert client.deleteTargetConnection(target) == 202
    assert client.deleteConnection(account) == 204


def test_the_landing_zone(client):
    found = client.getLandingZoneCredential("dlz_destination")

    assert client.getLandingZoneSASUri("dlz_destination").startswith(found["SASUri"].partition("?")[0])
    assert client.getLandingZoneSASToken("dlz_destination")
    assert client.getLandingZoneStorageName("dlz_destination") == found["containerName"]
    assert client.getLandingZoneStorageTTL("dlz_destination") == 7
    assert client.getLandingZoneNamespace("dlz_destination") == found["storageAccountName"]
