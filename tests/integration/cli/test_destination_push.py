"""Pushing a folder: a plan first, each object in its turn, nobody's work overwritten."""

import io
import json
import sys

import pytest

from headrace.api.authoring import router
from headrace.cli.destination.nouns import NOUNS
from support import AUTHORING

SERVERS = f"{AUTHORING}/destination-servers"
DESTINATIONS = f"{AUTHORING}/destinations"


def lock(desk):
    (home,) = json.loads((desk.home / "acme/headrace.lock.json").read_text())["homes"]
    return home["objects"]


def last_words(ran):
    return ran.out.splitlines()[-1]


@pytest.fixture
def pushed(desk):
    """A desk whose folder is on the server as it is."""
    desk.new()
    desk.run("push", "acme", "--yes")
    return desk


def test_a_folder_is_created_in_the_order_that_works_with_ids_for_names(desk):
    desk.new()

    ran = desk.run("push", "acme", "--yes")

    assert ran.out.splitlines() == [
        "create    servers/acme", "create    destination", "created servers/acme", "created destination", "2 changed",
    ]  # fmt: skip
    (server,), (destination,) = desk.items("destination-servers"), desk.items("destinations")
    assert destination["destinationDelivery"][0]["destinationServerId"] == server["instanceId"]
    body = server["httpTemplate"]["requestBody"]
    assert body["value"] == (desk.home / "acme/servers/acme.body.peb").read_text()
    assert "file" not in body
    assert {name: seen["instanceId"] for name, seen in lock(desk).items()} == {
        "servers/acme": server["instanceId"],
        "destination": destination["instanceId"],
    }


def test_a_plan_changes_nothing(desk):
    desk.new()

    ran = desk.run("push", "acme", "--plan")

    assert ran.out.splitlines() == ["create    servers/acme", "create    destination"]
    assert desk.run("push", "acme", "--plan", "--json").json == {
        "steps": [{"action": "create", "name": "servers/acme"}, {"action": "create", "name": "destination"}]
    }
    assert desk.items("destination-servers") == []
    assert not (desk.home / "acme/headrace.lock.json").exists()


def test_pushing_twice_changes_nothing_and_says_so(pushed):
    before = lock(pushed), pushed.items("destinations")

    ran = pushed.run("push", "acme", "--yes")

    assert last_words(ran) == "nothing to do: the server has what the files say"
    assert (lock(pushed), pushed.items("destinations")) == before
    assert pushed.run("push", "acme").code == 0, "and asks nobody"
    assert pushed.run("push", "acme", "--yes", "--json").json == {"done": []}


def test_only_what_was_edited_is_replaced_and_the_plan_shows_the_difference(pushed):
    pushed.change("acme/servers/acme.yaml", "people", "persons")

    assert pushed.run("diff", "acme").out.splitlines() == [
        "replace   servers/acme",
        "    @@ -3,7 +3,7 @@",
        "     urlBasedDestination:",
        "       url:",
        "         templatingStrategy: NONE",
        "    -    value: https://api.example.com/v1/people",
        "    +    value: https://api.example.com/v1/persons",
        "     httpTemplate:",
        "       httpMethod: POST",
        "       contentType: application/json",
    ]
    assert pushed.run("diff", "acme", "--exit-code", code=1).code == 1
    ran = pushed.run("push", "acme", "--yes")

    assert ran.out.splitlines()[-2:] == ["replaced servers/acme", "1 changed"]
    assert pushed.items("destination-servers")[0]["urlBasedDestination"]["url"]["value"].endswith("/persons")
    assert pushed.run("diff", "acme", "--exit-code").out == ""


def test_a_template_of_its_own_file_is_pushed_when_it_changes(pushed):
    pushed.change("acme/servers/acme.body.peb", '"email"', '"mail"')

    assert last_words(pushed.run("push", "acme", "--yes")) == "1 changed"
    assert '"mail"' in pushed.items("destination-servers")[0]["httpTemplate"]["requestBody"]["value"]


