"""
Datasets exported to a real server of S3, by the steps of the original's tutorial and by its public Python client.

What arrived is read from outside: by a client of S3 of its own, and by DuckDB.
"""

import time
from types import SimpleNamespace

import aepp
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aepp.destinationinstanceservice import DestinationInstanceService
from aepp.flowservice import FlowService

import objects
from headrace.model.flow import DATA_LAKE_SPEC
from schedules import DATASET_BATCH
from support import AUTHORING, FLOWS, eventually, in_process

LISTED = f"{FLOWS}/connectionSpecs/{DATA_LAKE_SPEC}/configs?outputType=activationDatasets&outputField=datasets"
NOW = "/data/core/activation/disflowprovider/adhocrun"
THIRD = {"Accept": "application/vnd.adobe.adhoc.activation+json; version=3"}
#: The flow spec of datasets to S3, as the original's tutorial has it.
FLOW_SPEC = {"id": "269ba276-16fc-47db-92b0-c1049a3c131f", "version": "1.0"}
ROWS = [
    {"id": f"C-{number}", "home": {"city": "Zürich", "zip": number}, "likes": ["tea", None], "age": number}
    for number in range(1000)
]


@pytest.fixture(scope="module")
def storage():
    with objects.server() as found:
        yield found


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    directory = tmp_path_factory.mktemp("lake").resolve()
    pq.write_table(pa.Table.from_pylist(ROWS), directory / "first.parquet")
    return directory


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, storage, lake):
    settings = {"egress_allow": storage.endpoint, "dataset_directories": str(lake), "calls_per_minute": 100_000}
    with in_process(tmp_path_factory.mktemp("headrace"), **settings) as headrace:
        yield headrace


@pytest.fixture(scope="module")
def api(headrace):
    return headrace.api


@pytest.fixture(scope="module")
def client(headrace):
    """The public client, configured as its own documentation says; then the two hosts are set."""
    given = headrace.credentials
    aepp.configure(given["org"], None, given["client_secret"], given["client_id"], scopes="openid", sandbox="prod")
    aepp.config.endpoints["global"] = given["url"]
    aepp.config.config_object["imsEndpoint"] = given["url"]
    aepp.config.config_object["oauthTokenEndpointV2"] = f"{given['url']}/ims/token/v3"
    configured = dict(aepp.config.config_object), dict(aepp.config.header)
    made = SimpleNamespace(flows=FlowService(*configured), now=DestinationInstanceService(*configured))
    yield made
    made.flows.connector.session.close()
    made.now.connector.session.close()


def text(value):
    return {"templatingStrategy": "PEBBLE_V1" if "{{" in value else "NONE", "value": value}


def made(answer):
    assert answer.status in (200, 201, 202), answer.text
    return answer.json


@pytest.fixture(scope="module")
def spec(api, storage):
    """A destination of datasets, as its author declares it: what a file is, operators choose."""
    server = {
        "name": "bucket",
        "destinationServerType": "FILE_BASED_S3",
        "fileBasedS3Destination": {
            "bucket": text("{{customerData.bucketName}}"),
            "path": text("{{customerData.path}}"),
            "x-headrace": {"endpoint": text(storage.endpoint), "region": text("us-east-1")},
        },
        "fileConfigurations": {
            "fileType": text("{{customerData.datasetFileType}}"),
            "compression": text("{{customerData.compression}}"),
            "includeFileManifest": text("true"),
        },
    }
    fields = [{"name": name, "title": name, "type": "string", "isRequired": True} for name in ("bucketName", "path")]
    fields += [
        {"name": "datasetFileType", "title": "File type", "type": "string", "enum": ["JSON", "PARQUET"]},
        {"name": "compression", "title": "Compression", "type": "string", "enum": ["NONE", "GZIP"]},
    ]
    delivery = {
        "authenticationRule": "CUSTOMER_AUTHENTICATION",
        "destinationServerId": made(api.post(f"{AUTHORING}/destination-servers", server))["instanceId"],
        "deliveryMatchers": [{"type": "SOURCE", "value": ["batch"]}],
    }
    destination = {
        "name": "Lake to S3",
        "status": "TEST",
        "sources": ["DATASETS"],
        "customerAuthenticationConfigurations": [{"authType": "S3"}],
        "customerDataFields": fields,
        "schemaConfig": {"profileRequired": False, "segmentRequired": False, "identityRequired": False},
        "aggregation": {"aggregationType": "BEST_EFFORT"},
        "batchConfig": DATASET_BATCH,
        "destinationDelivery": [delivery],
    }
    id_ = made(api.post(f"{AUTHORING}/destinations", destination))["instanceId"]
    return {"id": id_, "version": "1.0"}


