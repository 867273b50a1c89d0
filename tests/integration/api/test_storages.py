"""Accounts and connections of destinations of files, at real servers: what they pin, and what is tried of them."""

from base64 import b64encode
from itertools import count
from pathlib import Path

import pysequoia
import pytest

import objects
from authored import template, text
from documents import a_destination, a_server
from headrace.connect.secrets import MASK
from integration.storage.sftp_server import (
    SftpServer,
    Sshd,
    fingerprint,
    fixture_openssh,
    fixture_servers,
    fixture_sshd,
    free_port,
    made_key,
)
from support import FLOWS, in_process

from .conftest import CREDENTIALS, DESTINATIONS, SERVERS, codes

__all__ = ["fixture_openssh", "fixture_servers", "fixture_sshd"]

COVERED = ("denied", "host-key", "no-place", "unreached", "unusable-key")
S3, SFTP = "FILE_BASED_S3", "FILE_BASED_SFTP"
NUMBERS = count()
CANARY = "canary-password-of-a-storage-Vt62"
AN_ARN = "arn:aws:iam::123456789012:role/drop"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """A Headrace that may reach everything on this machine."""
    folder = tmp_path_factory.mktemp("headrace")
    settings = {"egress_allow": "127.0.0.0/8", "calls_per_minute": 100_000, "unreached_after": 0}
    with in_process(folder, **settings) as headrace:
        yield headrace.api


@pytest.fixture(scope="module")
def store():
    with objects.server() as found:
        yield found


def read(api, kind, id_):
    (item,) = api.get(f"{FLOWS}/{kind}/{id_}").json["items"]
    return item


def patched(api, kind, id_, *operations):
    return api.patch(f"{FLOWS}/{kind}/{id_}", list(operations), read(api, kind, id_)["etag"])


def destination(api, kind, server=None, changes=None):
    """Author a destination of files, with changes to its server and itself."""
    made = api.post(SERVERS, a_server(kind, server))
    assert made.status == 200, made.text
    delivery = {"/destinationDelivery/0/destinationServerId": made.json["instanceId"]}
    answer = api.post(DESTINATIONS, a_destination(kind, {**delivery, **(changes or {})}))
    assert answer.status == 200, answer.text
    return answer.json["instanceId"]


def account(api, destination, spec_name, params, **more):
    auth = {"specName": spec_name, "params": params}
    document = {"name": "account", "connectionSpec": {"id": destination}, "auth": auth, **more}
    return api.post(f"{FLOWS}/connections", document)


def target(api, destination, account, **more):
    document = {"name": "target", "connectionSpec": {"id": destination}, "baseConnectionId": account, **more}
    return api.post(f"{FLOWS}/targetConnections", document)


def made(answer):
    assert answer.status == 201, answer.text
    return answer.json["id"]


# -- servers of SFTP ----------------------------------------------------------------------------------------------


def at(port, folder="/in", **changes):
    block = "/fileBasedSFTPDestination"
    return {
        f"{block}/hostName": text("127.0.0.1"),
        f"{block}/port": port,
        f"{block}/rootDirectory": text(str(folder)),
        **changes,
    }


def by_key(server: SftpServer):
    return {"host": "127.0.0.1", "username": server.user, "sshKey": b64encode(server.key.encode()).decode()}


@pytest.fixture
def folder(sshd) -> Path:
    found = sshd.home / f"drop-{next(NUMBERS)}"
    found.mkdir()
    found.chmod(0o777)
    return found


@pytest.fixture
def drop(api, sshd, folder):
    """A destination that writes to a folder of a running server."""
    return destination(api, SFTP, at(sshd.port, folder))


def test_an_account_pins_the_key_that_its_server_shows(api, sshd, drop, folder):
    id_ = made(account(api, drop, "SFTP with SSH Key", by_key(sshd)))

    shown = read(api, "connections", id_)
    assert shown["x-headrace"]["hostKey"] == sshd.fingerprint
    assert shown["auth"]["params"] == {"domain": MASK, "username": MASK, "sshKey": MASK}
    assert shown["auth"]["specName"] == "SFTP_WITH_SSH_KEY"
    assert target(api, drop, id_).status == 201
    assert list(folder.iterdir()) == []