def test_what_changes_comments_and_layout_alone_is_no_difference(pushed):
    path = pushed.home / "acme/servers/acme.yaml"
    path.write_text(
        "# A comment.\n"
        + path.read_text().replace("{templatingStrategy: NONE, ", "{\n    templatingStrategy: NONE,\n    ")
    )

    assert last_words(pushed.run("push", "acme", "--yes")).startswith("nothing to do")


def test_what_is_wrong_stops_a_push_before_it_begins(desk):
    desk.new()
    desk.change("acme/destination.yaml", "status: TEST", "status: Test")

    ran = desk.run("push", "acme", "--yes", code=2)

    assert "acme/destination.yaml:4:1: error: 'Test' is not allowed here" in ran.out
    assert desk.items("destination-servers") == []


def elsewhere(desk, noun=SERVERS, **members):
    """Change an object as a colleague would."""
    (item,) = desk.items(noun.rpartition("/")[2])
    assert desk.api.put(f"{noun}/{item['instanceId']}", {**item, **members}).status == 200


def test_what_a_colleague_changed_is_not_overwritten_unasked(pushed):
    elsewhere(pushed, name="Renamed by a colleague")
    pushed.change("acme/servers/acme.yaml", "people", "persons")

    ran = pushed.run("push", "acme", "--yes", code=2)

    assert ran.err == (
        "headrace: servers/acme: it was changed on the server since it was last pulled or pushed; nothing was done: "
        "pull it, or push with --force\n"
    )
    assert pushed.items("destination-servers")[0]["name"] == "Renamed by a colleague"

    assert last_words(pushed.run("push", "acme", "--yes", "--force")) == "1 changed"
    assert pushed.items("destination-servers")[0]["name"] == "Acme API"


def test_a_colleague_who_made_the_same_change_is_no_conflict(pushed):
    elsewhere(pushed, name="Acme people")
    pushed.change("acme/servers/acme.yaml", "Acme API", "Acme people")

    assert last_words(pushed.run("push", "acme", "--yes")).startswith("nothing to do")


def test_without_a_lock_objects_are_known_again_by_their_names(pushed):
    (pushed.home / "acme/headrace.lock.json").unlink()
    pushed.change("acme/servers/acme.yaml", "people", "persons")

    ran = pushed.run("push", "acme", "--yes")

    assert ran.out.startswith("replace   servers/acme (the only one of this name on the server)")
    assert len(pushed.items("destination-servers")) == len(pushed.items("destinations")) == 1
    assert set(lock(pushed)) == {"servers/acme", "destination"}


def test_of_several_of_one_name_none_is_taken(pushed):
    (server,) = pushed.items("destination-servers")
    pushed.api.post(SERVERS, {key: value for key, value in server.items() if key != "instanceId"})
    (pushed.home / "acme/headrace.lock.json").unlink()

    ran = pushed.run("push", "acme", "--plan")

    assert ran.out.startswith("create    servers/acme (the server has 2 of this name already)")


def test_what_was_deleted_there_is_created_again(pushed):
    pushed.api.delete(f"{DESTINATIONS}/{pushed.items('destinations')[0]['instanceId']}")

    ran = pushed.run("push", "acme", "--yes")

    assert "create    destination (it was deleted on the server)" in ran.out
    assert len(pushed.items("destinations")) == 1


def test_what_has_no_file_any_more_is_deleted_only_with_prune_and_what_points_first(pushed):
    (pushed.home / "acme/servers/acme.yaml").rename(pushed.home / "acme/servers/api.yaml")
    pushed.change("acme/destination.yaml", "servers/acme", "servers/api")
    pushed.change("acme/servers/api.yaml", "Acme API", "Another API")

    kept = pushed.run("push", "acme", "--yes")
    assert "unchanged servers/acme" not in kept.out
    assert "leave     servers/acme (it has no file here any more; --prune deletes it there)" in kept.out
    assert len(pushed.items("destination-servers")) == 2

    pruned = pushed.run("push", "acme", "--yes", "--prune")
    assert pruned.out.splitlines()[-2:] == ["deleted servers/acme", "1 changed"]
    assert [item["name"] for item in pushed.items("destination-servers")] == ["Another API"]


