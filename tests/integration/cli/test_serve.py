"""``headrace serve``: what it leaves on disk, how it starts, how it refuses to."""

import json
import signal
import socket
import stat
import subprocess
import sys

import pytest

from headrace.cli.client import FLOWS
from headrace.cli.main import main
from headrace.cli.settings import read_settings
from headrace.errors import OperationError
from headrace.server import Headrace
from support import Server, command, environment, run


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path) as server:
        yield server


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def only_line(text):
    assert text.count("\n") == 1, text
    return text.rstrip("\n")


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """Runs ``headrace serve`` in this process where it is to refuse at once; returns the one line that it says."""

    def run(*words, **settings):
        for name, value in environment(tmp_path, **settings).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["headrace", "serve", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        assert ended.value.code == 2, said.err
        return only_line(said.err)

    return run


def test_the_first_start_says_how_to_sign_in_and_only_to_its_owner(server):
    client = server.start()

    credentials = json.loads((server.data / "credentials.json").read_text())
    assert set(credentials) == {"url", "org", "sandbox", "client_id", "client_secret"}
    assert (credentials["org"], credentials["sandbox"]) == ("demo@headrace", "prod")
    assert client.get(f"{FLOWS}/flows")["items"] == []
    assert mode(server.data / "credentials.json") == 0o600
    assert mode(server.data) == 0o700
    client.close()


def test_the_key_is_kept_apart_from_the_data_for_its_owner_alone(tmp_path):
    with Server(tmp_path, key_file="") as server:
        server._settings = {}
        server.start().close()

    key = tmp_path / ".config" / "headrace" / "master.key"
    assert mode(key) == 0o600
    assert mode(key.parent) == 0o700
    assert list(server.data.rglob("*.key")) == []


def test_a_later_start_keeps_the_client_and_renews_the_address(server):
    server.start().close()
    first = json.loads((server.data / "credentials.json").read_text())
    assert server.stop() == 0
    assert only_line(server.log.read_text()).endswith(f"data_dir={server.data} url={first['url']}")

    server.start().close()

    second = json.loads((server.data / "credentials.json").read_text())
    assert {**second, "url": ""} == {**first, "url": ""}
    assert mode(server.data / "credentials.json") == 0o600


def test_credentials_that_were_removed_stay_away(server):
    """Whoever keeps the secret elsewhere does not find it in the data directory again."""
    server.start().close()
    server.stop()
    (server.data / "credentials.json").unlink()

    line = command("serve", "--port", "0", "--data-dir", str(server.data))
    with subprocess.Popen(line, env=environment(server.home, **server._settings), stderr=subprocess.PIPE) as process:
        assert b"started" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)

    assert process.returncode == 0
    assert not (server.data / "credentials.json").exists()


def test_a_first_start_that_dies_while_it_writes_the_credentials_is_a_first_start_again(server):
    """Whoever dies between the store and the file would leave a store that nobody can sign in to."""
    server.data.mkdir(mode=0o700)
    (server.data / "credentials.json").mkdir()
    ran = run(server.home, "serve", "--port", "0", "--data-dir", str(server.data), **server._settings)
    assert ran.returncode != 0
    (server.data / "credentials.json").rmdir()

    client = server.start()

    assert client.get(f"{FLOWS}/flows")["items"] == []
    client.close()


def test_who_is_interrupted_ends_well_and_says_nothing(server):
    server.start().close()
    server.process.send_signal(signal.SIGINT)

    assert server.process.wait(30) == 0
    assert only_line(server.log.read_text()).endswith(f"data_dir={server.data} url={url_in(server)}")


def url_in(server):
    return json.loads((server.data / "credentials.json").read_text())["url"]


def test_a_data_directory_serves_one_process(server, refused):
    server.start().close()

    said = refused("--port", "0", "--data-dir", str(server.data), **server._settings)

    assert said == f"headrace: the data directory {server.data} is in use by another process"
    assert url_in(server), "the first one's credentials are as they were"


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path, refused):
    (tmp_path / "file").touch()

    said = refused("--port", "0", "--data-dir", str(tmp_path / "file" / "data"))

    assert said.startswith(f"headrace: the data directory {tmp_path}/file/data cannot be written")


def test_a_port_in_use_is_named(tmp_path, refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused("--port", port, "--data-dir", str(tmp_path / "data"))

    assert said == (
        f"headrace: cannot listen on 127.0.0.1, port {port}: Address already in use; choose with --host and --port"
    )
    assert not (tmp_path / "data").exists(), "nothing was begun"


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "::2"])
def test_an_address_that_is_not_of_this_machine_is_named(tmp_path, refused, host):
    said = refused("--host", host, "--port", "0", "--data-dir", str(tmp_path / "data"))

    assert said.startswith(f"headrace: cannot listen on {host}, port 0: ")


WRONG_SETTINGS = {
    "a port that is no number": {"port": "abc"},
    "a port that is none": {"port": "99999"},
    "a deadline of nothing": {"request_deadline": "0"},
    "a deadline that is no number": {"request_deadline": "soon"},
    "steps that are no numbers": {"retry_steps": "1,later"},
    "a negative step": {"retry_steps": "1,-1"},
    "a step that is not a number": {"retry_steps": "nan"},
    "a step without end": {"retry_steps": "1,inf"},
    "a step longer than time": {"retry_steps": "1e300"},
    "an origin that is none": {"egress_allow": "here"},
    "a log format nobody knows": {"log_format": "xml"},
    "no requests at all": {"requests_per_account": "0"},
    "a body of nothing": {"max_request_bytes": "1"},
}


@pytest.mark.parametrize("settings", WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_a_wrong_setting_is_named(tmp_path, monkeypatch, settings):
    (name, value), *_ = settings.items()
    monkeypatch.setenv(f"HEADRACE_{name.upper()}", value)

    with pytest.raises(OperationError, match=rf"^HEADRACE_{name.upper()}: [^\n]+$"):
        Headrace(read_settings({"data_dir": tmp_path / "data", "key_file": tmp_path / "key"}))

    assert not (tmp_path / "data").exists(), "nothing was begun"


def test_a_wrong_setting_is_one_line_and_exit_2(tmp_path):
    ran = run(tmp_path, "serve", port="abc")

    assert ran.returncode == 2
    assert only_line(ran.stderr).startswith("headrace: HEADRACE_PORT: ")


def test_an_option_wins_over_the_environment(refused):
    assert refused("--port", "99999", port="0").startswith("headrace: HEADRACE_PORT: ")


def test_the_key_that_others_can_read_is_refused(tmp_path, refused):
    key = tmp_path / "master.key"
    key.write_text("{}")
    key.chmod(0o644)

    said = refused("--port", "0", "--data-dir", str(tmp_path / "data"), key_file=str(key))

    assert f"chmod 600 {key}" in said
