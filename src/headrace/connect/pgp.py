"""
Files that only their partner can read: OpenPGP, by a public key that its owner has told us.

A key is read and judged before anything is encrypted to it. What encrypts is a process of its own: ``gpg`` where the
machine has it, with a home that is thrown away, or Sequoia. It gets the pieces by a pipe and gives back what comes by
another, so a file of any size takes little memory, and nothing of it is on a disk.

What is signed as well always goes by Sequoia, for gpg would leave an agent behind that holds the house's key.
"""

import asyncio
import binascii
import os
import shutil
import signal
import sys
from base64 import b64decode
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pysequoia
from pysequoia.packet import Packet, PacketPile, PublicKeyAlgorithm, SignatureType, Tag

from headrace.errors import AccountError
from headrace.model.account_encryption import AccountEncryption

Engine = Literal["gpg", "sequoia"]
Pieces = AsyncIterable[bytes | memoryview]

_SHORTEST_RSA = 2048
_RSA = (PublicKeyAlgorithm.RSAEncryptSign, PublicKeyAlgorithm.RSAEncrypt)
_PIECE = 256 * 1024
_UNUSABLE = (
    "The public key {} has no part that can be encrypted to: none for that purpose, or it has expired, was revoked or "
    "is too weak. Ask the partner for one that has."
)
_MOST_KEY = 1024 * 1024
_TOLD = 4096
_PROCESS = Path(__file__).with_name("pgp_process.py")
_GPG = ("--batch", "--no-tty", "--quiet", "--no-autostart", "--disable-dirmngr", "--no-auto-key-locate", "--no-options")
_ENCRYPT = ("--trust-model", "always", "--compress-algo", "none", "--personal-cipher-preferences", "AES256 AES192 AES")


class NotEncrypted(AccountError):
    """The file was not encrypted, and therefore not stored."""

    code = "encryption"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key of a partner that may be encrypted to; ``fingerprint`` is in capitals, as people compare it."""

    fingerprint: str
    expires: datetime | None
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key of the house that what it sends is signed with."""

    fingerprint: str
    data: bytes = field(repr=False)


def key_wanted(mode: str, encryption: AccountEncryption | None) -> tuple[str, str] | None:
    """
    Return the algorithm and the text of the key that files are encrypted with; ``None``: they go as they are.

    ``mode`` is the ``encryptionMode`` of the destination server, which can ask for encryption and cannot take it away.

    Raises:
        NotEncrypted: the destination asks for it, and the account has no key.
    """
    if encryption is not None and encryption.algorithm == "PGP":
        return "PGP", encryption.params.public_key or ""
    if mode == "PGP":
        raise NotEncrypted("The destination takes encrypted files only; give the account the partner's `publicKey`.")
    return None


def read_public_key(text: str, now: datetime, *, pinned: str | None = None) -> PublicKey:
    """
    Read a public key, ASCII-armored or as Base64, and judge it.

    Raises:
        NotEncrypted: it is none, may not be used any more, is too weak, or has another fingerprint than ``pinned``.
    """
    data = _decoded(text)
    cert = _certificate(data)
    found = cert.fingerprint.upper()
    if pinned is not None and "".join(pinned.split()).upper() != found:
        raise NotEncrypted(
            f"The public key has the fingerprint {found}, and {pinned} is pinned; nothing is sent. If the partner says "
            "that it has a new key, pin that one's fingerprint."
        )
    _refuse_weak(data, found)
    if cert.is_revoked:
        raise NotEncrypted(f"The public key {found} was revoked by its owner; ask the partner for the new one.")
    expires = _expiry(cert, found)
    if expires is not None and expires <= now:
        raise NotEncrypted(
            f"The public key {found} expired on {expires.date().isoformat()}; ask the partner for one that is renewed."
        )
    living = _living(data, now)
    _try(living, found)
    return PublicKey(found, expires, bytes(living))


