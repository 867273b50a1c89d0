"""What is in a folder, and that nothing outside of it is."""

import os

import pytest

from headrace.cli.destination.folder import read_folder
from headrace.cli.destination.inside import LARGEST, OutsideError, write_text
from headrace.errors import AuthoringError
from unit.cli.destination.making import acme, found, write

TEMPLATE = "name: x\nrequestBody: {{templatingStrategy: PEBBLE_V1, file: {}}}\n"


def test_a_file_for_each_object_named_as_references_say(tmp_path):
    files = ["destinations/one.yaml", "destinations/two.yml", "servers/api.json", "audience-templates/acme.yaml"]
    others = ["credentials/shared.yaml", "README.md", "servers/body.peb", "servers/.hidden.yaml"]
    write(tmp_path, dict.fromkeys(files + others, "{}"))

    folder = read_folder(tmp_path)

    assert set(folder.objects) == {
        "destinations/one", "destinations/two", "servers/api", "audience-templates/acme", "credentials/shared",
    }  # fmt: skip
    assert folder.findings == []


def test_a_template_of_another_file_stands_in_its_place(tmp_path):
    write(tmp_path, {"servers/api.yaml": TEMPLATE.format("bodies/a.peb"), "servers/bodies/a.peb": "Hello\r\n"})

    item = read_folder(tmp_path).objects["servers/api"]

    assert item.document["requestBody"] == {"templatingStrategy": "PEBBLE_V1", "value": "Hello\r\n"}
    assert item.files == {"/requestBody/value": tmp_path / "servers/bodies/a.peb"}


@pytest.mark.parametrize(
    "name", ["../outside.peb", "a/../../outside.peb", "/etc/hostname", "''", "link.peb", "door/x.peb"]
)
def test_a_template_outside_of_the_folder_is_refused(tmp_path, name):
    root = tmp_path / "folder"
    write(tmp_path, {"outside.peb": "secret", "beyond/x.peb": "secret"})
    write(root, {"servers/api.yaml": TEMPLATE.format(name)})
    (root / "servers" / "link.peb").symlink_to(tmp_path / "outside.peb")
    (root / "servers" / "door").symlink_to(tmp_path / "beyond")

    folder = read_folder(root)

    assert [one.code for one in folder.findings] == ["outside-folder"]
    assert folder.objects["servers/api"].document["requestBody"]["value"] == ""


def test_an_object_that_lies_elsewhere_is_refused(tmp_path):
    root = write(tmp_path / "folder", {"servers/x.yaml": "name: x"})
    write(tmp_path, {"elsewhere.yaml": "name: y"})
    (root / "servers" / "y.yaml").symlink_to(tmp_path / "elsewhere.yaml")

    folder = read_folder(root)

    assert set(folder.objects) == {"servers/x"}
    assert [one.code for one in folder.findings] == ["outside-folder"]


def test_nothing_is_written_through_a_link_that_leads_out(tmp_path):
    root = write(tmp_path / "folder", {"x.yaml": ""})
    (root / "servers").symlink_to(tmp_path)

    with pytest.raises(OutsideError):
        write_text(root, root / "servers" / "new.yaml", "x")

    assert not (tmp_path / "new.yaml").exists()


CANNOT_BE_READ = {
    "not there": (None, "there is no such file"),
    "not UTF-8": (b"\xff\xfe", "not in UTF-8"),
    "too large": (b"x" * (LARGEST + 1), "larger than"),
}


@pytest.mark.parametrize(("content", "says"), CANNOT_BE_READ.values(), ids=CANNOT_BE_READ)
def test_a_template_that_cannot_be_read_is_named(tmp_path, content, says):
    write(tmp_path, {"servers/api.yaml": TEMPLATE.format("a.peb")})
    if content is not None:
        (tmp_path / "servers/a.peb").write_bytes(content)

    (one,) = read_folder(tmp_path).findings

    assert (one.code, one.place.line) == ("template-file", 2)
    assert says in one.message


def test_what_would_block_who_reads_it_is_no_file(tmp_path):
    write(tmp_path, {"servers/api.yaml": TEMPLATE.format("a.peb")})
    os.mkfifo(tmp_path / "servers/a.peb")

    (one,) = read_folder(tmp_path).findings

    assert "this is not a file" in one.message


def test_a_template_in_two_places_is_refused(tmp_path):
    write(tmp_path, {"servers/api.yaml": "b: {templatingStrategy: NONE, value: x, file: a.peb}\n"})

    (one,) = read_folder(tmp_path).findings

    assert "keep one of the two" in one.message


def test_two_files_of_one_name_are_refused(tmp_path):
    write(tmp_path, {"servers/api.yaml": "name: x", "servers/api.json": "{}"})

    assert [one.code for one in read_folder(tmp_path).findings] == ["two-files"]


def test_a_folder_has_one_destination_or_a_folder_of_them(tmp_path):
    acme(tmp_path)
    (tmp_path / "destinations").mkdir()
    (tmp_path / "destinations/other.yaml").write_text((tmp_path / "destination.yaml").read_text())

    assert [line.rpartition("[")[2] for line in found(tmp_path)] == ["two-files]"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(AuthoringError, match="there is no folder"):
        read_folder(tmp_path / "no")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    write_text(tmp_path, tmp_path / "a" / "b.yaml", "one")

    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path, tmp_path / "a" / "b.yaml", "two \ud800")

    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.yaml"]
    assert (tmp_path / "a" / "b.yaml").read_text() == "one"
