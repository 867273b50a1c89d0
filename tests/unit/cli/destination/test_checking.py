"""A folder is checked without a server: every problem, at its line."""

import json
import re

import pytest

from headrace.cli.destination.checking import check
from headrace.cli.destination.folder import read_folder
from unit.cli.destination.making import acme, changed, found, write

SERVER = "servers/acme.yaml"


def test_a_new_folder_has_no_problems(tmp_path):
    assert found(acme(tmp_path)) == []


def test_every_problem_of_every_file_is_told_at_once_where_it_stands(tmp_path):
    acme(tmp_path)
    changed(tmp_path, "destination.yaml", "status: TEST", "status: Test")
    changed(tmp_path, "destination.yaml", "  frequency:", "  flowRunSupported: true\n  frequency:")
    changed(tmp_path, SERVER, "httpMethod: POST", "httpMethod: SEND")

    assert found(tmp_path) == [
        "destination.yaml:4:1: error: 'Test' is not allowed here; use 'TEST', 'PUBLISHED' or 'DELETED' [not-allowed]",
        "destination.yaml:9:3: error: `flowRunSupported` is not a field here; did you mean `flowRunsSupported`? "
        "[unknown-field]",
        "servers/acme.yaml:7:3: error: 'SEND' is not allowed here; use 'GET', 'PUT', 'POST', 'DELETE', 'PATCH', "
        "'OPTIONS' or 'HEAD' [not-allowed]",
    ]


def test_a_finding_shows_its_line(tmp_path):
    acme(tmp_path)
    changed(tmp_path, "destination.yaml", "status: TEST", "status: Test")

    (one,) = check(read_folder(tmp_path))

    assert str(one).splitlines()[1:] == ["status: Test", "^"]
    assert one.as_json() == {
        "file": str(tmp_path / "destination.yaml"),
        "line": 4,
        "column": 1,
        "path": "/status",
        "severity": "error",
        "code": "not-allowed",
        "message": "'Test' is not allowed here; use 'TEST', 'PUBLISHED' or 'DELETED'",
    }


def test_a_mistake_of_a_template_is_told_in_its_own_file(tmp_path):
    acme(tmp_path)
    changed(tmp_path, "servers/acme.body.peb", "identityMap.email[0].id", "")

    (line,) = found(tmp_path)

    assert re.fullmatch(r"servers/acme\.body\.peb:3:\d+: error: .* \[template-syntax\]", line)


def test_a_mistake_of_a_template_in_a_block_is_told_at_its_line_of_the_block(tmp_path):
    acme(tmp_path)
    block = 'value: |\n        {"a": 1,\n         "b": {{ input.profile. }}\n        }'
    changed(tmp_path, SERVER, "file: acme.body.peb", block)

    (line,) = found(tmp_path)

    assert line.startswith("servers/acme.yaml:13:")
    text = (tmp_path / SERVER).read_text().splitlines()[12]
    assert text[int(line.split(":")[2]) - 1 :].startswith("}}")


def test_a_mistake_of_a_template_in_one_line_says_where_in_it(tmp_path):
    acme(tmp_path)
    changed(tmp_path, SERVER, "file: acme.body.peb", 'value: "{{ x"')

    (line,) = found(tmp_path)

    assert line.startswith("servers/acme.yaml:11:")
    assert "line 1, column" in line


def test_json_files_are_told_of_in_the_same_way(tmp_path):
    server = {
        "name": "x",
        "destinationServerType": "URL_BASED",
        "urlBasedDestination": {"url": {"value": "https://x.example"}},
    }
    write(tmp_path, {"servers/api.json": json.dumps(server, indent=2)})

    assert found(tmp_path) == ["servers/api.json:5:5: error: `templatingStrategy` is missing; add it [missing-field]"]


REFERENCES = {
    "to nothing": ("servers/akme", "did you mean `servers/acme`?"),
    "without its folder": ("acme", "did you mean `servers/acme`?"),
    "to another kind": ("credentials/acme", "did you mean `servers/acme`?"),
    "to what nothing resembles": (
        "servers/lighthouse-lists",
        "write servers/lighthouse-lists.yaml, or take one of: servers/acme",
    ),
}


@pytest.mark.parametrize(("reference", "says"), REFERENCES.values(), ids=REFERENCES)
def test_a_reference_to_what_is_not_there_is_told_once_with_what_is(tmp_path, reference, says):
    acme(tmp_path)
    changed(tmp_path, "destination.yaml", "destinationServerId: servers/acme", f"destinationServerId: {reference}")

    (line,) = found(tmp_path)

    assert f"there is no destination server `{reference}` here; " in line
    assert says in line
    assert "[unknown-reference]" in line


def test_an_id_is_taken_with_a_warning_that_it_cannot_be_checked_here(tmp_path):
    acme(tmp_path)
    id_ = "8b0d6a62-0000-4000-8000-000000000002"
    changed(tmp_path, "destination.yaml", "destinationServerId: servers/acme", f"destinationServerId: {id_}")

    (line,) = found(tmp_path)

    assert f": warning: `{id_}` is an id of one server" in line


def test_what_a_destination_points_to_has_to_fit(tmp_path):
    acme(tmp_path)
    changed(tmp_path, SERVER, "https://api.example.com/v1/people", "https://{{ customerData.region }}.example.com")
    changed(tmp_path, SERVER, "url: {templatingStrategy: NONE", "url: {templatingStrategy: PEBBLE_V1")

    (line,) = found(tmp_path)

    assert line.startswith("destination.yaml:")
    assert "reads `customerData.region`" in line


def test_what_is_broken_hides_nothing_of_its_neighbours(tmp_path):
    acme(tmp_path)
    changed(tmp_path, SERVER, "destinationServerType: URL_BASED\n", "")
    changed(tmp_path, "destination.yaml", "status: TEST", "status: Test")

    assert [line.rpartition("[")[2] for line in found(tmp_path)] == ["not-allowed]", "missing-field]"]


LITERALS = {
    "a secret": ("hunter2", "a secret stands in the file"),
    "a placeholder that names no variable": ("{env: 1st}", "this is not the name of a variable"),
}


@pytest.mark.parametrize(("written", "says"), LITERALS.values(), ids=LITERALS)
def test_a_secret_in_a_file_is_refused_with_the_way_out_and_not_repeated(tmp_path, written, says):
    write(tmp_path, {"credentials/shared.yaml": f"basicAuthentication:\n  username: me\n  password: {written}\n"})

    (one,) = check(read_folder(tmp_path))

    assert one.code == "secret-in-file"
    assert says in one.message
    assert "write `password: {env: NAME}`" in one.message
    assert "hunter2" not in str(one)
    assert one.place.line == 3


def test_a_placeholder_is_a_secret_to_the_checks(tmp_path):
    write(tmp_path, {"credentials/shared.yaml": "basicAuthentication: {username: me, password: {env: PASSWORD}}\n"})

    assert found(tmp_path) == []


def test_an_empty_folder_says_how_to_begin(tmp_path):
    (line,) = found(tmp_path)

    assert "`headrace destination new NAME`" in line