def read_signer(text: str) -> Signer:
    """
    Read a private key that can sign and has no passphrase.

    Raises:
        NotEncrypted: it is none, or cannot.
    """
    try:
        key = pysequoia.Tsk.from_bytes(_decoded(text))
        pysequoia.sign(key.signer(), b"")
    except Exception:
        raise NotEncrypted(
            "The private key cannot sign; give one with a signing key and without a passphrase."
        ) from None
    return Signer(key.extract_certificate().fingerprint.upper(), bytes(key))


def engine_here() -> Engine:
    """Say what encrypts on this machine: ``gpg`` is four times as fast as what we bring."""
    return "gpg" if shutil.which("gpg") else "sequoia"


@asynccontextmanager
async def encrypted(
    pieces: Pieces, key: PublicKey, signer: Signer | None = None, *, engine: Engine | None = None
) -> AsyncIterator[AsyncIterator[bytes]]:
    """
    Lend what ``pieces`` are when they are encrypted, piece by piece.

    Whoever takes them has the whole only when they end without an error: what ``pieces`` raise is raised there, and
    nothing of them comes out that is not encrypted.

    Raises:
        NotEncrypted: it could not be done.
    """
    if signer is None and (engine or engine_here()) == "gpg":
        with TemporaryDirectory(prefix="headrace-gpg-") as home:
            await _import(home, key)
            command = (*_gpg(home), *_ENCRYPT, "--recipient", key.fingerprint, "--encrypt", "--output", "-")
            async with _through(command, b"", pieces, _environment(home)) as sealed:
                yield sealed
    else:
        command = (sys.executable, "-I", str(_PROCESS))
        async with _through(
            command, _head(key.data, signer.data if signer else b""), pieces, _environment("/")
        ) as sealed:
            yield sealed


def _decoded(text: str) -> bytes:
    written = text.strip()
    if len(written) > _MOST_KEY:
        raise NotEncrypted("The key is longer than any key; give the partner's public key alone.")
    if written.startswith("-----"):
        return written.encode()
    try:
        return b64decode("".join(written.split()), validate=True)
    except (binascii.Error, ValueError):
        raise NotEncrypted(
            "The key is neither ASCII-armored nor Base64; give what `gpg --armor --export` prints, or that as Base64."
        ) from None


def _certificate(data: bytes) -> pysequoia.Cert:
    try:
        found = pysequoia.Cert.split_bytes(data)
    except Exception:
        found = []
    if len(found) != 1:
        raise NotEncrypted("This is not one public key of OpenPGP; give what `gpg --armor --export KEY` prints.")
    if any(packet.tag in (Tag.SecretKey, Tag.SecretSubkey) for packet in PacketPile.from_bytes(data)):
        raise NotEncrypted(
            "This is a private key. It belongs to the partner alone, who should replace it now; give the public one."
        )
    return found[0]


def _refuse_weak(data: bytes, fingerprint: str) -> None:
    for packet in PacketPile.from_bytes(data):
        # Of an RSA key: version, time and algorithm, then the length of its modulus in bits.
        if packet.key_algorithm in _RSA and int.from_bytes(packet.body[6:8], "big") < _SHORTEST_RSA:
            raise NotEncrypted(
                f"The public key {fingerprint} has an RSA key of less than {_SHORTEST_RSA} bits, which is not safe any "
                "more; ask the partner for a new one."
            )


def _living(data: bytes, now: datetime) -> pysequoia.Cert:
    """Leave out subkeys that have expired or were revoked: the library would encrypt to them all the same."""
    groups: list[list[Packet]] = [[]]
    for packet in PacketPile.from_bytes(data):
        if packet.tag == Tag.PublicSubkey:
            groups.append([])
        groups[-1].append(packet)
    living = [packet for group in groups if group is groups[0] or _is_alive(group, now) for packet in group]
    return pysequoia.Cert.from_packets(living)


def _is_alive(subkey: list[Packet], now: datetime) -> bool:
    made = subkey[0].key_created
    bindings = [packet for packet in subkey if packet.signature_type == SignatureType.SubkeyBinding]
    if made is None or not bindings or any(one.signature_type == SignatureType.SubkeyRevocation for one in subkey):
        return False
    newest = max(bindings, key=lambda binding: binding.signature_created or made)
    return newest.key_validity_period is None or made + newest.key_validity_period > now


