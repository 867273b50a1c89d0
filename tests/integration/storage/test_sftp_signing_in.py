"""Who the server of SFTP is, and whom it lets in: a server that is another is told nothing."""

import asyncio

import pytest

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import NotStored, Way
from headrace.connect.storage.sftp import host_key
from integration.storage.sftp_folders import (
    SFTP,
    by_key,
    fixture_folder,
    fixture_impatient,
    fixture_server,
    made_folder,
    opened,
    pieces,
    refused,
    way,
)
from integration.storage.sftp_server import (
    PASSWORD,
    SftpServer,
    Sshd,
    fingerprint,
    free_port,
    made_key,
)

__all__ = ["fixture_folder", "fixture_impatient", "fixture_server"]


# -- letting in -------------------------------------------------------------------------------------------------------


async def test_a_password_lets_in(server, folder):
    if server.password is None:
        pytest.skip("only root can give OpenSSH's server a user with a password")
    async with opened(server, folder, username=server.user, password=PASSWORD) as storage:
        await storage.write("a", pieces(b"a"))
    assert (folder / "a").read_bytes() == b"a"


async def test_another_password_does_not(server, folder):
    async with opened(server, folder, username=server.user, password="canary-password") as storage:
        error = await refused(storage.check())
    assert error.cause == "denied"
    assert "canary" not in str(error)


async def test_another_key_does_not(server, folder, tmp_path):
    key = made_key(tmp_path / "other").read_text()
    async with opened(server, folder, username=server.user, sshKey=key) as storage:
        error = await refused(storage.check())
    assert error.cause == "denied"


async def test_an_rsa_key_lets_in(servers: Sshd, sshd, tmp_path):
    key = made_key(tmp_path / "rsa", "-t", "rsa", "-b", "2048", "-m", "PEM")
    allowed = servers.folder / "authorized_keys"
    allowed.write_text(allowed.read_text() + (tmp_path / "rsa.pub").read_text())
    async with opened(sshd, made_folder(sshd), username=sshd.user, sshKey=key.read_text()) as storage:
        await storage.check()


async def test_the_connection_is_sealed_by_what_costs_least(sshd):
    async with opened(sshd, made_folder(sshd)) as storage:
        await storage.check()
        assert storage._line._connection.get_extra_info("send_cipher") == "aes128-gcm@openssh.com"


# -- who the server is ------------------------------------------------------------------------------------------------


async def test_the_fingerprint_is_the_one_that_the_partner_tells(server):
    assert await host_key("127.0.0.1", server.port, way(server)) == server.fingerprint


async def test_an_unconfirmed_server_is_told_nothing(sshd):
    error = await asked_nothing(sshd, way(sshd, pinned=""))
    assert error.cause == "host-key"
    assert sshd.fingerprint in str(error)


async def test_a_server_with_another_key_is_told_nothing(servers: Sshd, sshd, tmp_path):
    port = free_port()
    before, after = made_key(tmp_path / "before"), made_key(tmp_path / "after")
    pinned = fingerprint(before)
    with servers.running(before, ports=(port, free_port())) as running:
        folder = made_folder(running)
        async with opened(running, folder) as storage:
            await storage.write("a", pieces(b"a"))
    with servers.running(after, ports=(port, free_port())) as running:
        error = await asked_nothing(running, way(running, pinned=pinned))
    assert error.cause == "host-key"
    assert not error.may_pass
    assert pinned in str(error)
    assert fingerprint(after) in str(error)


async def asked_nothing(server: SftpServer, how: Way) -> NotStored:
    """Try to sign in with a password, and see in the server's log that nobody has said who they are."""
    began = server.log.stat().st_size
    place = {"hostName": "127.0.0.1", "port": server.port, "rootDirectory": str(server.home)}
    auth = {"username": server.user, "password": PASSWORD}
    async with SFTP.open(place, "SFTP_WITH_PASSWORD", auth, how) as storage:
        error = await refused(storage.check())
    await asyncio.sleep(0.2)
    said = server.log.read_bytes()[began:].decode()
    assert "Connection from" in said
    assert "userauth" not in said
    assert PASSWORD not in str(error)
    return error


async def test_a_key_that_is_not_the_first_of_the_server_is_asked_for(servers: Sshd, tmp_path):
    first, second = made_key(tmp_path / "a"), made_key(tmp_path / "b", "-t", "rsa", "-b", "2048")
    with servers.running(second, first) as running:
        assert running.fingerprint == fingerprint(second)
        assert await host_key("127.0.0.1", running.port, way(running)) == fingerprint(first)
        async with opened(running, made_folder(running)) as storage:
            await storage.check()


async def test_a_key_may_be_pinned_before_the_server_has_it(sshd):
    place = {"hostName": "127.0.0.1", "port": sshd.port, "rootDirectory": str(made_folder(sshd))}
    both = f"SHA256:{'A' * 43} {sshd.fingerprint}"
    async with SFTP.open(place, "SFTP_WITH_SSH_KEY", by_key(sshd), way(sshd, pinned=both)) as storage:
        await storage.check()


async def test_nothing_of_this_machine_takes_part(sshd, tmp_path, monkeypatch):
    ssh = tmp_path / ".ssh"
    ssh.mkdir()
    (ssh / "config").write_text("Host *\n  User nobody\n  Port 1\n")
    (ssh / "known_hosts").write_text("* ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFsbCBvZiB0aGVtIGFyZSB0cnVzdGVkIGhlcmU=\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    async with opened(sshd, made_folder(sshd)) as storage:
        await storage.check()
    assert (await asked_nothing(sshd, way(sshd, pinned=""))).cause == "host-key"


async def test_an_address_that_may_not_be_reached_is_not_told_apart(sshd):
    place = {"hostName": "127.0.0.1", "port": sshd.port, "rootDirectory": "/"}
    blocked = Way(Egress(AllowList()), Guard())
    async with SFTP.open(place, "SFTP_WITH_SSH_KEY", by_key(sshd), blocked) as storage:
        one = await refused(storage.check())
    place["port"] = free_port()
    closed = Way(Egress(AllowList.parse("127.0.0.0/8")), Guard())
    async with SFTP.open(place, "SFTP_WITH_SSH_KEY", by_key(sshd), closed) as storage:
        other = await refused(storage.check())
    assert one.cause == other.cause == "unreached"
    assert str(one).replace(str(sshd.port), "") == str(other).replace(str(place["port"]), "")