def test_who_gives_the_key_has_no_other_taken(api, sshd, servers: Sshd, drop):
    right, wrong = sshd.fingerprint, fingerprint(made_key(servers.folder / f"other-{next(NUMBERS)}"))

    for given in (right, f"{wrong} {right}", (servers.folder / "host.pub").read_text()):
        answer = account(api, drop, "SFTP with SSH Key", by_key(sshd), **{"x-headrace": {"hostKey": given}})
        assert right in read(api, "connections", made(answer))["x-headrace"]["hostKey"]
    refused = account(api, drop, "SFTP with SSH Key", by_key(sshd), **{"x-headrace": {"hostKey": wrong}})
    assert codes(refused) == {"/x-headrace/hostKey": "host-key"}
    assert right in refused.json["errors"][0]["message"]
    assert wrong in refused.json["errors"][0]["message"]


@pytest.mark.parametrize("key", ["no key", "SHA256:short", "ssh-ed25519", "ssh-ed25519 AAAA", "MD5:00:11"])
def test_what_is_given_is_a_key(api, sshd, drop, key):
    answer = account(api, drop, "SFTP with SSH Key", by_key(sshd), **{"x-headrace": {"hostKey": key}})

    assert codes(answer) == {"/x-headrace/hostKey": "invalid"}


def test_a_server_that_is_away_is_trusted_by_what_was_given_alone(api, sshd):
    away = destination(api, SFTP, at(free_port()))

    answer = account(api, away, "SFTP with SSH Key", by_key(sshd))
    assert codes(answer) == {"/auth/params/domain": "unreached"}
    assert "or give the key that the partner tells you" in answer.json["errors"][0]["message"]
    given = account(api, away, "SFTP with SSH Key", by_key(sshd), **{"x-headrace": {"hostKey": sshd.fingerprint}})
    assert read(api, "connections", made(given))["x-headrace"]["hostKey"] == sshd.fingerprint


def test_a_server_whose_key_was_changed_is_used_once_the_new_one_is_pinned(api, servers: Sshd):
    old, new = (made_key(servers.folder / f"{name}-{next(NUMBERS)}") for name in ("old", "new"))
    ports = free_port(), free_port()
    with servers.running(old, ports=ports) as server:
        drop = destination(api, SFTP, at(server.port, server.home))
        id_ = made(account(api, drop, "SFTP_WITH_SSH_KEY", by_key(server)))
    with servers.running(new, ports=ports):
        refused = target(api, drop, id_)
        assert codes(refused) == {"/baseConnectionId": "host-key"}
        assert fingerprint(new) in refused.json["errors"][0]["message"]
        pin = {"op": "replace", "path": "/x-headrace/hostKey", "value": fingerprint(new)}
        assert patched(api, "connections", id_, pin).status == 200
        assert target(api, drop, id_).status == 201
        forgotten = {"op": "remove", "path": "/x-headrace/hostKey"}
        assert patched(api, "connections", id_, forgotten).status == 200
        assert read(api, "connections", id_)["x-headrace"]["hostKey"] == fingerprint(new)


