"""``headrace destination``: what needs no server, and what is asked of one without changing it."""

import json

import pytest

from support import AUTHORING


def test_a_new_folder_is_valid(desk):
    ran = desk.run("new", "Acme", signed_in=False)

    assert ran.out.splitlines() == [
        "wrote acme/destination.yaml",
        "wrote acme/servers/acme.yaml",
        "wrote acme/servers/acme.body.peb",
    ]
    assert desk.run("validate", "acme", signed_in=False).out == "2 files: no problems\n"


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "\x1b[2J"])
def test_a_name_that_is_none_is_refused(desk, name):
    assert "is no name for a destination" in desk.run("new", name, signed_in=False, code=2).err
    assert [path.name for path in desk.home.iterdir()] == ["sign-in.json"]


def test_a_new_folder_overwrites_nothing(desk):
    folder = desk.new()
    (folder / "destination.yaml").write_text("mine")

    ran = desk.run("new", "Acme", signed_in=False, code=2)

    assert ran.err == "headrace: acme/destination.yaml is already there: choose another --folder\n"
    assert (folder / "destination.yaml").read_text() == "mine"


def test_errors_are_shown_with_their_lines_and_end_with_2(desk):
    desk.new()
    desk.change("acme/destination.yaml", "status: TEST", "status: Test")

    ran = desk.run("validate", "acme", signed_in=False, code=2)

    first, *rest = ran.out.splitlines()
    assert first.startswith("acme/destination.yaml:4:1: error: 'Test' is not allowed here; use 'TEST', ")
    assert rest == ["status: Test", "^", "2 files: 1 error"]
    (problem,) = desk.run("validate", "acme", "--json", signed_in=False, code=2).json["problems"]
    assert (problem["file"], problem["line"], problem["code"]) == ("acme/destination.yaml", 4, "not-allowed")


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 1)], ids=["by default", "strictly"])
def test_warnings_end_with_1_if_that_is_asked_for(desk, strict, code):
    desk.new()
    desk.change("acme/destination.yaml", "segmentNamespaceDenyList", "segmentNamespaceDenied")

    ran = desk.run("validate", "acme", *strict, signed_in=False, code=code)

    assert ran.out.endswith("2 files: 1 warning\n")


def test_a_folder_that_is_not_there_is_one_line(desk):
    assert desk.run("validate", "no", signed_in=False, code=2).err == "headrace: there is no folder no\n"


def test_the_list_shows_what_the_server_has(desk):
    desk.new()
    desk.run("push", "acme", "--yes")

    ran = desk.run("list")

    head, row = ran.out.splitlines()
    assert head.split() == ["name", "kind", "status", "version", "modified", "published", "id"]
    assert row.split()[:3] == ["Acme", "streaming", "TEST"]
    (item,) = desk.run("list", "--json").json["items"]
    assert item["id"] == desk.items("destinations")[0]["instanceId"]


def test_what_would_steer_a_terminal_is_shown_and_not_obeyed(desk):
    desk.new()
    desk.change("acme/destination.yaml", 'name: "Acme"', 'name: "Acme \\e[2J"')
    desk.run("push", "acme", "--yes")

    ran = desk.run("list")

    assert "Acme \\x1b[2J  streaming" in ran.out


def test_a_page_is_written_from_the_folder_and_from_the_server_alike(desk):
    folder = desk.new()
    desk.run("push", "acme", "--yes")

    local = desk.run("docs", "--folder", "acme", "--output", "acme.md")
    remote = desk.run("docs", "Acme", "--remote")

    assert local.out == "wrote acme.md\n"
    assert (desk.home / "acme.md").read_text() == remote.out
    assert remote.out.startswith('---\ntitle: "Acme connection"\n')
    (folder / "destination.yaml").unlink()
    refused = desk.run("docs", "--folder", "acme", code=2)
    assert refused.err == "headrace: name a destination of acme; these are: (none)\n"


def test_what_the_author_might_write_better_is_told_beside_the_page(desk):
    desk.new()
    desk.change("acme/destination.yaml", "contact: integrations@example.com", "prerequisites: Please ask.")

    ran = desk.run("docs", "--folder", "acme")

    assert ran.err.splitlines() == [
        "warning: documentation.prerequisites: “Please”: say what to do, without it",
        "warning: documentation.contact is missing: readers want to know whom to ask",
    ]


def test_a_destination_is_deleted_by_its_name_and_a_server_by_its_file(desk):
    desk.new()
    desk.run("push", "acme", "--yes")

    refused = desk.run("delete", "servers/acme", "--folder", "acme", "--yes", code=2)
    assert refused.err.startswith("headrace: the destination server 'servers/acme' stays: ")
    assert "destination 'Acme'" in refused.err

    assert desk.run("delete", "Acme", "--folder", "acme", "--yes").out == "deleted Acme\n"
    assert desk.run("delete", "servers/acme", "--folder", "acme", "--yes").out == "deleted servers/acme\n"
    assert (desk.items("destinations"), desk.items("destination-servers")) == ([], [])
    assert json.loads((desk.home / "acme/headrace.lock.json").read_text())["homes"] == []


def test_what_is_not_there_cannot_be_deleted(desk):
    ran = desk.run("delete", "Nobody", "--yes", code=2)

    assert ran.err.startswith("headrace: the server has no destination 'Nobody'; ")


def test_of_two_destinations_of_one_name_none_is_deleted_by_it(desk):
    desk.new()
    desk.run("push", "acme", "--yes")
    document = desk.items("destinations")[0]
    desk.api.post(f"{AUTHORING}/destinations", {key: document[key] for key in document if key != "instanceId"})

    ran = desk.run("delete", "Acme", "--yes", code=2)

    assert "the server has 2 destinations 'Acme'" in ran.err


def test_nobody_to_ask_is_said_so(desk):
    desk.new()

    assert desk.run("push", "acme", code=2).err == "headrace: there is nobody to ask: add --yes\n"
    assert desk.run("push", "acme", "--json", code=2).err.startswith("headrace: with --json nobody is asked")
    assert desk.items("destination-servers") == []


def test_the_environment_says_how_to_sign_in(desk):
    credentials = json.loads((desk.home / "sign-in.json").read_text())
    for name, value in credentials.items():
        desk.patch.setenv(f"HEADRACE_{name.upper()}", value)

    assert desk.run("list", "--json", signed_in=False).json == {"items": []}

    desk.patch.delenv("HEADRACE_ORG")
    assert "beside HEADRACE_URL set HEADRACE_ORG" in desk.run("list", signed_in=False, code=2).err


def test_a_server_that_is_not_there_is_said_so(desk):
    for name in ("client_id", "client_secret", "org"):
        desk.patch.setenv(f"HEADRACE_{name.upper()}", "x")
    desk.patch.setenv("HEADRACE_URL", "http://127.0.0.1:1")

    ran = desk.run("list", signed_in=False, code=2)

    assert ran.err.startswith("headrace: nothing answers at HEADRACE_URL, http://127.0.0.1:1: ")
