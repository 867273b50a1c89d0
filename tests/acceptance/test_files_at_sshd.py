"""
Files as a partner finds them: encrypted, on a real server of SFTP, after a process that was killed on the way.

The whole journey by REST: author, connect with a host key and a public key that are pinned, activate, export, read.
"""

import csv
import gzip
import io
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path
from tempfile import mkdtemp

import orjson
import pytest

from headrace.cli.client import AUTHORING, FLOWS
from integration.storage.sftp_server import PASSWORD, fixture_openssh, fixture_servers, fixture_sshd
from support import Server, eventually

__all__ = ["fixture_openssh", "fixture_servers", "fixture_sshd"]

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="this machine has no gpg, with which partners read")
ADHOC = "/data/core/activation/disflowprovider/adhocrun"
STATUS = "segmentMembership.seg_namespace.seg_id.status"


def text(value):
    return {"templatingStrategy": "PEBBLE_V1" if "{{" in value else "NONE", "value": value}


class Partner:
    """A partner who has a key, and reads what is encrypted for it."""

    def __init__(self):
        self.home = mkdtemp(prefix="hr-gpg-", dir="/tmp")  # The agent's socket has a path that must be short.
        self.gpg("--quick-generate-key", "Harbor <files@harbor.example>", "default", "default", "never")

    def gpg(self, *arguments, given=b""):
        command = ["gpg", "--homedir", self.home, "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]
        return subprocess.run([*command, *arguments], input=given, capture_output=True, check=True).stdout

    @property
    def public_key(self):
        return b64encode(self.gpg("--export", "files@harbor.example")).decode()

    def read(self, path):
        packed = self.gpg("--decrypt", given=path.read_bytes())
        rows = csv.DictReader(io.StringIO(gzip.decompress(packed).decode()), delimiter=";")
        return {row["Email"]: (row["city"], row["status"]) for row in rows}


@pytest.fixture
def partner():
    made = Partner()
    yield made
    subprocess.run(["gpgconf", "--homedir", made.home, "--kill", "all"], check=False)
    shutil.rmtree(made.home, ignore_errors=True)


@pytest.fixture
def folder(sshd):
    made = Path(mkdtemp(dir=sshd.home))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def author(client, sshd):
    """Declare a destination whose files are encrypted."""
    server = client.post(
        f"{AUTHORING}/destination-servers",
        {
            "name": "Harbor",
            "destinationServerType": "FILE_BASED_SFTP",
            "fileBasedSFTPDestination": {
                "rootDirectory": text("{{customerData.folder}}/%SEGMENT_ID%"),
                "hostName": text("127.0.0.1"),
                "port": sshd.port,
                "encryptionMode": "PGP",
            },
            "fileConfigurations": {
                "compression": text("gzip"),
                "csvOptions": {"sep": text(";"), "quote": text('"')},
                "includeFileManifest": text("true"),
            },
        },
    )
    return client.post(
        f"{AUTHORING}/destinations",
        {
            "name": "Harbor",
            "status": "TEST",
            "customerAuthenticationConfigurations": [{"authType": "SFTP_WITH_PASSWORD"}],
            "customerEncryptionConfigurations": [{"encryptionAlgo": ""}],
            "customerDataFields": [{"name": "folder", "title": "Folder", "type": "string", "isRequired": True}],
            "schemaConfig": {"segmentRequired": True, "profileRequired": True, "identityRequired": True},
            "destinationDelivery": [
                {
                    "deliveryMatchers": [{"type": "SOURCE", "value": ["batch"]}],
                    "authenticationRule": "CUSTOMER_AUTHENTICATION",
                    "destinationServerId": server["instanceId"],
                }
            ],
            "batchConfig": {
                "filenameConfig": {
                    "allowedFilenameAppendOptions": ["DATETIME"],
                    "defaultFilenameAppendOptions": ["DATETIME"],
                    "defaultFilename": "%DESTINATION%_%SEGMENT_ID%",
                }
            },
        },
    )["instanceId"]


def connect(client, destination, sshd, partner, folder):
    """Connect an account, set the destination up, and activate an audience; returns the dataflow."""
    spec = {"connectionSpec": {"id": destination, "version": "1.0"}}
    credentials = {"domain": "127.0.0.1", "port": str(sshd.port), "username": sshd.user, "password": PASSWORD}
    account = client.post(
        f"{FLOWS}/connections",
        {
            "name": "Harbor",
            **spec,
            "auth": {"specName": "SFTP with Password", "params": credentials},
            "encryption": {
                "specName": "File Encryption",
                "params": {"encryptionAlgo": "PGP/GPG", "publicKey": partner.public_key},
            },
        },
    )["id"]
    target = client.post(
        f"{FLOWS}/targetConnections",
        {"name": "daily", **spec, "baseConnectionId": account, "params": {"folder": str(folder)}},
    )["id"]
    profiles = {"connectionSpec": {"id": "8a9c3494-9708-43d7-ae3f-cda01e5030e1"}}
    source = client.post(f"{FLOWS}/sourceConnections", {"name": "profiles", **profiles})["id"]
    selector = {
        "id": "vip",
        "namespace": "ups",
        "exportMode": "FIRST_FULL_THEN_INCREMENTAL",
        "schedule": {"frequency": "EVERY_3_HOURS", "startDate": "2026-01-01", "startTime": "00:00"},
    }
    rows = [("identityMap.Email", "identityMap.Email"), ("city", "city"), (STATUS, "status")]
    mapped = [
        {"type": "JSON_PATH", "value": {"path": path, "mapping": {"source": path, "destination": name}}}
        for path, name in rows
    ]
    params = {
        "segmentSelectors": {"selectors": [{"type": "PLATFORM_SEGMENT", "value": selector}]},
        "profileSelectors": {"selectors": mapped},
    }
    flow = {"name": "files", "sourceConnectionIds": [source], "targetConnectionIds": [target]}
    return client.post(f"{FLOWS}/flows", {**flow, "transformations": [{"name": "GeneralTransform", "params": params}]})[
        "id"
    ]


def person(number, *, city="Köln; Altstadt", is_in=True, minute=0):
    membership = {
        "status": "realized" if is_in else "exited",
        "lastQualificationTime": f"2026-03-01T00:{minute:02}:00Z",
    }
    return {
        "identityMap": {"Email": [{"id": f"p{number}@example.com", "primary": True}]},
        "segmentMembership": {"ups": {"vip": membership}},
        "city": city,
    }


def ingest(client, *people):
    lines = b"\n".join(map(orjson.dumps, people))
    assert client.send("POST", "/ingest/profiles", lines, "application/x-ndjson")["accepted"] == len(people)


def export(client, flow):
    """Ask for the files now, and return the id of the run."""
    (order,) = client.post(ADHOC, {"activationInfo": {flow: ["vip"]}, "exportIds": ["last"]})["order"]
    return order["statusURL"].rpartition("/")[2]


def ended(client, run):
    def look():
        (found,) = client.get(f"{FLOWS}/runs/{run}")["items"]
        status = found["metrics"]["statusSummary"]["status"]
        return found if status not in ("waiting", "processing") else None

    return eventually(f"the run {run} ends", look)


def test_files_arrive_encrypted_and_whole_also_where_the_process_is_killed(tmp_path, sshd, partner, folder):
    with Server(tmp_path, egress_allow="127.0.0.0/8") as server:
        client = server.start()
        flow = connect(client, author(client, sshd), sshd, partner, folder)
        ingest(client, *[person(number) for number in range(50)])
        client.close()
        server.kill()

        client = server.start(crash_at="after_part_published")
        run = export(client, flow)
        client.close()
        assert server.process.wait(60) == -9

        client = server.start()
        shown = ended(client, run)
        client.close()
    assert shown["metrics"]["statusSummary"]["status"] == "success"
    assert shown["metrics"]["recordSummary"]["outputRecordCount"] == 50
    (path,) = (folder / "vip").glob("Harbor_vip_*.csv.gz*")
    (manifest,) = (folder / "vip").glob("manifest-*.json")
    (listed,) = orjson.loads(manifest.read_bytes())["exportResults"]
    assert (listed["name"], listed["size"]) == (path.name, path.stat().st_size)
    assert len(list((folder / "vip").iterdir())) == 2
    assert b"example.com" not in path.read_bytes()
    assert partner.read(path) == {f"p{n}@example.com": ("Köln; Altstadt", "realized") for n in range(50)}
