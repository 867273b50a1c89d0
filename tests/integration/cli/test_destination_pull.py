"""Pulling what a server has: what was edited here stays, and what comes can be pushed again."""

import json
from pathlib import Path

import pytest

from support import AUTHORING

SERVERS = f"{AUTHORING}/destination-servers"


@pytest.fixture
def pushed(desk):
    desk.new()
    desk.run("push", "acme", "--yes")
    return desk


def elsewhere(desk, **members):
    (item,) = desk.items("destination-servers")
    assert desk.api.put(f"{SERVERS}/{item['instanceId']}", {**item, **members}).status == 200


def results(ran):
    return [tuple(line.split()[:2]) for line in ran.out.splitlines()]


def test_an_empty_folder_is_filled_with_everything_named_after_it(pushed):
    ran = pushed.run("pull", "--folder", "copy")

    assert results(ran) == [("written", "copy/servers/acme-api.yaml"), ("written", "copy/destination.yaml")]
    assert "destinationServerId: servers/acme-api" in (pushed.home / "copy/destination.yaml").read_text()
    assert pushed.run("validate", "copy", signed_in=False).out == "2 files: no problems\n"
    assert pushed.run("push", "copy", "--yes").out.endswith("nothing to do: the server has what the files say\n")


def test_what_is_as_it_was_is_not_touched(pushed):
    before = {path: path.stat().st_mtime_ns for path in (pushed.home / "acme").rglob("*.yaml")}

    ran = pushed.run("pull", "--folder", "acme")

    assert [result for result, _ in results(ran)] == ["same", "same"]
    assert {path: path.stat().st_mtime_ns for path in (pushed.home / "acme").rglob("*.yaml")} == before


def test_what_changed_on_the_server_is_written_in_the_form_of_its_file(pushed):
    (body,) = [item["httpTemplate"] for item in pushed.items("destination-servers")]
    changed = {**body, "requestBody": {**body["requestBody"], "value": '{"a": 1}\n'}}
    elsewhere(pushed, name="Renamed", httpTemplate=changed)

    ran = pushed.run("pull", "--folder", "acme")

    assert "written   acme/servers/acme.yaml (its comments are lost)" in ran.out
    text = (pushed.home / "acme/servers/acme.yaml").read_text()
    assert text.startswith("name: Renamed\n")
    assert "    file: acme.body.peb\n" in text
    assert (pushed.home / "acme/servers/acme.body.peb").read_text() == '{"a": 1}\n'
    assert pushed.run("push", "acme", "--yes").out.endswith("nothing to do: the server has what the files say\n")


def test_a_json_file_stays_one(pushed):
    folder = pushed.home / "acme"
    (folder / "servers/acme.yaml").unlink()
    (item,) = pushed.items("destination-servers")
    document = {
        key: value for key, value in item.items() if key not in ("instanceId", "createdDate", "lastModifiedDate")
    }
    (folder / "servers/acme.json").write_text(json.dumps(document))
    pushed.run("push", "acme", "--yes")
    elsewhere(pushed, name="Renamed")

    pushed.run("pull", "--folder", "acme")

    assert json.loads((folder / "servers/acme.json").read_text())["name"] == "Renamed"
    assert not (folder / "servers/acme.yaml").exists()


def test_what_was_edited_here_stays(pushed):
    pushed.change("acme/servers/acme.yaml", "people", "persons")

    ran = pushed.run("pull", "--folder", "acme")

    assert "edited    acme/servers/acme.yaml (edited here, and not on the server since; push it)" in ran.out
    assert "persons" in (pushed.home / "acme/servers/acme.yaml").read_text()


def test_what_was_edited_on_both_sides_is_a_conflict_until_one_is_chosen(pushed):
    pushed.change("acme/servers/acme.yaml", "people", "persons")
    elsewhere(pushed, name="Renamed")

    ran = pushed.run("pull", "--folder", "acme", code=2)

    assert "conflict  acme/servers/acme.yaml (edited here and on the server; " in ran.out
    assert "persons" in (pushed.home / "acme/servers/acme.yaml").read_text()

    pushed.run("pull", "--folder", "acme", "--force")
    assert (pushed.home / "acme/servers/acme.yaml").read_text().startswith("name: Renamed\n")


def test_a_file_that_cannot_be_read_is_not_overwritten(pushed):
    path = pushed.home / "acme/servers/acme.yaml"
    path.write_text("name: [half a thought\n")

    ran = pushed.run("pull", "--folder", "acme", code=2)

    assert "conflict  acme/servers/acme.yaml (the file here cannot be read; mend it, or --force)" in ran.out
    assert path.read_text() == "name: [half a thought\n"


def test_what_is_gone_there_keeps_its_file(pushed):
    pushed.api.delete(f"{AUTHORING}/destinations/{pushed.items('destinations')[0]['instanceId']}")

    ran = pushed.run("pull", "--folder", "acme")

    assert "gone      acme/destination.yaml (it was deleted on the server; its file stays)" in ran.out
    assert (pushed.home / "acme/destination.yaml").exists()


def another(desk, name):
    """Make a second destination, at the same server."""
    (item,) = desk.items("destinations")
    answer = desk.api.post(f"{AUTHORING}/destinations", {**item, "name": name, "instanceId": None} | {})
    assert answer.status == 200, answer.text


def test_several_destinations_lie_in_a_folder_of_their_own(pushed):
    another(pushed, "../../Evil: Ünique")

    ran = pushed.run("pull", "--folder", "copy")

    assert results(ran)[1:] == [
        ("written", "copy/destinations/acme.yaml"),
        ("written", "copy/destinations/evil-unique.yaml"),
    ]
    assert {path.parent.name for path in Path("copy").rglob("*.yaml")} == {"destinations", "servers"}


def test_one_of_several_is_pulled_by_its_name_with_what_it_points_to(pushed):
    another(pushed, "Other")

    ran = pushed.run("pull", "Other", "--folder", "copy", "--json")

    assert [(item["name"], item["result"]) for item in ran.json["items"]] == [
        ("servers/acme-api", "written"),
        ("destination", "written"),
    ]
    refused = pushed.run("pull", "Nobody", "--folder", "copy", code=2)
    assert refused.err == "headrace: there is no destination 'Nobody' on the server; these are: Acme, Other\n"


def test_a_second_destination_has_no_place_in_a_folder_for_one(pushed):
    another(pushed, "Other")

    ran = pushed.run("pull", "Other", "--folder", "acme", code=2)

    assert "this folder is for one destination: move destination.yaml to destinations/" in ran.err