@pytest.fixture(scope="module")
def account(api, spec):
    keys = {"accessId": objects.WRITER, "secretKey": objects.WRITER_SECRET}
    auth = {"specName": "Access Key", "params": keys}
    document = {"name": "bucket", "connectionSpec": spec, "auth": {**auth, "specName": "S3"}}
    return made(api.post(f"{FLOWS}/connections", document))["id"]


def target(api, spec, account, path, **params):
    document = {"name": path, "baseConnectionId": account, "connectionSpec": spec}
    chosen = {"bucketName": "lake", "path": path, "mode": "Server-to-server", **params}
    del chosen["mode"]
    return api.post(f"{FLOWS}/targetConnections", {**document, "params": chosen})


def dataset(api, lake, name):
    document = {"name": name, "format": "parquet", "location": str(lake), "key": "id"}
    id_ = made(api.post("/datasets", document))["id"]
    look(api, id_)
    return id_


def look(api, id_):
    run = made(api.post(f"/datasets/{id_}/snapshots", {}))["run"]["id"]
    eventually("the snapshot is ready", lambda: api.get(f"/runs/{run}").json["state"] == "succeeded")


def flow_document(source, target_, **params):
    return {
        "name": "datasets",
        "flowSpec": FLOW_SPEC,
        "sourceConnectionIds": [source],
        "targetConnectionIds": [target_],
        "transformations": [],
        "scheduleParams": {"exportMode": "FIRST_FULL_THEN_INCREMENTAL", "timeUnit": "hour", "interval": 3, **params},
    }


def ended(api, run):
    def status():
        (item,) = api.get(f"{FLOWS}/runs/{run}").json["items"]
        return item if item["metrics"]["statusSummary"]["status"] in ("success", "failed") else None

    return eventually("the run ends", status)


def arrived(storage, path):
    """What lies in a folder of the bucket: names, below it, with their bytes."""
    bucket = storage.bucket()
    found = [item["path"] for page in bucket.list(path) for item in page]
    return {name.removeprefix(f"{path}/"): bytes(bucket.get(name).bytes()) for name in sorted(found)}


