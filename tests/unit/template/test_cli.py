from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.template import app

RUN = CliRunner()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "body.peb").write_bytes("A\r\n{{ v }}\nß{% if v %}\n{% endif %}\n".encode())
    (tmp_path / "context.json").write_bytes('{"v": "é & \\"x\\""}'.encode())
    return tmp_path


def render(template: Path, context: Path, *options: str) -> tuple[int, bytes, str]:
    result = RUN.invoke(app, ["render", str(template), "--context", str(context), *options])
    return result.exit_code, result.stdout_bytes, result.stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "A\r\né &amp; &quot;x&quot;\nß\n\n"),
        (("--escaping", "html"), "A\r\né &amp; &quot;x&quot;\nß\n\n"),
        (("--escaping", "json"), 'A\r\n\\u00E9 \\u0026 \\"x\\"\nß\n\n'),
        (("--escaping", "none"), 'A\r\né & "x"\nß\n\n'),
    ],
)
def test_the_rendered_text_is_printed_to_the_byte(files: Path, options: tuple[str, ...], expected: str) -> None:
    assert render(files / "body.peb", files / "context.json", *options) == (0, expected.encode(), "")


@pytest.mark.parametrize(
    ("template", "context", "problem"),
    [
        (
            b"{{ a | uper }}{{ 1 2 }}",
            b"{}",
            "bad.peb:1:8: `uper` is not a filter; did you mean `upper`? (and 1 more problem)",
        ),
        (b"a\n{{ 1 / 0 }}", b"{}", "bad.peb:2:6: division by zero"),
        (b"{{ a }}", b"{", "bad.json:1:2: this is not JSON: "),
        (b"{{ a }}", b"[1]", "bad.json: the data of a template is a JSON object"),
        (b"{{ a }}\xff", b"{}", "bad.peb: this is not UTF-8: byte 7 cannot be read"),
        (None, b"{}", "bad.peb: cannot be read: No such file or directory"),
        (b"x", None, "bad.json: cannot be read: No such file or directory"),
    ],
    ids=["syntax", "render", "json", "no object", "encoding", "no template", "no context"],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    tmp_path: Path, template: bytes | None, context: bytes | None, problem: str
) -> None:
    for name, content in (("bad.peb", template), ("bad.json", context)):
        if content is not None:
            (tmp_path / name).write_bytes(content)

    code, stdout, stderr = render(tmp_path / "bad.peb", tmp_path / "bad.json")

    assert (code, stdout) == (2, b"")
    assert problem in stderr
    assert stderr.count("\n") == 1


def test_check_prints_every_problem_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "body.peb"
    path.write_text("{{ a | uper }}\n{% if a %}")

    result = RUN.invoke(app, ["check", str(path)])

    assert result.exit_code == 2
    assert result.stdout == (
        f"{path}:1:8: `uper` is not a filter; did you mean `upper`?\n{{{{ a | uper }}}}\n       ^\n"
        f'{path}:2:4: tag "if" is not closed: `endif` is missing\n{{% if a %}}\n   ^\n'
    )


GOOD = '{"name": {{ input.profile.attributes.name.value | toJson }}}'
WARNED = '{"a": "{{ input.profile.atributes }}",\n "b": "{{ customerData.b }}", "c": "{{ customerData.c }}"}'


def check(folder: Path, text: str, *options: str) -> tuple[int, str]:
    path = folder / "body.peb"
    path.write_text(text)
    result = RUN.invoke(app, ["check", str(path), *options])
    return result.exit_code, result.stdout.replace(str(path), "body.peb")


def test_check_says_nothing_of_a_good_template(tmp_path: Path) -> None:
    assert check(tmp_path, GOOD, "--strict") == (0, "")


def test_check_warns_with_the_place_the_code_and_the_way_out(tmp_path: Path) -> None:
    code, output = check(tmp_path, WARNED)

    assert code == 0
    assert (
        "body.peb:1:25: warning: `atributes` is not a member of `input.profile`; did you mean `attributes`? "
        "[unknown-member]\n"
        '{"a": "{{ input.profile.atributes }}",\n'
        "                        ^\n"
    ) in output
    assert "[json-escaping]\n" in output
    assert "  also at 2:11, 2:40\n" in output
    assert "  rendered:\n" in output


def test_check_with_strict_ends_with_1_if_there_is_a_warning(tmp_path: Path) -> None:
    assert check(tmp_path, WARNED, "--strict")[0] == 1


def test_check_knows_the_escaping_and_the_content_type(tmp_path: Path) -> None:
    text = '{"a": "{{ customerData.a }}"}'
    assert check(tmp_path, text, "--strict", "--escaping", "json") == (0, "")
    assert check(tmp_path, text, "--strict", "--content-type", "text/csv") == (0, "")


def test_check_takes_data_of_the_author(tmp_path: Path) -> None:
    text = '{% if customerData.a == extra %}{"a": 1}{% else %}{"a": 2}{% endif %}'
    (tmp_path / "own.json").write_text('{"customerData": {"a": "x"}, "extra": "x"}')
    assert "[unknown-variable]" in check(tmp_path, text)[1]
    assert check(tmp_path, text, "--context", str(tmp_path / "own.json")) == (0, "")
