"""
Exports as clients of the original ask for them, at the storages of each cloud: by REST, from what the author and the
operator write to the file, which is read at the storage by a client that is none of ours.
"""

import gzip
import hashlib
import io
import re
import time
from contextlib import contextmanager
from itertools import count
from random import Random
from types import SimpleNamespace

import obstore
import orjson
import pyarrow as pa
import pyarrow.json as reading
import pyarrow.parquet as pq
import pytest
from obstore.store import AzureStore

from headrace.clock import SystemClock
from headrace.model.flow import DATA_LAKE_SPEC, PROFILE_STORE_SPEC
from integration.storage import clouds
from integration.storage.clouds import FOLDER, ROOT, Cloud, text
from integration.storage.sftp_server import fixture_openssh, fixture_servers, fixture_sshd
from schedules import DATASET_BATCH
from support import AUTHORING, FLOWS, Api, eventually, in_process

__all__ = ["fixture_openssh", "fixture_servers", "fixture_sshd"]

NOW = "/data/core/activation/disflowprovider/adhocrun"
SECOND = {"Accept": "application/vnd.adobe.adhoc.activation+json; version=2"}
THIRD = {"Accept": "application/vnd.adobe.adhoc.activation+json; version=3"}
STATUS = "segmentMembership.seg_namespace.seg_id.status"
MAPPED = [("identityMap.Email", "identityMap.Email"), ("city", "city"), (STATUS, "status")]
CSV = {"csvOptions": {"quote": text('"')}}
HEADER = "Email,city,status\n"
#: More than one file takes, by a few.
MANY = 1_000_007
NUMBERS = count()


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    directory = tmp_path_factory.mktemp("lake").resolve()
    drawn = Random(7)
    people = {"id": pa.array(range(MANY)), "token": pa.array(drawn.randbytes(MANY * 6).hex(" ", 6).split())}
    pq.write_table(pa.table(people), directory / "people.parquet")
    return directory


@pytest.fixture(scope="module")
def late():
    """A clock that is as late as one says, by hours."""
    late = SimpleNamespace(hours=0)
    true = SystemClock.now
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SystemClock, "now", lambda clock: true(clock) + late.hours * 3_600_000)
        yield late


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, get_place, lake, late):
    data_lake = get_place("adls")
    settings = {
        "egress_allow": "127.0.0.0/8",
        "tls_ca_file": data_lake.ca_file,
        "azure_authority_url": data_lake.options["authority"],
        "aws_access_key_id": "AKIAHOUSE",
        "aws_secret_access_key": "the house's own secret",
        "aws_sts_url": f"{get_place('moto').origin}/",
        "dataset_directories": str(lake),
        "calls_per_minute": 100_000,
        "unreached_after": 0,
    }
    with in_process(tmp_path_factory.mktemp("headrace"), **settings) as headrace:
        yield headrace


@contextmanager
def signed_in(headrace):
    """Sign in now, whatever time it is."""
    given = headrace.credentials
    api = Api.signed_in(given["url"], given["client_id"], given["client_secret"], given["org"])
    yield api
    api.close()


@pytest.fixture
def api(headrace):
    with signed_in(headrace) as api:
        yield api


@pytest.fixture
def pass_time(headrace, api, late):
    """Let three hours pass, and return the run of a dataflow that was due meanwhile, at its end."""

    def pass_time(flow):
        listed = f"{FLOWS}/runs?property=flowId=={flow}"
        before = {run["id"] for run in made(api.get(listed))["items"]}
        late.hours += 3
        headrace.app.runs.wake()
        new = lambda: [run for run in made(api.get(listed))["items"] if run["id"] not in before]  # noqa: E731
        (run,) = eventually("the slot comes", new)
        return ended(api, run["id"])

    return pass_time


@contextmanager
def in_the_landing_zone(api):
    """The storage that is Headrace's own, read with the address that it hands out."""
    asked = "/data/foundation/connectors/landingzone/credentials?type=dlz_destination"

    def read(folder):
        found = made(api.get(asked))
        store = AzureStore(
            found["containerName"],
            account_name=found["storageAccountName"],
            endpoint=found["SASUri"].partition("?")[0].rpartition("/")[0],
            sas_key=found["SASToken"],
            client_options={"allow_http": True},
        )
        names = [item["path"] for page in obstore.list(store, folder) for item in page]
        return {name.removeprefix(f"{folder}/"): bytes(store.get(name).bytes()) for name in names}

    block = {"fileBasedDlzDestination": {"path": FOLDER, "useCase": "dlz_destination"}}
    yield Cloud("FILE_BASED_DLZ", "", "", block, {}, {}, read)


EVERY = (*clouds.CLOUDS, "sftp", "dlz")
SIGNED_IN = EVERY[:-1]
#: Those that have journeys elsewhere: in `make test` these are set up alone.
KNOWN = ("s3-keys", "s3-role", "sftp", "dlz")

