"""A storage that does not let an account in: it rests, which is told, and what waited is written once it is mended."""

import shutil
from pathlib import Path
from tempfile import mkdtemp

import orjson
import pytest

from headrace.cli.client import AUTHORING, FLOWS
from integration.storage.sftp_server import PASSWORD, fixture_openssh, fixture_servers, fixture_sshd
from support import Server, eventually

__all__ = ["fixture_openssh", "fixture_servers", "fixture_sshd"]

ADHOC = "/data/core/activation/disflowprovider/adhocrun"


def text(value):
    return {"templatingStrategy": "NONE", "value": value}


@pytest.fixture
def folder(sshd):
    if sshd.password is None:
        pytest.skip("OpenSSH takes no passwords where it does not run as root")
    made = Path(mkdtemp(dir=sshd.home))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def author(client, sshd, folder):
    block = {"rootDirectory": text(f"{folder}/%SEGMENT_ID%"), "hostName": text("127.0.0.1"), "port": sshd.port}
    server = {"name": "Harbor", "destinationServerType": "FILE_BASED_SFTP", "fileBasedSFTPDestination": block}
    delivery = {
        "deliveryMatchers": [{"type": "SOURCE", "value": ["batch"]}],
        "authenticationRule": "CUSTOMER_AUTHENTICATION",
        "destinationServerId": client.post(f"{AUTHORING}/destination-servers", server)["instanceId"],
    }
    destination = {
        "name": "Harbor",
        "status": "TEST",
        "customerAuthenticationConfigurations": [{"authType": "SFTP_WITH_PASSWORD"}],
        "schemaConfig": {"segmentRequired": True, "profileRequired": True, "identityRequired": True},
        "destinationDelivery": [delivery],
        "batchConfig": {
            "filenameConfig": {
                "allowedFilenameAppendOptions": ["DATETIME"],
                "defaultFilenameAppendOptions": ["DATETIME"],
                "defaultFilename": "%SEGMENT_ID%",
            }
        },
    }
    return client.post(f"{AUTHORING}/destinations", destination)["instanceId"]


def credentials(sshd, password):
    return {"domain": "127.0.0.1", "port": str(sshd.port), "username": sshd.user, "password": password}


def activate(client, destination, account, *ids):
    spec = {"connectionSpec": {"id": destination, "version": "1.0"}}
    target = client.post(f"{FLOWS}/targetConnections", {"name": "daily", **spec, "baseConnectionId": account})["id"]
    profiles = {"connectionSpec": {"id": "8a9c3494-9708-43d7-ae3f-cda01e5030e1"}}
    source = client.post(f"{FLOWS}/sourceConnections", {"name": "profiles", **profiles})["id"]
    schedule = {"frequency": "DAILY", "startDate": "2026-01-01", "startTime": "00:00"}
    chosen = {"exportMode": "DAILY_FULL_EXPORT", "schedule": schedule, "namespace": "ups"}
    path = "identityMap.Email"
    row = {"type": "JSON_PATH", "value": {"path": path, "mapping": {"source": path, "destination": path}}}
    params = {
        "segmentSelectors": {
            "selectors": [{"type": "PLATFORM_SEGMENT", "value": {"id": id_, **chosen}} for id_ in ids]
        },
        "profileSelectors": {"selectors": [row]},
    }
    flow = {"name": "files", "sourceConnectionIds": [source], "targetConnectionIds": [target]}
    transformations = [{"name": "GeneralTransform", "params": params}]
    return client.post(f"{FLOWS}/flows", {**flow, "transformations": transformations})["id"]


def export(client, flow, audience):
    """Ask for a file now, and return how that ended."""
    (order,) = client.post(ADHOC, {"activationInfo": {flow: [audience]}, "exportIds": ["last"]})["order"]
    run = order["statusURL"].rpartition("/")[2]

    def look():
        found = client.get(f"/runs/{run}")
        return found if found["state"] in ("succeeded", "failed") else None

    return eventually(f"the run {run} ends", look)


def sign_in(client, account):
    (found,) = client.get(f"{FLOWS}/connections/{account}")["items"]
    return found["x-headrace"]["signIn"]


def change(client, account, params):
    (found,) = client.get(f"{FLOWS}/connections/{account}")["items"]
    operations = [{"op": "replace", "path": "/auth/params", "value": params}]
    sent = orjson.dumps(operations)
    client.send("PATCH", f"{FLOWS}/connections/{account}", sent, extra={"If-Match": found["etag"]})


def refusals(sshd):
    return sshd.log.read_text().count("Failed password")


def test_an_account_that_is_not_let_in_rests_and_its_files_come_once_it_is_mended(tmp_path, sshd, folder):
    with Server(tmp_path, egress_allow="127.0.0.0/8") as server:
        client = server.start()
        destination = author(client, sshd, folder)
        auth = {"specName": "SFTP with Password", "params": credentials(sshd, PASSWORD)}
        connection = {"name": "Harbor", "connectionSpec": {"id": destination, "version": "1.0"}, "auth": auth}
        account = client.post(f"{FLOWS}/connections", connection)["id"]
        flow = activate(client, destination, account, "vip", "regulars")
        change(client, account, credentials(sshd, "forgotten"))

        first = export(client, flow, "vip")
        known, refused = sign_in(client, account), refusals(sshd)
        second = export(client, flow, "regulars")
        refused_again = refusals(sshd)

        change(client, account, credentials(sshd, PASSWORD))
        eventually("both files are there", lambda: len(list(folder.rglob("*.csv"))) == 2)
        client.close()
    assert (first["state"], second["state"]) == ("failed", "failed")
    assert known["state"] == "refused"
    assert known["reason"] == first["reason"]
    assert "is refused by the partner" in second["reason"]
    assert refused_again == refused > 0, "while it rests, nobody asks the storage"