def test_an_account_that_leads_elsewhere_pins_the_key_of_there(api, sshd, servers: Sshd):
    drop = destination(api, SFTP, {"/fileBasedSFTPDestination/hostName": template("{{ customerData.host }}")},
                       {"/customerDataFields": [{"name": "host", "type": "string"}]})  # fmt: skip
    key = made_key(servers.folder / f"elsewhere-{next(NUMBERS)}")
    id_ = made(account(api, drop, "SFTP_WITH_SSH_KEY", {**by_key(sshd), "port": sshd.port}))
    assert read(api, "connections", id_)["x-headrace"]["hostKey"] == sshd.fingerprint

    with servers.running(key) as other:
        elsewhere = {"domain": MASK, "username": MASK, "sshKey": MASK, "port": str(other.port)}
        assert (
            patched(api, "connections", id_, {"op": "replace", "path": "/auth/params", "value": elsewhere}).status
            == 200
        )
        assert read(api, "connections", id_)["x-headrace"]["hostKey"] == fingerprint(key)
    renamed = {"op": "replace", "path": "/name", "value": "as it was"}
    assert patched(api, "connections", id_, renamed).status == 200, "nobody is asked who is away"


def test_credentials_that_are_not_let_in_set_nothing_up(api, sshd, drop, servers: Sshd):
    stranger = made_key(servers.folder / f"stranger-{next(NUMBERS)}").read_text()
    id_ = made(account(api, drop, "SFTP_WITH_SSH_KEY", {**by_key(sshd), "sshKey": stranger}))

    assert codes(target(api, drop, id_)) == {"/baseConnectionId": "denied"}


def test_a_password_is_sent_to_the_server_with_the_pinned_key_alone(api, sshd, drop, caplog):
    id_ = made(account(api, drop, "SFTP with Password", {"domain": "127.0.0.1", "username": "u", "password": CANARY}))

    answer = target(api, drop, id_)

    assert codes(answer) == {"/baseConnectionId": "denied"}
    assert CANARY not in answer.text
    assert CANARY not in caplog.text


def test_who_shares_the_authors_credentials_pins_the_key_by_an_account_without_any(api, sshd, folder):
    key = {"sshAuthentication": {"username": sshd.user, "sshKey": b64encode(sshd.key.encode()).decode()}}
    shared = api.post(CREDENTIALS, key).json["instanceId"]
    changes = {
        "/customerAuthenticationConfigurations": [],
        "/destinationDelivery/0/authenticationRule": "PLATFORM_AUTHENTICATION",
        "/destinationDelivery/0/authenticationId": shared,
    }
    drop = destination(api, SFTP, at(sshd.port, folder), changes)
    document = {"name": "account", "connectionSpec": {"id": drop}}

    assert codes(target(api, drop, None)) == {"/baseConnectionId": "host-key"}
    id_ = made(api.post(f"{FLOWS}/connections", document))
    assert read(api, "connections", id_)["x-headrace"]["hostKey"] == sshd.fingerprint
    assert target(api, drop, id_).status == 201


# -- buckets ------------------------------------------------------------------------------------------------------


BLOCK = "/fileBasedS3Destination"
FORM = [{"name": "bucket", "type": "string", "isRequired": True}]
WRITER = {"s3AccessKey": objects.WRITER, "s3SecretKey": objects.WRITER_SECRET}


@pytest.fixture
def bucket(api, store):
    """A destination that writes to a bucket of the operator's choice."""
    server = {
        f"{BLOCK}/bucket": template("{{ customerData.bucket }}"),
        f"{BLOCK}/path": text("in/%SEGMENT_NAME%"),
        f"{BLOCK}/x-headrace": {"endpoint": text(store.endpoint), "region": text("us-east-1")},
    }
    return destination(api, S3, server, {"/customerDataFields": FORM})


def test_a_bucket_is_tried_when_it_is_set_up(api, bucket, store):
    id_ = made(account(api, bucket, "Access Key", WRITER))

    set_up = made(target(api, bucket, id_, params={"bucket": "lake"}))

    assert api.post(f"{FLOWS}/targetConnections/{set_up}/test", {}).json["ok"]
    tried = api.post(f"{FLOWS}/connections/{id_}/test", {}).json
    assert (tried["ok"], tried["checked"]) == (True, ["credentials", "storage"])
    assert [page for page in store.bucket().list() if page] == []