#: What shared credentials are called, where there are any, and what of them has another name than operators may write.
SHARED = {
    "azure-key": "azureConnectionStringAuthentication",
    "adls": "azureAuthentication",
    "s3-keys": "s3Authentication",
}
OWN_NAMES = {"s3AccessKey": "accessId", "s3SecretKey": "secretKey"}


@pytest.fixture
def cloud(request, get_place):
    def get(name):
        if name == "dlz":
            return in_the_landing_zone(request.getfixturevalue("api"))
        if name == "sftp":
            return clouds.sftp(request.getfixturevalue("servers"), request.getfixturevalue("sshd"))
        return clouds.CLOUDS[name](get_place)

    with get(request.param) as found:
        yield found


def each(names, campaign=()):
    marks = {name: [pytest.mark.campaign] if name in campaign else [] for name in names}
    return pytest.mark.parametrize("cloud", [pytest.param(name, marks=marks[name]) for name in names], indirect=True)


# -- by REST ------------------------------------------------------------------------------------------------------


def made(answer):
    assert answer.status in (200, 201, 202), answer.text
    return answer.json


def author(api, cloud, formats=None, shared=None, **changes):
    server = {"name": "harbor", "destinationServerType": cloud.kind, **cloud.block}
    server["fileConfigurations"] = {"includeFileManifest": text("true"), **(formats or CSV)}
    delivery = {
        "authenticationRule": "CUSTOMER_AUTHENTICATION" if cloud.login else "NONE",
        **({"authenticationRule": "PLATFORM_AUTHENTICATION", "authenticationId": shared} if shared else {}),
        "destinationServerId": made(api.post(f"{AUTHORING}/destination-servers", server))["instanceId"],
        "deliveryMatchers": [{"type": "SOURCE", "value": ["batch"]}],
    }
    names = ("container", "folder")
    destination = {
        "name": "Harbor",
        "status": "TEST",
        "customerAuthenticationConfigurations": [{"authType": cloud.login}] if cloud.login and not shared else [],
        "customerDataFields": [{"name": name, "title": name, "type": "string", "isRequired": True} for name in names],
        "schemaConfig": {"segmentRequired": True, "profileRequired": True, "identityRequired": True},
        "destinationDelivery": [delivery],
        "batchConfig": {
            "filenameConfig": {
                "allowedFilenameAppendOptions": ["DATETIME"],
                "defaultFilenameAppendOptions": ["DATETIME"],
                "defaultFilename": "%DESTINATION%_%SEGMENT_ID%",
            }
        },
        **changes,
    }
    return {"id": made(api.post(f"{AUTHORING}/destinations", destination))["instanceId"], "version": "1.0"}


def connect(api, cloud, spec, params=None):
    """Connect an account, where one is asked for; return its id."""
    if not cloud.login:
        return None
    auth = {"specName": cloud.spec_name, "params": params or cloud.params}
    return made(api.post(f"{FLOWS}/connections", {"name": "a", "connectionSpec": spec, "auth": auth, **cloud.more}))[
        "id"
    ]


def set_up(api, cloud, spec, account, *, check=True, **params):
    said = {"container": cloud.container, "folder": f"{ROOT}/journey-{next(NUMBERS)}", **params}
    document = {"name": "t", "connectionSpec": spec, "params": said, "x-headrace": {"check": check}}
    return api.post(f"{FLOWS}/targetConnections", {**document, **({"baseConnectionId": account} if account else {})})


def folder_of(api, target):
    return made(api.get(f"{FLOWS}/targetConnections/{target}"))["items"][0]["params"]["folder"]