def test_pruning_takes_everything_away_destinations_first(pushed):
    (pushed.home / "acme/destination.yaml").unlink()
    (pushed.home / "acme/servers/acme.yaml").unlink()
    (pushed.home / "acme/servers/other.yaml").write_text(
        "name: Other\ndestinationServerType: URL_BASED\n"
        "urlBasedDestination: {url: {templatingStrategy: NONE, value: 'https://x.example'}}\n"
    )

    ran = pushed.run("push", "acme", "--yes", "--prune")

    assert ran.out.splitlines()[-4:] == [
        "created servers/other", "deleted destination", "deleted servers/acme", "3 changed",
    ]  # fmt: skip


def test_a_server_and_its_destination_may_change_together(pushed):
    """Each refuses the other's old form: the template reads a field that the destination gets in the same push."""
    pushed.change(
        "acme/servers/acme.yaml",
        'value: "https://api.example.com',
        'value: "https://{{ customerData.region }}.example.com',
    )
    pushed.change("acme/servers/acme.yaml", "url: {templatingStrategy: NONE", "url: {templatingStrategy: PEBBLE_V1")
    pushed.change(
        "acme/destination.yaml", "status: TEST\n", "status: TEST\ncustomerDataFields: [{name: region, type: string}]\n"
    )

    ran = pushed.run("push", "acme", "--yes")
    assert ran.out.splitlines()[-3:] == ["replaced destination", "replaced servers/acme", "2 changed"]

    pushed.change("acme/servers/acme.yaml", "{{ customerData.region }}", "eu")
    pushed.change("acme/destination.yaml", "customerDataFields: [{name: region, type: string}]\n", "")
    ran = pushed.run("push", "acme", "--yes")
    assert ran.out.splitlines()[-3:] == ["replaced servers/acme", "replaced destination", "2 changed"]


def test_a_refusal_stops_the_push_says_what_is_done_and_the_next_one_goes_on(desk):
    desk.new()
    unknown = "8b0d6a62-0000-4000-8000-000000000002"
    desk.change("acme/destination.yaml", "destinationServerId: servers/acme", f"destinationServerId: {unknown}")

    ran = desk.run("push", "acme", "--yes", code=2)

    assert ran.out.splitlines()[-1] == "created servers/acme"
    first, finding, *_, last = ran.err.splitlines()
    assert first == "destination: there is 1 problem"
    assert finding.startswith("acme/destination.yaml:28:5: error: there is no destination server")
    assert last == "not done: destination; mend this and push again: it goes on from here"

    desk.change("acme/destination.yaml", unknown, "servers/acme")
    ran = desk.run("push", "acme", "--yes")
    assert ran.out.splitlines() == [
        "unchanged servers/acme",
        "create    destination",
        "created destination",
        "1 changed",
    ]


def test_every_server_has_its_own_lines_in_the_lock(pushed, house, tmp_path):
    other = house.as_client(f"other-of-{tmp_path.name}")
    credentials = json.loads((pushed.home / "sign-in.json").read_text())
    there = {**credentials, "org": other.headers["x-gw-ims-org-id"], "client_id": other.headers["x-api-key"]}
    (pushed.home / "sign-in.json").write_text(json.dumps(there))

    assert last_words(pushed.run("push", "acme", "--yes")) == "2 changed"

    homes = json.loads((pushed.home / "acme/headrace.lock.json").read_text())["homes"]
    assert [home["org"] for home in homes] == sorted([credentials["org"], there["org"]])


@pytest.mark.parametrize(("answer", "count"), [("n\n", 0), ("y\n", 1)], ids=["no", "yes"])
def test_who_sits_at_a_terminal_is_asked(desk, answer, count):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    desk.new()
    desk.patch.setattr(sys, "stdin", Terminal(answer))

    ran = desk.run("push", "acme", code=None)

    assert ran.code == (0 if count else 1)
    assert f"Do this at {desk.api.url}, sandbox prod? [y/N]" in ran.out
    assert len(desk.items("destinations")) == count


