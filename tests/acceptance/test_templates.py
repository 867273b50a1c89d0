"""``headrace template render``: what an author keeps in a loop beside the editor."""

import json
from pathlib import Path

import pytest

from support import run

DATA = Path(__file__).parent / "data"
#: An example of each style of message, and how its values are escaped.
STYLES = {"identities": "json", "audiences": "html", "people": "none"}


@pytest.mark.parametrize(("style", "escaping"), STYLES.items(), ids=STYLES)
def test_a_template_is_rendered_to_the_byte(tmp_path, style, escaping):
    context = str(DATA / f"{style}.json")

    ran = run(tmp_path, "template", "render", str(DATA / f"{style}.peb"), "--context", context, "--escaping", escaping)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == (DATA / f"{style}.txt").read_text()


@pytest.mark.parametrize("style", [style for style in STYLES if style != "audiences"])
def test_what_is_said_to_be_json_is(style):
    assert json.loads((DATA / f"{style}.txt").read_text())


def test_values_are_escaped_for_html_where_nothing_else_is_said(tmp_path):
    words = [str(DATA / "audiences.peb"), "--context", str(DATA / "audiences.json")]

    assert run(tmp_path, "template", "render", *words).stdout == (DATA / "audiences.txt").read_text()


BAD = {
    "a tag without end": ("Hello {{ name", "bad.peb:1:"),
    "a filter nobody knows": ("a\n  {{ name | shout }}", "bad.peb:2:13: "),
    "a block without end": ("a\n{% if name %}\nb", "bad.peb:2:"),
    "a fault while it renders": ("\n\n{{ 1 / zero }}", "bad.peb:3:6: division by zero"),
    "two faults": ("{{ a | one }}\n{{ b | two }}", "bad.peb:1:"),
}


@pytest.mark.parametrize(("text", "line"), BAD.values(), ids=BAD)
def test_a_bad_template_is_one_line_and_exit_2(tmp_path, text, line):
    (tmp_path / "bad.peb").write_text(text)
    (tmp_path / "data.json").write_text('{"name": "Ana", "zero": 0}')

    ran = run(tmp_path, "template", "render", "bad.peb", "--context", "data.json")

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"headrace: {line}")
    assert ran.stderr.count("\n") == 1


UNUSABLE = {
    "no template": ("none.peb", "data.json", "none.peb: cannot be read: No such file or directory"),
    "no data": ("good.peb", "none.json", "none.json: cannot be read: No such file or directory"),
    "a folder": (".", "data.json", ".: cannot be read: Is a directory"),
    "data that is no JSON": ("good.peb", "good.peb", "good.peb:1:1: this is not JSON: "),
    "data that is no object": ("good.peb", "list.json", "list.json: the data of a template is a JSON object"),
    "a template that is no text": ("latin.peb", "data.json", "latin.peb: this is not UTF-8: byte 2 cannot be read"),
}


@pytest.mark.parametrize(("template", "context", "line"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_file_that_cannot_be_used_is_named(tmp_path, template, context, line):
    (tmp_path / "good.peb").write_text("Hello")
    (tmp_path / "latin.peb").write_bytes(b"Zo\xeb")
    (tmp_path / "data.json").write_text("{}")
    (tmp_path / "list.json").write_text("[]")

    ran = run(tmp_path, "template", "render", template, "--context", context)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"headrace: {line}")
    assert ran.stderr.count("\n") == 1


def test_an_escaping_that_is_none_is_refused_with_those_there_are(tmp_path):
    ran = run(tmp_path, "template", "render", "x", "--context", "y", "--escaping", "xml")

    assert ran.returncode == 2
    assert "html" in ran.stderr
    assert "json" in ran.stderr


def test_a_template_without_its_context_is_refused(tmp_path):
    ran = run(tmp_path, "template", "render", "x")

    assert ran.returncode == 2
    assert "--context" in ran.stderr


def test_every_problem_of_a_template_is_shown_by_check(tmp_path):
    (tmp_path / "bad.peb").write_text("{{ a | one }}\n{{ b | two }}\n")

    ran = run(tmp_path, "template", "check", "bad.peb")

    assert ran.returncode == 2
    assert "bad.peb:1:" in ran.stdout
    assert "bad.peb:2:" in ran.stdout
    assert run(tmp_path, "template", "check", str(DATA / "people.peb")).returncode == 0