def test_a_bucket_that_is_not_there_is_refused_unless_it_is_to_come(api, bucket):
    id_ = made(account(api, bucket, "S3", WRITER))

    answer = target(api, bucket, id_, params={"bucket": "absent"})
    assert codes(answer) == {"/params": "no-place"}
    later = made(target(api, bucket, id_, params={"bucket": "absent"}, **{"x-headrace": {"check": False}}))
    tried = api.post(f"{FLOWS}/targetConnections/{later}/test", {}).json
    assert (tried["ok"], tried["code"]) == (False, "no-place")
    changed = {"op": "replace", "path": "/x-headrace/check", "value": True}
    moved = {"op": "replace", "path": "/params/bucket", "value": "absent-too"}
    assert codes(patched(api, "targetConnections", later, changed, moved)) == {"/params": "no-place"}
    assert patched(api, "targetConnections", later, changed, {**moved, "value": "lake"}).status == 200


def test_keys_that_are_not_let_in_are_refused(api, bucket):
    id_ = made(account(api, bucket, "S3", {"accessId": objects.WRITER, "secretKey": CANARY}))

    answer = target(api, bucket, id_, params={"bucket": "lake"})

    assert codes(answer) == {"/baseConnectionId": "denied"}
    assert CANARY not in answer.text


def test_an_operator_may_ask_for_a_manifest(api, bucket):
    id_ = made(account(api, bucket, "S3", WRITER))

    set_up = made(target(api, bucket, id_, params={"bucket": "lake", "includeFileManifest": True}))

    assert read(api, "targetConnections", set_up)["params"] == {"bucket": "lake", "includeFileManifest": True}
    renamed = {"op": "replace", "path": "/name", "value": "other"}
    assert patched(api, "targetConnections", set_up, renamed).status == 200
    assert read(api, "targetConnections", set_up)["params"] == {"bucket": "lake", "includeFileManifest": True}
    wrong = target(api, bucket, id_, params={"bucket": "lake", "includeFileManifest": "perhaps"})
    assert codes(wrong) == {"/params/includeFileManifest": "invalid"}


def test_a_role_needs_a_house_that_assumes_it(api, bucket):
    answer = account(api, bucket, "S3", {"s3RoleArn": AN_ARN})

    assert codes(answer) == {"/auth/params/roleArn": "not-allowed"}
    assert "HEADRACE_AWS_ACCESS_KEY_ID" in answer.json["errors"][0]["message"]


def test_an_operator_is_told_by_which_external_id_a_role_is_assumed(tmp_path):
    with in_process(tmp_path, aws_access_key_id="AKIA", aws_secret_access_key="secret") as headrace:
        drop = destination(headrace.api, S3)
        first = read(headrace.api, "connections", made(account(headrace.api, drop, "S3", {"roleArn": AN_ARN})))
        again = read(headrace.api, "connections", made(account(headrace.api, drop, "S3", {"role": AN_ARN})))
        sandbox = headrace.api.get(f"{FLOWS}/connections").json
    assert first["x-headrace"]["externalId"] == again["x-headrace"]["externalId"]
    assert len(first["x-headrace"]["externalId"]) == 36, sandbox


# -- the landing zone ---------------------------------------------------------------------------------------------


def test_a_landing_zone_is_set_up_without_an_account(api):
    block = "/fileBasedDlzDestination/path"
    drop = destination(api, "FILE_BASED_DLZ", {block: text("in/%SEGMENT_NAME%")})
    hidden = destination(api, "FILE_BASED_DLZ", {block: text(".in")})

    document = {"name": "target", "connectionSpec": {"id": drop}}
    set_up = made(api.post(f"{FLOWS}/targetConnections", document))

    assert api.post(f"{FLOWS}/targetConnections/{set_up}/test", {}).json["ok"]
    refused = api.post(f"{FLOWS}/targetConnections", {**document, "connectionSpec": {"id": hidden}})
    assert codes(refused) == {"/params": "invalid"}


