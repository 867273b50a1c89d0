"""Encrypted files, and what the partner's own ``gpg`` makes of them."""

import asyncio
import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import pysequoia
import pytest

from headrace.connect import pgp
from headrace.connect.pgp import NotEncrypted, Signer, encrypted, key_wanted, read_public_key, read_signer
from headrace.model.account_encryption import AccountEncryption
from headrace.services.sealed_files import sealing_by

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="this machine has no gpg, with which partners read")
NUMBERS = count()
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DATA = b"id,email\n1,ada@example.com\n" * 40_000


class Partner:
    """A partner with ``gpg`` and keys in it."""

    def __init__(self, home: str) -> None:
        self.home = home

    def gpg(self, *arguments: str, given: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", self.home, "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]
        ended = subprocess.run([*command, *arguments], input=given, capture_output=True)
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout + (ended.stderr if "--verify" in arguments else b"")

    def key(self, name: str, *how: str, at: str = "") -> str:
        """Make a key and return its public half."""
        clock = ("--faked-system-time", at) if at else ()
        self.gpg(*clock, "--quick-generate-key", f"{name} <{name}@partner.example>", *how)
        return self.public(name)

    def public(self, name: str) -> str:
        return self.gpg("--armor", "--export", f"{name}@partner.example").decode()

    def fingerprint(self, name: str) -> str:
        told = self.gpg("--with-colons", "--list-keys", f"{name}@partner.example").decode()
        return next(line.split(":")[9] for line in told.splitlines() if line.startswith("fpr"))

    def read(self, sealed: bytes) -> bytes:
        return self.gpg("--decrypt", given=sealed)


@pytest.fixture(scope="module")
def partner() -> Iterator[Partner]:
    home = mkdtemp(prefix="hr-gpg-", dir="/tmp")  # The agent's socket has a path that must be short.
    try:
        yield Partner(home)
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def public(partner) -> str:
    return partner.key("ada", "rsa2048", "encrypt", "never")


@pytest.fixture(params=["gpg", "sequoia"])
def engine(request) -> str:
    return request.param


async def pieces(data: bytes, size: int = 70_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def sealed_of(data: bytes, key, signer: Signer | None = None, engine=None) -> bytes:
    async with encrypted(pieces(data), key, signer, engine=engine) as sealed:
        return b"".join([piece async for piece in sealed])


async def take(given: AsyncIterator[bytes], key, engine: str, taken: list[bytes]) -> None:
    async with encrypted(given, key, engine=engine) as sealed:
        async for piece in sealed:
            taken.append(piece)  # noqa: PERF401 - what came before an error counts


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=["nothing", "a byte", "a megabyte"])
async def test_the_partner_reads_what_was_encrypted(partner, public, engine, data):
    sealed = await sealed_of(data, read_public_key(public, NOW), engine=engine)
    assert partner.read(sealed) == data
    assert b"example.com" not in sealed


@pytest.mark.parametrize(
    ("kind", "usage"), [("future-default", "default"), ("default", "default"), ("rsa3072", "sign,encrypt")]
)
async def test_keys_of_all_kinds(partner, engine, kind, usage):
    name = f"user{next(NUMBERS)}"
    key = read_public_key(partner.key(name, kind, usage, "2y"), datetime.now(UTC))
    assert key.fingerprint == partner.fingerprint(name)
    assert key.expires is not None
    assert partner.read(await sealed_of(DATA, key, engine=engine)) == DATA


@pytest.mark.parametrize("form", ["armored", "base64 of armored", "base64 of binary", "base64 in lines"])
def test_a_key_is_read_in_every_form(public, partner, form):
    binary = partner.gpg("--export", "ada@partner.example")
    text = {
        "armored": public,
        "base64 of armored": b64encode(public.encode()).decode(),
        "base64 of binary": b64encode(binary).decode(),
        "base64 in lines": "\n".join(b64encode(binary).decode()[at : at + 64] for at in range(0, len(binary) * 2, 64)),
    }[form]
    assert read_public_key(text, NOW).fingerprint == partner.fingerprint("ada")