def activate(api, target, audience):
    """Map an audience whose files are due every three hours, in two for the first time; return the dataflow."""
    source = {"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
    now = made(api.get(f"{FLOWS}/targetConnections/{target}"))["items"][0]["createdAt"] / 1000
    an_hour_ago = time.strftime("%H:%M", time.gmtime(now - 3600))
    schedule = {"frequency": "EVERY_3_HOURS", "startDate": "2026-01-01", "startTime": an_hour_ago}
    selector = {"id": audience, "namespace": "ups", "exportMode": "FIRST_FULL_THEN_INCREMENTAL", "schedule": schedule}
    mapped = [
        {"type": "JSON_PATH", "value": {"path": path, "mapping": {"source": path, "destination": name}}}
        for path, name in MAPPED
    ]
    params = {
        "segmentSelectors": {"selectors": [{"type": "PLATFORM_SEGMENT", "value": selector}]},
        "profileSelectors": {"selectors": mapped},
    }
    document = {
        "name": "files",
        "sourceConnectionIds": [made(api.post(f"{FLOWS}/sourceConnections", source))["id"]],
        "targetConnectionIds": [target],
        "transformations": [{"name": "GeneralTransform", "params": params}],
    }
    return made(api.post(f"{FLOWS}/flows", document))["id"]


def ingest(api, audience, *numbers, status="realized", minute=0):
    membership = {"status": status, "lastQualificationTime": f"2026-03-01T00:{minute:02}:00Z"}
    people = [
        {
            "identityMap": {"Email": [{"id": f"{audience}-{number}@example.com", "primary": True}]},
            "segmentMembership": {"ups": {audience: membership}},
            "city": "Köln, Altstadt",
        }
        for number in numbers
    ]
    assert made(api.ingest(b"\n".join(map(orjson.dumps, people))))["accepted"] == len(people)


def rows(audience, *numbers, status="realized"):
    return [f'{audience}-{number}@example.com,"Köln, Altstadt",{status}\n' for number in numbers]


def export(api, flow, audience):
    answer = made(api.post(NOW, {"activationInfo": {flow: [audience]}}, headers=SECOND))
    return ended(api, answer["order"][0]["statusURL"])


def ended(api, url):
    def look():
        (found,) = made(api.get(f"{FLOWS}/runs/{url.rpartition('/')[2]}"))["items"]
        return found if found["metrics"]["statusSummary"]["status"] not in ("waiting", "processing") else None

    return eventually("the export ends", look)


def state(run):
    return run["metrics"]["statusSummary"]["status"]


def files_and_manifest(cloud, folder, run):
    """What a run has stored, as its manifest lists it, after that was held to the bytes that lie there."""
    lies = cloud.read(folder)
    (name,) = (one for one in lies if one.rpartition("/")[2].endswith(f"-{run['id']}.json"))
    manifest = orjson.loads(lies[name])
    found = {}
    for listed in manifest["exportResults"]:
        data = lies[f"{name.rpartition('/')[0]}/{listed['name']}".lstrip("/")]
        assert (listed["size"], listed["x-headrace"]["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert listed["sinkPath"].startswith(f"{cloud.above}/{folder}")
        found[listed["name"]] = data
    assert manifest["flowRunId"] == run["id"]
    return found


# -- the journeys -------------------------------------------------------------------------------------------------


@each(EVERY, (*KNOWN, "azure-key"))
def test_people_are_in_a_file_and_then_those_who_are_new(api, pass_time, cloud):
    """Who has a new secret for us, and takes the old one no longer, is served again once it was entered."""
    audience = f"vip-{next(NUMBERS)}"
    spec = author(api, cloud)
    account = connect(api, cloud, spec)
    target = made(set_up(api, cloud, spec, account))["id"]
    flow, folder = activate(api, target, audience), folder_of(api, target)
    ingest(api, audience, *range(20))

    first = pass_time(flow)
    ingest(api, audience, 20)
    ingest(api, audience, 3, status="exited", minute=1)
    if cloud.rotate is not None:
        change(api, account, cloud, flow, audience)
    second = pass_time(flow)
    third = export(api, flow, audience)

    assert [state(run) for run in (first, second, third)] == ["success"] * 3, (first, second, third)
    ((name, whole),) = files_and_manifest(cloud, folder, first).items()
    assert name.startswith(f"Harbor_{audience}_")
    assert whole.decode() == "".join([HEADER, *rows(audience, *range(20))])
    (new,) = files_and_manifest(cloud, folder, second).values()
    assert new.decode() == "".join([HEADER, *rows(audience, 3, status="exited"), *rows(audience, 20)])
    (asked_for,) = files_and_manifest(cloud, folder, third).values()
    assert asked_for.decode() == "".join([HEADER, *rows(audience, *(n for n in range(21) if n != 3))])
    assert len(cloud.read(folder)) == (8 if cloud.rotate is not None and cloud.revokes else 6), "nothing else is left"


def change(api, account, cloud, flow, audience):
    """Change the secret at the partner's, see files wait where the old one is of no use any more, and enter the new."""
    params = cloud.rotate()
    before = succeeded(api, flow)
    if cloud.revokes:
        failed = export(api, flow, audience)
        (error,) = failed["metrics"]["statusSummary"]["errors"]
        assert (state(failed), error["x-headrace"]["cause"]) == ("failed", "denied"), failed
        assert not [secret for secret in cloud.secrets if secret in str(failed)]
    (shown,) = made(api.get(f"{FLOWS}/connections/{account}"))["items"]
    operation = {"op": "replace", "path": "/auth/params", "value": params}
    made(api.patch(f"{FLOWS}/connections/{account}", [operation], shown["etag"]))
    assert made(api.post(f"{FLOWS}/connections/{account}/test", {}))["ok"]
    if cloud.revokes:
        eventually("what had failed is exported after all", lambda: succeeded(api, flow) == before + 1)


def succeeded(api, flow):
    return sum(state(run) == "success" for run in made(api.get(f"{FLOWS}/runs?property=flowId=={flow}"))["items"])


@each([name for name in SIGNED_IN if name != "s3-role"])
def test_a_wrong_secret_sets_nothing_up_and_is_told_nowhere(api, cloud, caplog):
    spec = author(api, cloud)
    account = connect(api, cloud, spec, cloud.wrong)

    refused = set_up(api, cloud, spec, account)
    later = made(set_up(api, cloud, spec, account, check=False))["id"]
    tried = made(api.post(f"{FLOWS}/targetConnections/{later}/test", {}))

    (problem,) = refused.json["errors"]
    assert (refused.status, problem["path"], problem["code"]) == (400, "/baseConnectionId", "denied")
    assert (tried["ok"], tried["code"], tried["message"]) == (False, "denied", problem["message"])
    assert re.search(cloud.why, problem["message"])
    said = [refused.text, str(tried), caplog.text, api.get(f"{FLOWS}/connections/{account}").text]
    assert not [secret for secret in cloud.secrets if any(secret in one for one in said)]


@each([*SHARED])
def test_credentials_that_the_author_shares_serve_all_operators(api, cloud, request):
    params = {OWN_NAMES.get(name, name): value for name, value in cloud.params.items()}
    kind = SHARED[request.node.callspec.params["cloud"]]
    id_ = made(api.post(f"{AUTHORING}/credentials", {kind: params}))["instanceId"]
    spec = author(api, cloud, shared=id_)

    target = made(set_up(api, cloud, spec, None))["id"]

    assert made(api.post(f"{FLOWS}/targetConnections/{target}/test", {}))["ok"]


@each([name for name in SIGNED_IN if name not in ("sftp", "azure-sas")])
def test_a_container_that_is_not_there_sets_nothing_up(api, cloud):
    """Folders of SFTP are made as they are needed, and a signature for another container lets nobody in."""
    spec = author(api, cloud)

    refused = set_up(api, cloud, spec, connect(api, cloud, spec), container="nobody-has-made-this")

    (problem,) = refused.json["errors"]
    assert (refused.status, problem["path"], problem["code"]) == (400, "/params", "no-place")
    assert "'nobody-has-made-this'" in problem["message"]


@pytest.fixture(scope="module")
def dataset(headrace, lake):
    document = {"name": "people", "format": "parquet", "location": str(lake), "key": "id"}
    with signed_in(headrace) as api:
        id_ = made(api.post("/datasets", document))["id"]
        run = made(api.post(f"/datasets/{id_}/snapshots", {}))["run"]["id"]
        eventually("the snapshot is ready", lambda: made(api.get(f"/runs/{run}"))["state"] == "succeeded")
    return id_


@each(EVERY, (*KNOWN, "azure-sas"))
def test_what_one_file_does_not_take_is_in_parts(api, cloud, dataset, lake):
    formats = {"fileType": text("JSON"), "compression": text("GZIP"), "maxFileRowCount": 1_000_000}
    schema = {"profileRequired": False, "segmentRequired": False, "identityRequired": False}
    spec = author(api, cloud, formats, sources=["DATASETS"], batchConfig=DATASET_BATCH, schemaConfig=schema)
    target = made(set_up(api, cloud, spec, connect(api, cloud, spec)))["id"]
    named = {"datasets": [{"dataSetId": dataset, "name": "people"}]}
    source = {"name": "s", "connectionSpec": {"id": DATA_LAKE_SPEC, "version": "1.0"}, "params": named}
    flow = {
        "name": "datasets",
        "sourceConnectionIds": [made(api.post(f"{FLOWS}/sourceConnections", source))["id"]],
        "targetConnectionIds": [target],
        "transformations": [],
        "scheduleParams": {"interval": 3, "timeUnit": "hour", "startTime": int(time.time()) + 10**7},
    }
    id_ = made(api.post(f"{FLOWS}/flows", flow))["id"]

    asked = {"activationInfo": {"destinations": [{"flowId": id_, "datasets": [{"id": dataset}]}]}}
    answer = made(api.post(NOW, asked, headers=THIRD))
    run = ended(api, answer["destinations"][0]["datasets"][0]["statusURL"])

    assert state(run) == "success", run
    found = files_and_manifest(cloud, folder_of(api, target), run)
    (large, _) = found.values()
    assert len(large) > 5 << 20, "it was uploaded in pieces"
    parts = [reading.read_json(io.BytesIO(gzip.decompress(data))) for data in found.values()]
    assert [part.num_rows for part in parts] == [1_000_000, MANY - 1_000_000]
    assert pa.concat_tables(parts).equals(pq.read_table(lake / "people.parquet"))
