"""Every version of an object is kept: who made it, what it was, what has changed, and how it comes back."""

import pytest

from .conftest import DESTINATIONS, SERVERS, codes, destination_on


@pytest.fixture
def server(api, server_document):
    """A server that was replaced twice, and the path of it."""
    created = api.post(SERVERS, {**server_document, "name": "first"}).json
    where = f"{SERVERS}/{created['instanceId']}"
    for name in ("second", "third"):
        api.put(where, {**server_document, "name": name})
    return where


def test_the_versions_are_listed_newest_first_with_who_made_them(headrace, api, server):
    listed = api.get(f"{server}/versions").json

    assert [(item["version"], item["action"]) for item in listed["items"]] == [
        (3, "replace"), (2, "replace"), (1, "create"),
    ]  # fmt: skip
    assert {item["actor"] for item in listed["items"]} == {f"client:{headrace.credentials['client_id']}"}
    assert all(item["date"].endswith("Z") for item in listed["items"])


def test_the_versions_come_in_pages(api, server):
    first = api.get(f"{server}/versions?limit=2").json
    rest = api.get(f"{server}/versions?limit=2&before={first['next']}").json

    assert [item["version"] for item in first["items"] + rest["items"]] == [3, 2, 1]
    assert (first["next"], rest["next"]) == (2, None)


def test_a_version_is_read_as_it_was(api, server, server_document):
    read = api.get(f"{server}/versions/1").json

    assert read["name"] == "first"
    assert read["httpTemplate"] == server_document["httpTemplate"]
    made = read["x-headrace"]["version"]
    assert (made["version"], made["action"]) == (1, "create")
    assert api.put(server, read).json["name"] == "first"


def test_the_last_change_is_told_and_any_other_when_asked_for(api, server):
    last = api.get(f"{server}/diff").json
    all_ = api.get(f"{server}/diff?from=1&to=3").json
    back = api.get(f"{server}/diff?from=3&to=1").json

    change = {"op": "replace", "path": "/name", "before": "second", "after": "third"}
    assert last == {"from": 2, "to": 3, "changes": [change]}
    assert all_["changes"] == [{**change, "before": "first"}]
    assert back["changes"] == [{**change, "before": "third", "after": "first"}]
    assert api.get(f"{server}/diff?from=2&to=2").json["changes"] == []


def test_the_first_version_is_an_addition_of_everything(api, server_document):
    created = api.post(SERVERS, server_document).json

    answer = api.get(f"{SERVERS}/{created['instanceId']}/diff").json

    assert answer == {"from": 0, "to": 1, "changes": [{"op": "add", "path": "", "after": server_document}]}


def test_an_earlier_version_becomes_the_newest(api, server):
    restored = api.post(f"{server}/versions/1/restore", None)

    assert restored.status == 200
    assert restored.json["name"] == "first"
    assert api.get(server).json == restored.json
    newest = api.get(f"{server}/versions?limit=1").json["items"][0]
    assert (newest["version"], newest["action"]) == (4, "restore")


def test_what_is_deleted_keeps_its_versions_and_comes_back_under_its_id(api, server):
    before = api.get(server).json
    api.delete(server)

    listed = api.get(f"{server}/versions").json["items"]
    assert [item["action"] for item in listed] == ["delete", "replace", "replace", "create"]
    assert api.get(f"{server}/versions/4").status == 404
    assert api.post(f"{server}/versions/4/restore", None).status == 404
    assert api.get(f"{server}/diff").json["changes"][0]["op"] == "remove"

    restored = api.post(f"{server}/versions/3/restore", None)

    assert restored.status == 200
    assert {**restored.json, "lastModifiedDate": ""} == {**before, "lastModifiedDate": ""}
    assert api.get(f"{server}/versions?limit=1").json["items"][0]["version"] == 5
    assert api.put(server, {**before, "name": "sixth"}).status == 200


def test_a_version_that_is_right_no_longer_is_not_brought_back(api, server_document):
    server = api.post(SERVERS, server_document).json["instanceId"]
    other = api.post(SERVERS, server_document).json["instanceId"]
    destination = api.post(DESTINATIONS, destination_on(server)).json["instanceId"]
    where = f"{DESTINATIONS}/{destination}"
    assert api.put(where, destination_on(other)).status == 200
    assert api.delete(f"{SERVERS}/{server}").status == 200

    answer = api.post(f"{where}/versions/1/restore", None)

    assert codes(answer) == {"/destinationDelivery/0/destinationServerId": "unknown-server"}


@pytest.mark.parametrize("version", ["0", "4", "-1", "x", "1.0", "9" * 30, "%00", "%D9%A1"])
def test_a_version_that_is_not_there_is_404(api, server, version):
    assert api.get(f"{server}/versions/{version}").status == 404
    assert api.post(f"{server}/versions/9/restore", None).status == 404


@pytest.mark.parametrize("end", ["versions", "versions/1", "diff", "diff?from=1&to=2"])
def test_versions_of_another_sandbox_look_as_if_they_were_not_there(headrace, api, server, end):
    stranger, id_ = headrace.as_client(sandbox="other"), server.rpartition("/")[2]

    foreign, absent = stranger.get(f"{server}/{end}"), stranger.get(f"{SERVERS}/absent/{end}")

    assert api.get(f"{server}/{end}").status == 200
    assert (foreign.status, foreign.text) == (404, absent.text.replace("absent", id_))
    assert stranger.post(f"{server}/versions/1/restore", None).status == 404