async def test_a_large_file_does_not_lie_in_memory(partner, public, engine):
    piece, told = os.urandom(500_000), sha256()
    told.update(piece * 100)

    async def large() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield piece

    peak(anew=True)
    before = peak()
    command = ["gpg", "--homedir", partner.home, "--batch", "--quiet", "--decrypt"]
    reading = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )

    async def read() -> str:
        back = sha256()
        while part := await reading.stdout.read(1_000_000):
            back.update(part)
        return back.hexdigest()

    answer = asyncio.create_task(read())
    async with encrypted(large(), read_public_key(public, NOW), engine=engine) as sealed:
        async for part in sealed:
            reading.stdin.write(part)
            await reading.stdin.drain()
    reading.stdin.close()
    assert await answer == told.hexdigest()
    assert await reading.wait() == 0
    reading._transport.close()
    assert peak() - before < 25_000


def peak(*, anew: bool = False) -> int:
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


async def test_a_signature_is_verified_by_the_partner(partner, public):
    house = pysequoia.Tsk.generate("Headrace <files@house.example>")
    signer = read_signer(str(house))
    partner.gpg("--import", given=bytes(house.extract_certificate()))
    sealed = await sealed_of(DATA, read_public_key(public, NOW), signer)
    status = partner.gpg("--status-fd", "1", "--output", "/dev/null", "--decrypt", given=sealed).decode(
        errors="replace"
    )
    valid = next(line for line in status.splitlines() if " VALIDSIG " in line)
    assert signer.fingerprint in valid


def test_a_private_key_with_a_passphrase_signs_nothing(partner):
    home = mkdtemp(prefix="hr-gpg-", dir="/tmp")
    command = ["gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", "canary"]
    try:
        subprocess.run([*command, "--quick-gen-key", "x <x@y.example>", "ed25519"], check=True, capture_output=True)
        text = subprocess.run([*command, "--armor", "--export-secret-keys"], check=True, capture_output=True).stdout
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
        shutil.rmtree(home)
    with pytest.raises(NotEncrypted, match="without a passphrase"):
        read_signer(text.decode())


# -- keys that are not encrypted to -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expired(partner) -> str:
    return partner.key("old", "rsa2048", "encrypt", "1d", at="20200101T000000!")


def test_a_key_that_has_expired(expired):
    with pytest.raises(NotEncrypted, match="expired on 2020-01-02"):
        read_public_key(expired, NOW)


async def test_a_key_that_expires_between_reading_and_encrypting_lets_nothing_out(expired, engine):
    cert = pysequoia.Cert.from_bytes(expired.encode())
    key = pgp.PublicKey(cert.fingerprint.upper(), cert.expiration, bytes(cert))
    taken = []
    with pytest.raises(NotEncrypted):
        await take(pieces(DATA), key, engine, taken)
    assert taken == []


def test_a_key_whose_part_for_encryption_has_expired(partner):
    partner.key("half", "ed25519", "sign", "never", at="20200101T000000!")
    made = partner.fingerprint("half")
    partner.gpg("--faked-system-time", "20200101T000000!", "--quick-add-key", made, "cv25519", "encrypt", "1d")
    with pytest.raises(NotEncrypted, match="no part that can be encrypted to"):
        read_public_key(partner.public("half"), NOW)
    partner.gpg("--quick-add-key", made, "cv25519", "encrypt", "never")
    read_public_key(partner.public("half"), NOW)


def test_a_key_that_was_revoked(partner):
    partner.key("gone", "future-default", "default", "never")
    revocation = Path(partner.home, "openpgp-revocs.d", f"{partner.fingerprint('gone')}.rev").read_text()
    partner.gpg("--import", given=revocation.replace(":-----BEGIN", "-----BEGIN").encode())
    with pytest.raises(NotEncrypted, match="revoked by its owner"):
        read_public_key(partner.public("gone"), NOW)


def test_a_key_that_cannot_be_encrypted_to(partner):
    with pytest.raises(NotEncrypted, match="no part that can be encrypted to"):
        read_public_key(partner.key("signs", "ed25519", "sign", "never"), NOW)


def test_a_short_key(partner):
    with pytest.raises(NotEncrypted, match="2048 bits"):
        read_public_key(partner.key("short", "rsa1024", "encrypt", "never"), NOW)


def test_a_key_that_was_substituted(partner, public):
    pinned = partner.fingerprint("ada")
    spaced = " ".join(pinned[at : at + 4] for at in range(0, 40, 4)).lower()
    assert read_public_key(public, NOW, pinned=spaced).fingerprint == pinned
    other = partner.key("mallory", "future-default", "default", "never")
    with pytest.raises(NotEncrypted) as caught:
        read_public_key(other, NOW, pinned=pinned)
    assert pinned in str(caught.value)
    assert partner.fingerprint("mallory") in str(caught.value)