def _expiry(cert: pysequoia.Cert, fingerprint: str) -> datetime | None:
    try:
        return cert.expiration
    except Exception:
        raise NotEncrypted(_UNUSABLE.format(fingerprint)) from None


def _try(cert: pysequoia.Cert, fingerprint: str) -> None:
    """Encrypt a byte: what there is to be known of subkeys, their dates and their algorithms, the library knows."""
    try:
        pysequoia.encrypt(b".", recipients=[cert], armor=False)
    except Exception:
        raise NotEncrypted(_UNUSABLE.format(fingerprint)) from None


def _gpg(home: str) -> tuple[str, ...]:
    return (shutil.which("gpg") or "gpg", "--homedir", home, *_GPG)


def _environment(home: str) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "LC_ALL": "C.UTF-8"}


async def _import(home: str, key: PublicKey) -> None:
    async with _through((*_gpg(home), "--import"), key.data, _nothing(), _environment(home)) as told:
        async for _ in told:
            pass


async def _nothing() -> AsyncIterator[bytes]:
    none: tuple[bytes, ...] = ()
    for nothing in none:
        yield nothing


def _head(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@asynccontextmanager
async def _through(
    command: Sequence[str], head: bytes, pieces: Pieces, environment: Mapping[str, str]
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Run a process that turns bytes into others: feed it, take what comes and hear what it complains of, at once."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=environment,
        limit=_PIECE,
        cwd="/",
        start_new_session=True,  # So that it can be ended with all that it has started.
    )
    feeding = asyncio.create_task(_feed(process, head, pieces))
    complaint = asyncio.create_task(_heard(process))
    turned = _turned(process, feeding, complaint)
    try:
        yield turned
    finally:
        await turned.aclose()
        await _end(process, feeding, complaint)


async def _turned(
    process: asyncio.subprocess.Process, feeding: "asyncio.Task[bool]", complaint: "asyncio.Task[str]"
) -> Any:
    assert process.stdout is not None
    while piece := await process.stdout.read(_PIECE):
        yield piece
    is_taken = await feeding
    if await process.wait() or not is_taken:
        raise NotEncrypted(f"The file could not be encrypted, and was not stored ({_reason(await complaint)}).")


async def _feed(process: asyncio.subprocess.Process, head: bytes, pieces: Pieces) -> bool:
    """Write everything and say whether it was taken; where pieces fail, end the process: a part is not the whole."""
    assert process.stdin is not None
    try:
        is_taken = await _given(process.stdin, head)
        async for piece in pieces:
            is_taken = is_taken and await _given(process.stdin, bytes(piece))  # Its memory may be used again.
            if not is_taken:
                break
        process.stdin.close()
    except BaseException:
        _kill(process)
        raise
    return is_taken


async def _given(stdin: asyncio.StreamWriter, piece: bytes) -> bool:
    try:
        stdin.write(piece)
        await stdin.drain()
    except (OSError, RuntimeError):  # It has ended, and its status says why; uvloop has an error of its own for it.
        return False
    return True


async def _heard(process: asyncio.subprocess.Process) -> str:
    """Take all that it complains of, and keep the end."""
    assert process.stderr is not None
    said = b""
    while piece := await process.stderr.read(_TOLD):
        said = (said + piece)[-_TOLD:]
    return said.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process, *tasks: "asyncio.Task[Any]") -> None:
    _kill(process)
    await process.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if process.stdin is not None:
        process.stdin.close()
    process._transport.close()  # type: ignore[attr-defined]  # Its pipes stay open otherwise until they are collected.


def _kill(process: asyncio.subprocess.Process) -> None:
    """End a process that has not ended well, with what it has started: that holds its pipes open, too."""
    if process.returncode != 0:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _reason(complaint: str) -> str:
    """Say in a word what a process complained of; its own words may name who a key is of."""
    for word, meaning in (("expired", "the key has expired"), ("revoked", "the key was revoked"), ("space", "no room")):
        if word in complaint.lower():
            return meaning
    return "the encrypting process failed"
