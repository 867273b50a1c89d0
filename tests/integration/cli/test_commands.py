"""The commands as a person types them."""

import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

import headrace
from headrace.cli.main import COMMANDS, main
from headrace.testkit.profiles import generate, ndjson
from support import Server, command, environment, run


def test_help_lists_every_command_with_what_it_is_for(tmp_path):
    ran = run(tmp_path, "--help")

    assert ran.returncode == 0
    for name, (_, line) in COMMANDS.items():
        assert re.search(rf"^\W*{name} +{re.escape(line)}", ran.stdout, re.MULTILINE), name


def test_no_command_at_all_shows_the_help(tmp_path):
    assert "Commands" in run(tmp_path).stdout + run(tmp_path).stderr


def test_it_says_its_version(tmp_path):
    ran = run(tmp_path, "--version")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"headrace {headrace.__version__}\n", "")


@pytest.mark.parametrize(
    "words", [[name] for name in COMMANDS] + [["template", "render"], ["template", "check"], ["profiles", "generate"]],
    ids=" ".join,
)  # fmt: skip
def test_every_command_has_its_help(monkeypatch, capsys, words):
    for name, value in {"COLUMNS": "200", "TERMINAL_WIDTH": "200", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["headrace", *words, "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().out

    assert not ended.value.code
    assert f"Usage: headrace {' '.join(words)} " in said
    for option in re.findall(r"^\W*(--[a-z-]+)(?: +<\S+>| +\S+)? *$", said, re.MULTILINE):
        pytest.fail(f"{option} is not explained")


def test_a_command_that_is_none_is_refused_in_words(tmp_path):
    ran = run(tmp_path, "deliver")

    assert ran.returncode == 2
    assert "No such command 'deliver'" in ran.stderr


def test_a_partner_shows_what_it_receives_and_sums_up_at_the_end(tmp_path):
    line = command("partner", "--port", "0", "--answers", "201,503")
    with subprocess.Popen(
        line, env={**environment(tmp_path), "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True
    ) as process:
        url = re.search(r"http://\S+", process.stdout.readline())[0]
        headers = {"Authorization": "Bearer hidden", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}people?x=1", b'{"name": "Ana"}', headers)
        assert urllib.request.urlopen(request, timeout=30).status == 201
        seen = "".join(iter(process.stdout.readline, "  }\n"))
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert seen.startswith("POST /people?x=1 201\n")
    assert '    "name": "Ana"\n' in seen
    assert "hidden" not in seen
    assert rest == "1 request: 1 x 201\n"


def test_generated_profiles_are_the_same_every_time(tmp_path):
    ran = run(tmp_path, "profiles", "generate", "--count", "3", "--seed", "5", "--start", "2")

    assert ran.stdout.encode() == b"".join(ndjson(generate(3, seed=5, start=2)))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("api")) as server:
        server.start().close()
        yield server


def api(server, *words, **options):
    line = command("api", *words, "--data-dir", str(server.data))
    return subprocess.run(
        line, env=environment(server.home), cwd=server.home, capture_output=True, text=True, timeout=60, **options
    )


def test_a_call_of_the_api_prints_the_answer(server):
    assert api(server, "get", "/healthz").stdout == '{\n  "status": "ok"\n}\n'
    assert api(server, "GET", "/healthz", "--show", "status").stdout == "ok\n"


def test_a_file_of_lines_is_sent_as_lines(server):
    (server.home / "people.ndjson").write_text('{"profileId": "1"}\n{"profileId": "2"}\n')

    ran = api(server, "POST", "/ingest/profiles", "people.ndjson", "--show", "accepted")

    assert ran.stdout == "2\n"


def test_standard_input_can_be_the_body(server):
    ran = api(server, "POST", "/ingest/profiles", "-", input='[{"profileId": "3"}]')

    assert '"accepted": 1' in ran.stdout


REFUSED = {
    "an answer that is not a success": (["GET", "/nowhere"], "GET /nowhere was answered 404"),
    "a member that is not there": (["GET", "/healthz", "--show", "a.b"], "the answer has no 'a.b'"),
    "a file that is not there": (["POST", "/x", "no.json"], "no.json cannot be read: No such file or directory"),
}


@pytest.mark.parametrize(("words", "line"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_one_line_and_exit_2(server, words, line):
    ran = api(server, *words)

    assert ran.returncode == 2
    assert ran.stderr.startswith(f"headrace: {line}")
    assert ran.stderr.count("\n") == 1


def test_a_server_that_is_not_there_is_said_so(tmp_path):
    ran = run(tmp_path, "api", "GET", "/healthz", "--data-dir", str(tmp_path))

    assert (ran.returncode, ran.stderr) == (
        2,
        f"headrace: there is no {tmp_path}/credentials.json: start `headrace serve` first, or name its --data-dir\n",
    )


def test_a_server_that_has_ended_is_said_so(tmp_path):
    with Server(tmp_path) as server:
        server.start().close()
        server.stop()
        ran = api(server, "GET", "/healthz")

    assert ran.returncode == 2
    assert "is `headrace serve` running?" in ran.stderr


@pytest.mark.parametrize("module", ["fastapi", "sqlalchemy", "uvicorn", "cryptography", "headrace.app"])
def test_rendering_a_template_loads_nothing_of_the_server(loaded, module):
    assert module not in loaded


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """The modules that ``headrace template render`` has loaded at its end."""
    folder = tmp_path_factory.mktemp("loaded")
    (folder / "hello.peb").write_text("Hello {{ name }}")
    (folder / "data.json").write_text('{"name": "Ana"}')
    code = (
        "import sys\nfrom headrace.cli.main import main\n"
        "sys.argv = ['headrace', 'template', 'render', 'hello.peb', '--context', 'data.json']\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, sep='\\n', file=sys.stderr)\n"
    )
    line = [*command()[:-2], "-c", code]
    ran = subprocess.run(line, env=environment(folder), cwd=folder, capture_output=True, text=True, timeout=60)
    assert ran.stdout == "Hello Ana"
    return set(ran.stderr.split())


def test_a_reader_that_goes_away_is_no_failure_of_ours(tmp_path):
    """``headrace profiles generate | head -1``."""
    line = command("profiles", "generate", "--count", "20000")
    with subprocess.Popen(
        line, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        os.close(os.dup(process.stdout.fileno()))
        process.stdout.close()
        told = process.stderr.read()

    assert "Traceback" not in told