@pytest.mark.parametrize("text", ["", "canary", "Y2FuYXJ5", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\ncanary"])
def test_what_is_no_key(text):
    with pytest.raises(NotEncrypted) as caught:
        read_public_key(text, NOW)
    assert "canary" not in str(caught.value)


def test_a_private_key_is_not_taken(partner, public):
    secret = partner.gpg("--armor", "--export-secret-keys", "ada@partner.example").decode()
    with pytest.raises(NotEncrypted, match="private key"):
        read_public_key(secret, NOW)


def test_two_keys_are_one_too_many(partner, public):
    partner.key("second", "future-default", "default", "never")
    both = partner.gpg("--export", "ada@partner.example", "second@partner.example")
    with pytest.raises(NotEncrypted, match="not one public key"):
        read_public_key(b64encode(both).decode(), NOW)


# -- what goes wrong on the way ---------------------------------------------------------------------------------------


async def test_what_the_pieces_raise_is_raised_and_the_file_has_no_end(public, engine, partner):
    async def failing() -> AsyncIterator[bytes]:
        yield DATA
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await take(failing(), read_public_key(public, NOW), engine, [])
    assert not homes()


async def test_whoever_stops_taking_leaves_no_process(public, engine):
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield DATA

    async with encrypted(endless(), read_public_key(public, NOW), engine=engine) as sealed:
        async for _ in sealed:
            break
    assert not homes()
    assert not [command for command in children() if b"pgp" in command or b"gpg" in command]


async def test_a_process_that_dies_lets_no_whole_file_out(public, monkeypatch, tmp_path):
    (tmp_path / "gpg").write_text(
        "#!/bin/sh\nhead -c 10 >/dev/null\necho plain\necho 'a@b.example is full' >&2\nexit 2\n"
    )
    (tmp_path / "gpg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(NotEncrypted) as caught:
        await sealed_of(DATA, read_public_key(public, NOW), engine="gpg")
    assert "a@b.example" not in str(caught.value)


async def test_the_home_of_gpg_is_for_nobody_else(public, monkeypatch):
    seen = []
    real = pgp._import

    async def watched(home, key):
        seen.extend(found.stat().st_mode & 0o777 for found in homes())
        await real(home, key)

    monkeypatch.setattr(pgp, "_import", watched)
    await sealed_of(b"x", read_public_key(public, NOW), engine="gpg")
    assert seen == [0o700]
    assert not homes()


def homes() -> list[Path]:
    return list(Path("/tmp").glob("headrace-gpg-*"))


def children() -> list[bytes]:
    ids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [Path(f"/proc/{id_}/cmdline").read_bytes() for id_ in ids]


# -- what an account and a destination ask for ------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["PGPGPG", "PGP/GPG"])
def test_an_account_with_a_key_encrypts_whatever_the_destination_says(spelling):
    account = AccountEncryption.model_validate({"params": {"encryptionAlgo": spelling, "publicKey": "a2V5"}})
    assert key_wanted("None", account) == key_wanted("PGP", account) == ("PGP", "a2V5")


@pytest.mark.parametrize("account", [None, {"params": {"encryptionAlgo": "NONE"}}])
def test_a_destination_that_wants_encryption_gets_nothing_without(account):
    encryption = AccountEncryption.model_validate(account) if account else None
    assert key_wanted("None", encryption) is None
    with pytest.raises(NotEncrypted, match="publicKey"):
        key_wanted("PGP", encryption)


# -- files of an account ----------------------------------------------------------------------------------------------


async def test_each_file_of_an_account_is_sealed_by_itself(partner, public):
    seal = sealing_by(read_public_key(public, NOW), None)

    for data in (DATA, b""):
        assert partner.read(b"".join([bytes(piece) async for piece in seal(pieces(data))])) == data


async def test_a_file_that_is_given_up_half_way_leaves_nothing_running(public):
    plain = pieces(DATA)
    sealed = sealing_by(read_public_key(public, NOW), None)(plain)
    await anext(sealed)

    await sealed.aclose()

    with pytest.raises(StopAsyncIteration):
        await anext(plain)
