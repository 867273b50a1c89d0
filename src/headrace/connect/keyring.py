"""
Secrets at rest: envelope encryption with bound context.

Every organization has data keys of its own. A value is sealed with the newest of them under AES-256-GCM, bound to the
place it is stored in, so that a ciphertext moved to another row, field or tenant does not open. The data keys are
stored wrapped by a key provider that keeps its key elsewhere: whoever has the database alone has nothing.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headrace.connect.secrets import Masked, Secret, mask
from headrace.errors import OperationError

_VERSION = "v1"
_NONCE = 12


class SealError(OperationError):
    """A stored secret cannot be opened."""

    code = "seal"


class KeyProvider(Protocol):
    """
    Wraps data keys with a key that never leaves it: a local file, a KMS, a vault.

    Called rarely, once for each data key a process uses. ``aad`` is bound to the result and must be given again.
    ``key_id`` names the key that wraps now; a wrapped key names its own inside, so older ones open as well.
    """

    @property
    def key_id(self) -> str: ...

    def wrap(self, key: bytes, aad: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Raise ``OperationError`` naming the key's id if it cannot be unwrapped."""
        ...


class DataKeys(Protocol):
    """
    Where wrapped data keys are kept; the store implements it.

    ``load`` answers all of an organization's keys, oldest first; ``save`` adds one for good.
    """

    def load(self, organization: str) -> Sequence[tuple[str, bytes]]: ...

    def save(self, organization: str, key_id: str, wrapped: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret is stored. A sealed value opens in its own place only."""

    organization: str
    sandbox: str
    record: str
    field: str

    def bound_to(self, key_id: str) -> bytes:
        """The associated data: each part with its length before it, so that no two places read alike."""
        return _joined(_VERSION, self.organization, self.sandbox, self.record, self.field, key_id)


@dataclass(slots=True)
class _Keys:
    """The opened keys of one organization, oldest first."""

    by_id: dict[str, AESGCM] = field(default_factory=dict)
    newest: str = ""
    fingerprints: bytes = b""


class Keyring:
    """
    Seals and opens the secrets of all organizations.

    A sealed value is a text, ``v1.<data key id>.<nonce and ciphertext in base64url>``. The first secret of an
    organization makes its first data key. Opened keys stay in memory for the life of the process.
    """

    def __init__(self, provider: KeyProvider, data_keys: DataKeys) -> None:
        self._provider = provider
        self._data_keys = data_keys
        self._keys: dict[str, _Keys] = {}

    def seal(self, value: str | Secret, place: Place) -> str:
        """Encrypt a value for its place, with the organization's newest key."""
        keys = self._with_a_key(place.organization)
        key_id, nonce = keys.newest, secrets.token_bytes(_NONCE)
        plain = value.reveal() if isinstance(value, Secret) else value
        sealed = keys.by_id[key_id].encrypt(nonce, plain.encode(), place.bound_to(key_id))
        return f"{_VERSION}.{key_id}.{_encoded(nonce + sealed)}"

    def open(self, sealed: str, place: Place) -> Secret:
        """
        Decrypt what was sealed for this place.

        Raises:
            SealError: it was sealed for another place, was damaged, or its key is gone. Names the key, not the data.
        """
        key_id, content = _parts(sealed)
        key = self._key(place.organization, key_id)
        try:
            return Secret(key.decrypt(content[:_NONCE], content[_NONCE:], place.bound_to(key_id)).decode())
        except (InvalidTag, ValueError):
            raise SealError(
                f"A stored secret does not open with data key '{key_id}': it is damaged or belongs to another place."
            ) from None

    def reseal(self, sealed: str, place: Place) -> str:
        """Return the value sealed with the newest key; the very same text if it is already."""
        key_id, _ = _parts(sealed)
        if key_id == self._with_a_key(place.organization).newest:
            return sealed
        return self.seal(self.open(sealed, place), place)

    def rotate(self, organization: str) -> str:
        """Give the organization a new data key, which seals from now on, and return its id. Older keys still open."""
        key_id, key = f"k{secrets.token_hex(8)}", secrets.token_bytes(32)
        self._data_keys.save(organization, key_id, self._provider.wrap(key, _joined(organization, key_id)))
        self._keys.pop(organization, None)
        return self._load(organization).newest

    def mask(self, value: str | Secret, organization: str) -> Masked:
        """Mask a value for the API; its fingerprint stays the same while the organization's oldest key is kept."""
        return mask(value, self._with_a_key(organization).fingerprints)

    def fingerprint(self, value: str | Secret, organization: str) -> str:
        """Return the whole keyed fingerprint of a value, by which two are told to be the same; as stable as a mask."""
        key = self._with_a_key(organization).fingerprints
        plain = value.reveal() if isinstance(value, Secret) else value
        return hmac.new(key, plain.encode(), hashlib.sha256).hexdigest()

    def _key(self, organization: str, key_id: str) -> AESGCM:
        keys = self._keys.get(organization) or self._load(organization)
        if key_id not in keys.by_id:
            keys = self._load(organization)  # Another process may have rotated meanwhile.
        if key_id not in keys.by_id:
            raise SealError(f"A stored secret was sealed with data key '{key_id}', which is not there.")
        return keys.by_id[key_id]

    def _with_a_key(self, organization: str) -> _Keys:
        keys = self._keys.get(organization) or self._load(organization)
        if not keys.newest:
            self.rotate(organization)
            keys = self._keys[organization]
        return keys

    def _load(self, organization: str) -> _Keys:
        keys = _Keys()
        for key_id, wrapped in self._data_keys.load(organization):
            key = self._provider.unwrap(wrapped, _joined(organization, key_id))
            keys.by_id[key_id] = AESGCM(key)
            keys.newest = key_id
            keys.fingerprints = keys.fingerprints or hmac.digest(key, b"fingerprints of secrets", hashlib.sha256)
        self._keys[organization] = keys
        return keys


def _parts(sealed: str) -> tuple[str, bytes]:
    version, _, rest = sealed.partition(".")
    key_id, _, content = rest.partition(".")
    if version != _VERSION or not key_id:
        raise SealError(f"A stored secret is not of a form that this version of Headrace knows ({_VERSION}).")
    try:
        return key_id, _decoded(content)
    except (binascii.Error, ValueError):
        raise SealError(f"A stored secret, sealed with data key '{key_id}', is damaged.") from None


def _joined(*parts: str) -> bytes:
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encoded(content) != text:  # Of the last letter some bits say nothing, and are to be as they were written.
        raise ValueError("this is not how it was written")
    return content