def test_the_steps_of_the_tutorial_lead_to_files_that_others_read(api, storage, lake, spec, account, tmp_path):
    id_ = dataset(api, lake, "people")
    listed = api.get(LISTED).json
    assert [(item["id"], item["name"]) for item in listed["items"]] == [(id_, "people")]
    assert listed["pageInfo"]["total"] == 1
    refused = target(api, spec, account, "drop/json", datasetFileType="JSON", compression="NONE")
    assert (refused.status, [item["code"] for item in refused.json["errors"]]) == (400, ["dataset-format"])

    named = {"datasets": [{"dataSetId": id_, "name": "people"}]}
    lake_spec = {"id": DATA_LAKE_SPEC, "version": "1.0"}
    source = made(api.post(f"{FLOWS}/sourceConnections", {"name": "s", "connectionSpec": lake_spec, "params": named}))
    to = made(target(api, spec, account, "drop/parquet", datasetFileType="PARQUET", compression="GZIP"))
    flow = made(api.post(f"{FLOWS}/flows", flow_document(source["id"], to["id"], startTime=int(time.time()) + 2)))["id"]
    (shown,) = api.get(f"{FLOWS}/flows/{flow}").json["items"]
    assert (shown["transformations"], shown["flowSpec"]) == ([], FLOW_SPEC)
    (run,) = eventually("the slot comes", lambda: api.get(f"{FLOWS}/runs?property=flowId=={flow}").json["items"])
    told = ended(api, run["id"])

    assert told["metrics"]["statusSummary"]["status"] == "success", told
    assert told["metrics"]["recordSummary"]["outputRecordCount"] == len(ROWS)
    assert [one["how"] for one in told["x-headrace"]["datasets"]] == ["whole"]
    file, manifest = sorted(arrived(storage, "drop/parquet"), key=lambda name: "manifest" in name)
    assert file.startswith(f"{id_}/exportTime=20")
    assert manifest.rpartition("/")[0] == file.rpartition("/")[0]
    (tmp_path / "file.parquet").write_bytes(arrived(storage, "drop/parquet")[file])
    with duckdb.connect() as connection:
        sql = "SELECT count(*), sum(age), min(home.city), sum(home.zip), max(len(likes)) FROM read_parquet(?)"
        read = connection.execute(sql, [str(tmp_path / "file.parquet")]).fetchone()
    assert read == (1000, 499_500, "Zürich", 499_500, 2)


def test_the_public_client_exports_a_dataset_now(api, client, storage, lake, spec, account, tmp_path):
    id_ = dataset(api, lake, "people once more")
    source = client.flows.createSourceConnectionDataLake(name="lake", dataset_ids=[id_], format="parquet")["id"]
    to = made(target(api, spec, account, "drop/now", datasetFileType="JSON", compression="GZIP"))["id"]
    later = flow_document(source, to, startTime=int(time.time()) + 10**7)
    flow = client.flows.createFlow(obj=later, flow_spec_id=FLOW_SPEC["id"])["id"]

    answer = client.now.createAdHocDatasetExport({flow: [id_]})

    run = answer["destinations"][0]["datasets"][0]["statusURL"].rsplit("/", 1)[-1]
    ended(api, run)
    metrics = client.flows.getRun(runId=run)[0]["metrics"]
    assert metrics["durationSummary"]["completedAtUTC"] >= metrics["durationSummary"]["startedAtUTC"]
    assert (metrics["recordSummary"]["outputRecordCount"], metrics["fileSummary"]["outputFileCount"]) == (1000, 1)
    (file,) = (name for name in arrived(storage, "drop/now") if name.endswith(".json.gz"))
    (tmp_path / "file.json.gz").write_bytes(arrived(storage, "drop/now")[file])
    with duckdb.connect() as connection:
        sql = "SELECT count(*), sum(age), min(home.city) FROM read_json(?)"
        assert connection.execute(sql, [str(tmp_path / "file.json.gz")]).fetchone() == (1000, 499_500, "Zürich")

    assert api.send("DELETE", f"/datasets/{id_}").status == 204
    asked = {"activationInfo": {"destinations": [{"flowId": flow, "datasets": [{"id": id_}]}]}}
    again = made(api.post(NOW, asked, headers=THIRD))["destinations"][0]["datasets"][0]["statusURL"]
    status = ended(api, again.rpartition("/")[2])["metrics"]["statusSummary"]
    assert status["status"] == "failed"
    assert "the dataset was deleted" in status["errors"][0]["message"]


@pytest.mark.parametrize(
    "body", [{}, {"activationInfo": {"destinations": []}}, {"activationInfo": {"destinations": [{"flowId": "f"}]}}]
)
def test_a_request_without_datasets_is_refused_with_the_form(api, body):
    refused = api.post(NOW, body, headers=THIRD)
    assert (refused.status, refused.json["code"]) == (400, "bad-request")
    assert "activationInfo" in refused.json["detail"]
