"""Backups over REST, quotas, and a disk that is full, as callers meet them."""

import json
import tarfile

import orjson
import pytest

from headrace.store.backup import archive
from support import Api, eventually, in_process

PERSON = {"profileId": "one", "segmentMembership": {}}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with in_process(tmp_path_factory.mktemp("keeping"), renderers=1, reserve_bytes=1 << 20) as headrace:
        yield headrace


def download(api, path):
    """Take a backup as it comes, and keep it in a file."""
    connection = api._connection
    connection.request("POST", "/backups", headers=api.headers)
    answer = connection.getresponse()
    path.write_bytes(answer.read())
    return answer


def sandbox_id(api):
    return api.get("/access/sandboxes").json["items"][0]["id"]


def take(api, *people):
    return api.ingest(orjson.dumps(people), "application/json")


def test_a_backup_is_sent_as_it_is_read_and_is_whole(running, tmp_path):
    assert take(running.api, PERSON).status == 200
    answer = download(running.api, tmp_path / "b")

    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-tar")
    found = archive.verify(tmp_path / "b")
    assert found.rows["profiles"] >= 1
    assert not found.head.at_rest
    newest = running.api.get("/audit?limit=1").json["items"][0]
    assert (newest["action"], newest["noun"]) == ("back-up", "store")
    eventually("it is announced", lambda: "headrace_backup_ended_total 1.0" in running.api.get("/metrics").text)


def test_no_key_and_no_secret_is_in_a_backup(running, tmp_path):
    download(running.api, tmp_path / "b")
    with tarfile.open(tmp_path / "b") as tar:
        members = [tar.extractfile(entry).read() for entry in tar]
    told = b"".join(members + rows_of(tmp_path / "b"))

    keys = json.loads((running.folder / "keys" / "master.key").read_text())["keys"]
    assert keys
    for secret in [*(item["key"] for item in keys), running.credentials["client_secret"]]:
        assert secret.encode() not in told
    assert running.credentials["client_id"].encode() in told


def rows_of(path):
    return [repr(member.rows()).encode() for member in archive.members(path) if member.kind == "tables"]


def test_only_one_backup_is_taken_at_a_time(running, tmp_path):
    busy = running.app.app.state.doors.backing_up._busy
    with busy:
        assert running.api.post("/backups", {}).status == 409
    assert download(running.api, tmp_path / "b").status == 200


def test_who_leaves_in_the_middle_leaves_nothing_behind(running):
    other = Api(running.api.url, running.api.headers)
    other._connection.request("POST", "/backups", headers=other.headers)
    other._connection.getresponse().read(10)
    other.close()

    busy = running.app.app.state.doors.backing_up._busy
    eventually("the next may begin", lambda: not busy.locked())
    assert not (running.folder / "data" / "backing-up").exists()


def test_no_other_organization_takes_a_backup_or_sets_quotas(running):
    other = running.as_client("other@headrace")

    assert other.post("/backups", {}).status == 403
    assert other.get("/quotas").status == 403
    assert other.put(f"/quotas/{sandbox_id(other)}", {"people": 5}).status == 403
    assert other.get("/quota").status == 200


def test_a_quota_that_is_full_is_503_and_when_to_come_back(running):
    api, id_ = running.api, sandbox_id(running.api)
    other = running.as_client("another@headrace")
    people = api.get("/quota").json["quotas"]["people"]["used"]
    assert api.put(f"/quotas/{id_}", {"people": people + 1}).json["quotas"]["people"] == {
        "used": people,
        "most": people + 1,
    }

    assert take(api, {**PERSON, "profileId": "two"}).status == 200
    refused = take(api, {**PERSON, "profileId": "three"})
    assert (refused.status, refused.json["code"]) == (503, "quota-full")
    assert int(refused.headers["retry-after"]) > 0
    assert take(other, PERSON).status == 200
    assert api.put(f"/quotas/{id_}", {"people": -1}).status == 400
    assert api.put("/quotas/nowhere", {}).status == 404
    api.put(f"/quotas/{id_}", {})
    assert take(api, {**PERSON, "profileId": "three"}).status == 200
    assert {item["sandbox"] for item in api.get("/quotas").json["items"]} == {"prod"}
    assert 'headrace_quota_reached_total{quota="people"}' in api.get("/metrics").text


def test_a_full_disk_is_503_and_gets_well_by_itself(running):
    write, reserve = running.app.store.write_now, running.folder / "data" / "reserve"
    assert reserve.stat().st_size == 1 << 20
    large = [{**PERSON, "profileId": f"p{number}", "text": "x" * 20_000} for number in range(200)]
    pages = write(lambda tx: tx.run("PRAGMA page_count").fetchone()[0])
    write(lambda tx: tx.run(f"PRAGMA max_page_count = {pages + 10}").fetchall())

    refused = take(running.api, *large)
    assert (refused.status, refused.json["code"]) == (503, "store-unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert take(running.api, PERSON).status == 503
    assert running.api.get("/quota").status == 200
    write(lambda tx: tx.run("PRAGMA max_page_count = 1000000").fetchall())

    eventually("there is room again", lambda: take(running.api, *large).status == 200)
    assert reserve.stat().st_size == 1 << 20
    assert "headrace_space_is_short_total 1.0" in running.api.get("/metrics").text
