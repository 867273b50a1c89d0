"""With what the files of an account are encrypted: the public key of the partner."""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from headrace.model.block import Block, rule
from headrace.model.problem import Problem


class EncryptionParams(Block):
    """The algorithm and the key."""

    encryption_algo: Literal["PGPGPG", "PGP/GPG", "NONE"] | None = Field(
        None, description="`PGPGPG`, or `PGP/GPG`, which is the same; `NONE`: files are not encrypted."
    )
    public_key: str | None = Field(
        None,
        max_length=1_000_000,
        description="The partner's public key of OpenPGP: as Base64, or as `gpg --armor --export` prints it.",
    )

    @rule
    def _has_an_algorithm(self) -> Iterator[Problem]:
        if self.encryption_algo is None:
            message = "encryption needs `encryptionAlgo` and `publicKey`; write `PGPGPG`, or `NONE` for none"
            yield Problem("missing-field", "/encryptionAlgo", message)

    @rule
    def _has_a_key(self) -> Iterator[Problem]:
        if self.encryption_algo not in (None, "NONE") and not self.public_key:
            message = f"`{self.encryption_algo}` needs the partner's `publicKey`; add it"
            yield Problem("missing-field", "/publicKey", message)

    @rule
    def _the_key_is_written_as_one(self) -> Iterator[Problem]:
        if self.public_key and not _is_written_as_key(self.public_key):
            message = "it is no key: give what `gpg --armor --export` prints, or that as Base64"
            yield Problem("invalid", "/publicKey", message)


class EncryptionExtension(Block):
    """What Headrace adds to encryption."""

    fingerprint: str | None = Field(
        None,
        pattern="^[0-9A-Fa-f ]{40,84}$",
        description="The fingerprint of the key, as the partner tells it: a key with another is refused.",
    )


class AccountEncryption(Block):
    """How files are encrypted, before they leave."""

    spec_name: str = Field("File Encryption", description="`File Encryption` or `File PGP/GPG Encryption`.")
    params: EncryptionParams = Field(description="The algorithm and the key.")
    extension: EncryptionExtension = Field(
        default_factory=EncryptionExtension, alias="x-headrace", description="Additions of Headrace."
    )

    @property
    def algorithm(self) -> Literal["PGP", "NONE"]:
        """The algorithm, however it is spelled."""
        return "NONE" if self.params.encryption_algo in (None, "NONE") else "PGP"


def _is_written_as_key(text: str) -> bool:
    written = text.strip()
    if written.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----"):
        return True
    try:
        return bool(b64decode("".join(written.split()), validate=True))
    except (binascii.Error, ValueError):
        return False