def test_a_lock_that_nobody_can_read_is_not_overwritten(pushed):
    (pushed.home / "acme/headrace.lock.json").write_text("<<<<<<< HEAD\n")

    ran = pushed.run("push", "acme", "--yes", code=2)

    assert "take it from your history, or delete it" in ran.err


#: The kinds that the server of this checkout has routes for, each with a file and what to change in it.
FILES = {
    "destination-server": (
        "servers/x.yaml",
        "name: X\ndestinationServerType: URL_BASED\nurlBasedDestination: {url: {templatingStrategy: NONE, value: 'https://x.example'}}\n",
        ("x.example", "y.example"),
    ),
    "audience-template": (
        "audience-templates/x.yaml",
        "metadataTemplate:\n  name: X\n  create:\n    url: https://x.example\n    httpMethod: POST\n"
        "    responseFields: [{name: externalAudienceId, value: '{{body.id}}'}]\n",
        ("x.example", "y.example"),
    ),
    "credentials": (
        "credentials/x.yaml",
        "name: X\nbasicAuthentication: {username: me, password: {env: X_PASSWORD}}\n",
        ("username: me", "username: you"),
    ),
}
SERVED = {route.path for route in router.routes}


@pytest.mark.parametrize("noun", [noun for noun in FILES if NOUNS[noun].route in SERVED])
def test_every_kind_of_object_is_created_known_again_changed_and_deleted(desk, noun):
    file, text, (old, new) = FILES[noun]
    path = desk.home / "folder" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    desk.patch.setenv("X_PASSWORD", "hunter2")
    push = ("push", "folder", "--yes", "--prune")

    assert last_words(desk.run(*push)) == "1 changed"
    desk.patch.delenv("X_PASSWORD")
    assert last_words(desk.run(*push)).startswith("nothing to do")
    desk.change(f"folder/{file}", old, new)
    assert last_words(desk.run(*push)) == "1 changed"
    assert last_words(desk.run(*push)).startswith("nothing to do")
    assert desk.run("pull", "--folder", "copy").out.startswith("written   copy/")
    assert "hunter2" not in "".join(one.read_text() for one in (desk.home / "copy").rglob("*.*"))
    desk.patch.setenv("X_PASSWORD", "another")
    assert ("(sent X_PASSWORD)\n" in desk.run(*push, "--secrets").out) == ("env: X_PASSWORD" in text)
    same = "sent X_PASSWORD, the same as before" in desk.run(*push, "--secrets").out
    assert same == ("env: X_PASSWORD" in text)
    path.unlink()
    assert last_words(desk.run(*push)) == "1 changed"
    assert desk.items(NOUNS[noun].route.rpartition("/")[2]) == []


LOOKED_UP = """
  x-headrace:
    find:
      url: https://x.example?ref={{segment.id}}
      httpMethod: GET
      responseFields: [{name: externalAudienceId, value: '{{body.id}}'}]
    list:
      url: https://x.example
      httpMethod: GET
      responseFields: [{name: audiences, value: '{{body.audiences}}'}]
"""


def test_what_an_audience_template_has_of_ours_is_pushed_known_again_and_pulled(desk):
    file, text, _ = FILES["audience-template"]
    path = desk.home / "folder" / file
    path.parent.mkdir(parents=True)
    path.write_text(text + LOOKED_UP.lstrip("\n"))

    assert last_words(desk.run("push", "folder", "--yes")) == "1 changed"
    (kept,) = desk.items("audience-templates")
    ours = kept["metadataTemplate"]["x-headrace"]
    assert (ours["find"]["url"], ours["list"]["url"]) == ("https://x.example?ref={{segment.id}}", "https://x.example")
    assert last_words(desk.run("push", "folder", "--yes")).startswith("nothing to do")

    desk.change(f"folder/{file}", "?ref=", "?id=")
    assert "?id={{segment.id}}" in desk.run("diff", "folder", code=None).out
    assert last_words(desk.run("push", "folder", "--yes")) == "1 changed"
    desk.run("pull", "--folder", "copy")
    assert "?id={{segment.id}}" in "".join(one.read_text() for one in (desk.home / "copy").rglob("*.*"))
