"""The public Python client of the original, as it is published, for audiences."""

import aepp
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aepp.segmentation import Segmentation

from support import eventually, in_process

QUERY = {"type": "SQL", "format": "sql/text", "value": "SELECT id FROM shop"}
OURS = {"identity": {"column": "id", "namespace": "crmId"}}


@pytest.fixture(scope="module")
def headrace(tmp_path_factory):
    place = tmp_path_factory.mktemp("shop")
    pq.write_table(pa.table({"id": ["1", "2", "3"]}), place / "shop.parquet")
    with in_process(tmp_path_factory.mktemp("headrace"), dataset_directories=str(place)) as headrace:
        shop = {"name": "shop", "format": "parquet", "location": str(place / "shop.parquet"), "key": "id"}
        dataset = headrace.api.post("/datasets", shop).json["id"]
        headrace.api.post(f"/datasets/{dataset}/snapshots", {})
        eventually("it is taken", lambda: headrace.api.get(f"/datasets/{dataset}").json["snapshot"] is not None)
        yield headrace


@pytest.fixture(scope="module")
def client(headrace):
    given = headrace.credentials
    aepp.configure(given["org"], None, given["client_secret"], given["client_id"], scopes="openid", sandbox="prod")
    aepp.config.endpoints["global"] = given["url"]
    aepp.config.config_object["imsEndpoint"] = given["url"]
    aepp.config.config_object["oauthTokenEndpointV2"] = f"{given['url']}/ims/token/v3"
    client = Segmentation(config=dict(aepp.config.config_object), header=dict(aepp.config.header))
    client.endpoint = given["url"] + aepp.config.endpoints["segmentation"]
    yield client
    client.connector.session.close()


def test_an_audience_with_a_query_is_declared_evaluated_changed_and_deleted(headrace, client):
    said = {"name": "Buyers", "description": "Who bought", "expression": QUERY, "x-headrace": OURS}
    made = client.createAudience({**said, "schema": {"name": "_xdm.context.profile"}, "ttlInDays": 30})

    assert (made["namespace"], made["type"], made["expression"]) == ("ups", "SegmentDefinition", QUERY)
    headrace.api.post(f"/audiences/{made['id']}/evaluate", {})
    eventually("it has members", lambda: headrace.api.get(f"/audiences/{made['id']}").json["size"] == 3)
    assert client.getAudience(made["id"])["metrics"]["data"]["totalProfiles"] == 3
    changed = client.patchAudience(made["id"], [{"op": "add", "path": "/name", "value": "Customers"}])
    assert (changed["name"], changed["expression"]) == ("Customers", QUERY)
    replaced = client.putAudience(made["id"], {**said, "name": "Shoppers"})
    assert [item["name"] for item in client.getAudiences(name="shop")] == [replaced["name"]] == ["Shoppers"]
    assert client.getAudiences(prop=f"audienceId=={made['id']}")[0]["id"] == made["id"]

    client.deleteAudience(made["id"])
    # What people carry of it stays to be seen.
    assert headrace.api.get(f"/audiences/{made['id']}").json["isDeclared"] is False


def test_audiences_are_listed_page_by_page(client):
    ids = [client.createAudience({"name": f"List {number}"})["id"] for number in range(7)]

    listed = client.getAudiences(limit=2, name="List ", sort="name:asc")

    assert [item["id"] for item in listed] == ids


def test_an_external_audience_has_a_namespace_of_its_own(client):
    said = {"audienceId": "theirs", "name": "Theirs", "namespace": "aam", "type": "ExternalSegment"}

    made = client.createAudience({**said, "originName": "AUDIENCE_MANAGER", "lifecycleState": "published"})

    assert (made["id"], made["namespace"], made["type"]) == ("theirs", "aam", "ExternalSegment")


def test_a_segment_definition_is_declared_read_changed_and_deleted(client):
    said = {"name": "Segment", "description": "Some", "expression": QUERY, "schema": {}, "ttlInDays": 30}
    made = client.createSegment({**said, "x-headrace": OURS})

    assert client.getSegment(made["id"]) == made
    assert made["id"] in [item["id"] for item in client.getSegments()]
    assert client.getMultipleSegments([made["id"]])[made["id"]]["name"] == "Segment"
    assert client.updateSegment(made["id"], {**said, "name": "Changed"})["name"] == "Changed"
    assert client.deleteSegment(made["id"]) == 200
    assert client.getSegment(made["id"])["status"] == 404


def test_what_cannot_be_evaluated_here_is_refused_to_the_client(client):
    pql = {"type": "PQL", "format": "pql/text", "value": 'workAddress.country = "US"'}

    assert client.createAudience({"name": "x", "expression": pql})["status"] == 400
    assert client.createAudience({"name": "x", "expression": {**QUERY, "value": "DROP TABLE x"}})["status"] == 400
    assert client.deleteAudience("nowhere")["status"] == 404