# -- what credentials are like ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"accessId": "AKIAIOSFODNN7EXAMPLE"}, {"/auth/params/secretKey": "missing-field"}),
        ({"accessId": "s" * 40, "secretKey": "A" * 20},
         {"/auth/params/accessId": "credentials", "/auth/params/secretKey": "credentials"}),
        ({"roleArn": "role/drop"}, {"/auth/params/roleArn": "credentials"}),
        ({"roleArn": f"{AN_ARN}{'x' * 64}"}, {"/auth/params/roleArn": "credentials"}),
        ({"roleArn": AN_ARN, "accessId": "A"}, {"/auth/params/accessId": "credentials"}),
        ({"accessId": "A", "s3AccessKey": "B"}, {"/auth/params/s3AccessKey": "two-names"}),
        ({"accessId": "A" * 20, "secretKey": "s" * 40, "seceretKey": "x"},
         {"/auth/params/seceretKey": "unknown-field"}),
    ],
    ids=["half of a key", "in each other's place", "no role", "too long", "both", "two names", "another name"],
)  # fmt: skip
def test_what_cannot_sign_in_is_refused_field_by_field(api, params, found):
    assert codes(account(api, destination(api, S3), "Access Key", params)) == found


# -- encryption ---------------------------------------------------------------------------------------------------


def a_public_key(name="ada"):
    """Make a key and return its public half, and its fingerprint."""
    certificate = pysequoia.Tsk.generate(f"{name} <{name}@partner.example>").extract_certificate()
    return str(certificate), certificate.fingerprint.upper()


def encryption(key, **ours):
    params = {"encryptionAlgo": "PGP/GPG", "publicKey": b64encode(key.encode()).decode()}
    return {"specName": "File Encryption", "params": params, **({"x-headrace": ours} if ours else {})}


def test_an_account_pins_the_fingerprint_of_its_key(api, bucket):
    (key, print_), (other, other_print) = a_public_key(), a_public_key("bob")
    id_ = made(account(api, bucket, "S3", WRITER, encryption=encryption(key)))
    assert read(api, "connections", id_)["encryption"]["x-headrace"] == {"fingerprint": print_}

    params = {"op": "replace", "path": "/encryption/params", "value": encryption(other)["params"]}
    refused = patched(api, "connections", id_, params)
    assert codes(refused) == {"/encryption/params/publicKey": "unusable-key"}
    assert other_print in refused.json["errors"][0]["message"]
    pin = {"op": "replace", "path": "/encryption/x-headrace/fingerprint", "value": other_print.lower()}
    assert patched(api, "connections", id_, params, pin).status == 200
    assert read(api, "connections", id_)["encryption"]["x-headrace"] == {"fingerprint": other_print}


def test_a_key_with_another_fingerprint_than_was_told_is_refused(api, bucket):
    (key, _), (_, other) = a_public_key(), a_public_key("bob")

    answer = account(api, bucket, "S3", WRITER, encryption=encryption(key, fingerprint=other))

    assert codes(answer) == {"/encryption/params/publicKey": "unusable-key"}


def test_a_private_key_is_refused_and_told_nowhere(api, bucket):
    private = str(pysequoia.Tsk.generate("ada <ada@partner.example>"))

    answer = account(api, bucket, "S3", WRITER, encryption=encryption(private))

    assert codes(answer) == {"/encryption/params/publicKey": "unusable-key"}
    assert private[100:140] not in answer.text


def test_a_server_that_takes_encrypted_files_only_has_accounts_with_keys(api, sshd, folder):
    changes = at(sshd.port, folder, **{"/fileBasedSFTPDestination/encryptionMode": "PGP"})
    drop = destination(api, SFTP, changes)

    assert codes(account(api, drop, "SFTP_WITH_SSH_KEY", by_key(sshd))) == {"/encryption": "unusable-key"}
    id_ = made(account(api, drop, "SFTP_WITH_SSH_KEY", by_key(sshd), encryption=encryption(a_public_key()[0])))
    assert target(api, drop, id_).status == 201
