"""``headrace access`` as an administrator types it."""

import json
import re
import stat
import subprocess

import pytest

from support import Api, Server, command, environment, run

COMMANDS = [
    "users",
    "user-add",
    "user-disable",
    "clients",
    "client-add",
    "client-rotate",
    "client-revoke",
    "sandboxes",
    "sandbox-add",
    "audit",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("access")) as server:
        server.start().close()
        yield server


def access(server, *words, **options):
    line = command("access", *words, "--data-dir", str(server.data))
    return subprocess.run(
        line, env=environment(server.home), cwd=server.home, capture_output=True, text=True, timeout=60, **options
    )


def answer(server, *words, **options):
    ran = access(server, *words, "--json", **options)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def credentials(server):
    return json.loads((server.data / "credentials.json").read_text())


def signs_in(server, client):
    api = Api(credentials(server)["url"])
    form = {"client_id": client["clientId"], "client_secret": client["clientSecret"]}
    status = api.form("/ims/token/v3", {"grant_type": "client_credentials", **form}).status
    api.close()
    return status == 200


def session(server, email, password):
    api = Api(credentials(server)["url"])
    status = api.post("/access/sessions", {"email": email, "password": password}).status
    api.close()
    return status


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_its_options(tmp_path, name):
    ran = run(tmp_path, "access", name, "--help")

    assert ran.returncode == 0, ran.stderr
    assert f"Usage: headrace access {name} " in ran.stdout
    for option in re.findall(r"^\W*(--[a-z-]+)(?: +<\S+>| +\S+)? *$", ran.stdout, re.MULTILINE):
        pytest.fail(f"{option} is not explained")


def test_the_list_of_commands_is_whole(tmp_path):
    assert all(re.search(rf"^\W*{name} ", run(tmp_path, "access").stdout, re.MULTILINE) for name in COMMANDS)


def test_a_user_is_made_with_a_password_that_is_typed_in(server):
    ran = access(
        server, "user-add", "ana@example.com", "--role", "author", "--role", "operator", "--sandbox", "prod",
        input="a long enough password\n",
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "e-mail: ana@example.com\nname: ana\nroles: author in prod, operator in prod\nstate: good\n"
    assert session(server, "ana@example.com", "a long enough password") == 200


def test_a_user_is_made_with_a_password_that_is_shown_once_and_is_disabled(server):
    made = answer(server, "user-add", "Ben@Example.com", "--role", "viewer", "--one-time")
    assert session(server, "ben@example.com", made["password"]) == 200

    ran = access(server, "user-disable", "BEN@example.com")

    assert "state: disabled" in ran.stdout
    assert session(server, "ben@example.com", made["password"]) == 401
    listed = access(server, "users").stdout
    assert re.search(r"ben@example.com +Ben +viewer in all +disabled", listed)
    assert made["password"] not in listed


def test_a_client_is_made_given_another_secret_and_revoked(server):
    words = ["--permission", "profiles:write", "--sandbox", "prod", "--expires", "2099-12-31"]
    made = answer(server, "client-add", "nightly", *words)
    assert (made["permissions"], made["sandboxes"]) == (["profiles:write"], ["prod"])
    assert made["expiresAt"] == "2099-12-31T00:00:00.000000Z"
    assert signs_in(server, made)

    ran = access(server, "client-rotate", made["clientId"])
    secret = re.search(r"^secret, shown this once: (hrs-\S+)$", ran.stdout, re.MULTILINE)[1]
    assert not signs_in(server, made)
    assert signs_in(server, made | {"clientSecret": secret})

    assert access(server, "client-revoke", made["clientId"]).returncode == 0
    assert not signs_in(server, made | {"clientSecret": secret})
    listed = access(server, "clients").stdout
    assert re.search(rf"{made['clientId']} +nightly +profiles:write +prod +revoked 2", listed)


def test_giving_ones_own_client_another_secret_keeps_the_commands_working(server):
    before = credentials(server)

    rotated = answer(server, "client-rotate", before["client_id"])

    assert credentials(server) == before | {"client_secret": rotated["clientSecret"]}
    assert stat.S_IMODE((server.data / "credentials.json").stat().st_mode) == 0o600
    assert before["client_id"] in access(server, "clients").stdout


def test_a_sandbox_is_made_and_the_audit_tells(server):
    made = answer(server, "sandbox-add", "dev")

    assert made in answer(server, "sandboxes")
    assert "dev" in access(server, "sandboxes").stdout
    entry = answer(server, "audit", "--limit", "1")[0]
    assert (entry["action"], entry["noun"], entry["id"]) == ("create", "sandbox", "dev")
    assert "create" in access(server, "audit", "--limit", "1").stdout
    assert answer(server, "audit", "--sandbox", "dev") == []


REFUSED = {
    "a user who is not there": (["user-disable", "nobody@example.com"], "there is no user 'nobody@example.com'"),
    "a client that is not there": (["client-revoke", "hr-nobody"], "there is no client 'hr-nobody' here"),
    "a client with nothing to do": (["client-add", "x"], "say either `permissions` or `role`"),
    "a role that is none": (["client-add", "x", "--role", "king"], "'king' is not allowed here; use 'viewer'"),
}


@pytest.mark.parametrize(("words", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_said_and_exit_2(server, words, says):
    ran = access(server, *words)

    assert ran.returncode == 2
    assert says in ran.stderr


def test_a_server_that_is_not_there_is_said_so(tmp_path):
    ran = run(tmp_path, "access", "users", "--data-dir", str(tmp_path))

    assert ran.returncode == 2
    assert "start `headrace serve` first" in ran.stderr
