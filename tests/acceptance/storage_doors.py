"""The doors at storages: every way of signing in, at a partner that repeats what it is told, and at none."""

import base64
from typing import Any

from authored import template, text
from documents import a_destination, a_server
from support import AUTHORING, FLOWS

from .partner_doors import AWAY

#: What signs and is not sent, and what there is nobody here to hear of.
SIGN_WITHOUT_BEING_SENT = {
    "secret key of a bucket",
    "secret of an HMAC key",
    "account key of a connection string",
    "service principal's key",
    "password of SFTP",
    "SSH key",
    "service account key",
}
FORM = [{"name": "folder", "title": "Folder", "type": "string"}]
PIN = "SHA256:" + "A" * 43


def buckets(world: Any) -> None:
    secret = world["secret key of a bucket"]
    keys = {"accessId": "headrace", "secretKey": secret}
    block = "/fileBasedS3Destination"
    for endpoint in (world.partner.origin, AWAY):
        place = {
            f"{block}/x-headrace": {"endpoint": text(endpoint)},
            f"{block}/path": template("{{customerData.folder}}"),
        }
        gone_through(world, "FILE_BASED_S3", place, "Access Key", keys, [f"{secret} x", f"{secret}\nx"])


def google(world: Any) -> None:
    secret, key = world["secret of an HMAC key"], world["service account key"]
    block = "/fileBasedGoogleCloudStorageDestination"
    place = {f"{block}/x-headrace": {"endpoint": text(world.partner.origin)}}
    keys = {"accessKeyId": "headrace", "secretAccessKey": secret}
    gone_through(world, "FILE_BASED_GOOGLE_CLOUD", place, "GOOGLE_CLOUD_STORAGE", keys, [f"{secret} x"])
    destination = authored(world, "FILE_BASED_GOOGLE_CLOUD", place)
    for wrong in (key, f'{{"private_key": "{key}"}}', f'["{key}"]'):
        refused(world, account_of(destination, "GOOGLE_CLOUD_STORAGE", {"serviceAccountKey": wrong}))


def azure(world: Any) -> None:
    key = base64.b64encode(world["account key of a connection string"].encode()).decode()
    signature = world["signature of a connection string"]
    there = f"AccountName=headrace;BlobEndpoint={world.partner.origin}/headrace;"
    wrong = [f"AccountKey={signature}!", f"AccountName=a;AccountKey={signature}!", f"{signature};{signature}"]
    place = {"/fileBasedAzureBlobDestination/path": text("in")}
    for said in (f"{there}AccountKey={key}", f"{there}SharedAccessSignature=sv=1&sig={signature}"):
        keys = {"connectionString": said}
        gone_through(world, "FILE_BASED_AZURE_BLOB", place, "ConnectionString", keys, wrong)


def data_lake(world: Any) -> None:
    """Tokens of a principal are got at Microsoft's, where no test asks."""
    secret = world["service principal's key"]
    keys = {"tenant": "t1", "servicePrincipalId": "headrace", "servicePrincipalKey": secret}
    gone_through(world, "FILE_BASED_ADLS_GEN2", {}, "Azure Service Principal Auth", keys, [], is_asked=False)


def servers_of_sftp(world: Any) -> None:
    password, key = world["password of SFTP"], world["SSH key"]
    host = {"/fileBasedSFTPDestination/hostName": text("127.0.0.1"), "/fileBasedSFTPDestination/port": 9}
    params = {"domain": "127.0.0.1", "username": "headrace", "password": password}
    more = {"x-headrace": {"hostKey": PIN}}
    gone_through(world, "FILE_BASED_SFTP", host, "SFTP with Password", params, [], **more)
    destination = authored(world, "FILE_BASED_SFTP", host)
    for wrong in (key, base64.b64encode(key.encode()).decode(), f"-----BEGIN KEY-----{key}-----END KEY-----"):
        refused(world, account_of(destination, "SFTP with SSH Key", {**params, "sshKey": wrong}))
    refused(world, {**account_of(destination, "SFTP with Password", params), "x-headrace": {"hostKey": password}})
    armored = {"encryptionAlgo": "PGPGPG", "publicKey": f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n{key}"}
    refused(world, {**account_of(destination, "SFTP with Password", params), "encryption": {"params": armored}})


def gone_through(
    world: Any,
    kind: str,
    place: dict[str, Any],
    spec_name: str,
    params: Any,
    wrong: list[str],
    *,
    is_asked: bool = True,
    **more: Any,
) -> None:
    """Make an account, right and wrong, and set its storage up, which the storage refuses."""
    destination = authored(world, kind, place)
    document = {**account_of(destination, spec_name, params), **more}
    account = world.post(f"{FLOWS}/connections", document)["id"]
    (name,) = [name for name, value in params.items() if value == [*params.values()][-1]]
    world.post_wrong(f"{FLOWS}/connections", document, [f"/auth/params/{name}"])
    for other in wrong:
        refused(world, account_of(destination, spec_name, {**params, name: other}))
    target = {"name": "t", "baseConnectionId": account, "connectionSpec": {"id": destination}, "params": {}}
    if is_asked:
        world.api.post(f"{FLOWS}/targetConnections", target)
    world.api.post(f"{FLOWS}/targetConnections", {**target, "params": {"folder": f"../{params[name]}"}})
    later = world.post(f"{FLOWS}/targetConnections", {**target, "x-headrace": {"check": False}})["id"]
    for tried in (f"targetConnections/{later}", f"connections/{account}") if is_asked else ():
        answer = world.api.post(f"{FLOWS}/{tried}/test", {})
        assert answer.status == 200, answer.text
        assert not answer.json["ok"], "this storage takes nothing"
    if is_asked:
        world.command("account", "test", account)
    (shown,) = world.api.get(f"{FLOWS}/connections/{account}").json["items"]
    patch = [{"op": "replace", "path": "/auth/params", "value": params}]
    world.api.patch(f"{FLOWS}/connections/{account}", patch, shown["etag"])


def authored(world: Any, kind: str, changes: dict[str, Any]) -> str:
    server = world.post(f"{AUTHORING}/destination-servers", a_server(kind, changes))["instanceId"]
    more = {"/destinationDelivery/0/destinationServerId": server, "/customerDataFields": FORM}
    return str(world.post(f"{AUTHORING}/destinations", a_destination(kind, more))["instanceId"])


def account_of(destination: str, spec_name: str, params: Any) -> dict[str, Any]:
    return {"name": "a", "connectionSpec": {"id": destination}, "auth": {"specName": spec_name, "params": params}}


def refused(world: Any, document: dict[str, Any]) -> None:
    answer = world.api.post(f"{FLOWS}/connections", document)
    assert answer.status == 400, answer.text


DOORS = [buckets, google, azure, data_lake, servers_of_sftp]
