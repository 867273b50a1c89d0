"""
Secrets at rest: envelope encryption with bound context.

Every organization has data keys of its own. A value is sealed with the newest of them under AES-256-GCM, bound to the
place it is stored in, so that a ciphertext moved to another row, field or tenant does not open. The data keys are
stored wrapped by a key provider that keeps its key elsewhere: whoever has the database alone has nothing.

Keys are had one by one, when something needs them: one that is damaged, or that its provider will not unwrap now, keeps
closed what was sealed with it and nothing else.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headrace.clock import Clock, SystemClock
from headrace.connect.secrets import Masked, Secret, mask
from headrace.errors import OperationError

_VERSION = "v1"
_NONCE = 12
#: What the ids of data keys begin with, and those of the keys of fingerprints.
_DATA, _FINGERPRINTS = "k", "f"
#: Seconds for which a key that could not be had is not asked for again.
PAUSE = 10.0


class SealError(OperationError):
    """A stored secret cannot be opened."""

    code = "seal"


class KeyUnavailable(OperationError):
    """A key that opens stored secrets cannot be had now."""

    code = "key-unavailable"


class KeyProvider(Protocol):
    """
    Wraps data keys with a master key that never leaves it: a local file, a KMS, a vault.

    What an adapter for one of these has to do:

    - ``wrap`` and ``unwrap`` bind ``aad`` (encryption context, associated data), and a wrapped key names by itself the
      master key that it needs, so that older ones open as well and ``master_of`` need ask nobody.
    - They block, and may be called from the thread that writes the store: they answer or fail within two seconds, by
      time-outs of their own, and do not retry. Any number of threads call at once.
    - Whatever goes wrong is an ``OperationError`` that names the key's id, and neither the key nor the data.
    - It caches no data key. The keyring asks once for each that a process uses and keeps it, opened, for the life of
      the process: a provider that goes away stops nothing that runs. One that fails is asked again after ``PAUSE``.
    - ``rotate`` and ``prune`` are for providers whose keys we look after; others raise an ``OperationError`` that says
      where that is done, and change their ``key_id``, after which data keys are wrapped anew as with any other.
    """

    @property
    def key_id(self) -> str:
        """The key that wraps now."""
        ...

    def wrap(self, key: bytes, aad: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Raise ``OperationError`` naming the key's id if it cannot be unwrapped."""
        ...

    def master_of(self, wrapped: bytes) -> str:
        """Return the id of the master key that a wrapped key needs."""
        ...

    def rotate(self) -> str:
        """Make a new key, which wraps from now on, and return its id; older ones still unwrap."""
        ...

    def prune(self, needed: Collection[str]) -> list[str]:
        """Remove for good every key but the newest and those that are needed, and return their ids."""
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


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A data key as it may be told of: ``made_at`` is not known of those that an older Headrace made."""

    id: str
    made_at: int | None


@dataclass(slots=True)
class _Keys:
    """The keys of one organization, oldest first: wrapped as they are kept, and those that were needed, opened."""

    wrapped: dict[str, bytes] = field(default_factory=dict)
    opened: dict[str, bytes] = field(default_factory=dict)
    failed: dict[str, tuple[float, str]] = field(default_factory=dict)

    @property
    def data(self) -> list[str]:
        return [key_id for key_id in self.wrapped if key_id.startswith(_DATA)]

    @property
    def fingerprints(self) -> str | None:
        """The key of fingerprints, where it is one of its own: since the first rotation."""
        return next((key_id for key_id in self.wrapped if key_id.startswith(_FINGERPRINTS)), None)


class Keyring:
    """
    Seals and opens the secrets of all organizations.

    A sealed value is a text, ``v1.<data key id>.<nonce and ciphertext in base64url>``. The first secret of an
    organization makes its first data key. Opened keys stay in memory for the life of the process.

    ``on_opened`` is told each secret that was opened, so that it can be kept out of the log. Whoever makes, wraps or
    removes keys holds ``changing``, so that a key is never removed while another is wrapped with it.
    """

    def __init__(
        self,
        provider: KeyProvider,
        data_keys: DataKeys,
        clock: Clock | None = None,
        on_opened: Callable[[Secret], None] = lambda _: None,
    ) -> None:
        self._provider = provider
        self._on_opened = on_opened
        self._data_keys = data_keys
        self._clock = clock or SystemClock()
        self._keys: dict[str, _Keys] = {}
        self.changing = threading.RLock()

    def seal(self, value: str | Secret, place: Place) -> str:
        """Encrypt a value for its place, with the organization's newest key."""
        keys = self._with_a_key(place.organization)
        key_id, nonce = keys.data[-1], secrets.token_bytes(_NONCE)
        plain = value.reveal() if isinstance(value, Secret) else value
        key = AESGCM(self._opened(place.organization, keys, key_id))
        return f"{_VERSION}.{key_id}.{_encoded(nonce + key.encrypt(nonce, plain.encode(), place.bound_to(key_id)))}"

    def open(self, sealed: str, place: Place) -> Secret:
        """
        Decrypt what was sealed for this place.

        Raises:
            SealError: it was sealed for another place, was damaged, or its key is gone. Names the key, not the data.
            KeyUnavailable: its key cannot be unwrapped now.
        """
        secret = self._read(sealed, place)
        self._on_opened(secret)
        return secret

    def reseal(self, sealed: str, place: Place) -> str:
        """Return the value sealed with the newest key; the very same text if it is already."""
        key_id, _ = _parts(sealed)
        if key_id == self._with_a_key(place.organization).data[-1]:
            return sealed
        return self.seal(self._read(sealed, place), place)

    def mask(self, value: str | Secret, organization: str) -> Masked:
        """Mask a value for the API; its fingerprint stays the same, whatever keys come and go."""
        return mask(value, self._fingerprint_key(organization, self._with_a_key(organization)))

    def fingerprint(self, value: str | Secret, organization: str) -> str:
        """Return the whole keyed fingerprint of a value, by which two are told to be the same, for ever."""
        key = self._fingerprint_key(organization, self._with_a_key(organization))
        plain = value.reveal() if isinstance(value, Secret) else value
        return hmac.new(key, plain.encode(), hashlib.sha256).hexdigest()

    # -- keys that come and go ------------------------------------------------------------------------------------

    def rotate(self, organization: str) -> str:
        """Give the organization a new data key, which seals from now on, and return its id. Older keys still open."""
        with self.changing:
            made = self.new_keys(organization)
            for key_id, wrapped in made:
                self._data_keys.save(organization, key_id, wrapped)
            self.forget(organization)
        return made[-1][0]

    def new_keys(self, organization: str) -> list[tuple[str, bytes]]:
        """
        Make what a rotation has to keep: the new data key last, wrapped, with its id.

        Before the second data key comes the key of fingerprints, which until then is derived from the first. Where that
        does not open any more, fingerprints begin anew.
        """
        keys, made = self._load(organization), []
        if keys.data and keys.fingerprints is None:
            made.append(self._wrapped(organization, _FINGERPRINTS, self._derived(organization, keys)))
        return [*made, self._wrapped(organization, _DATA, secrets.token_bytes(32))]

    def forget(self, organization: str) -> None:
        """Ask the store again when next something of an organization is sealed or opened: its keys have changed."""
        self._keys.pop(organization, None)

    def keys_of(self, organization: str) -> list[KeyInfo]:
        """Return the data keys of an organization, oldest first; the last one seals."""
        return [KeyInfo(key_id, _made_at(key_id)) for key_id in self._load(organization).data]

    @property
    def master_key(self) -> str:
        """The id of the master key that wraps."""
        return self._provider.key_id

    def master_of(self, wrapped: bytes) -> str:
        """Return the id of the master key that a wrapped data key needs."""
        return self._provider.master_of(wrapped)

    def rotate_master(self) -> str:
        """Make a new master key, which wraps from now on, and return its id."""
        with self.changing:
            return self._provider.rotate()

    def rewrap(self, organization: str, key_id: str, wrapped: bytes) -> bytes:
        """Return a data key wrapped with the newest master key."""
        aad = _joined(organization, key_id)
        return self._provider.wrap(self._provider.unwrap(wrapped, aad), aad)

    def prune_master(self, every_wrapped: Callable[[], Iterable[bytes]]) -> list[str]:
        """Remove the master keys with which no data key is wrapped, and return their ids."""
        with self.changing:
            return self._provider.prune({self.master_of(wrapped) for wrapped in every_wrapped()})

    # -- inside ---------------------------------------------------------------------------------------------------

    def _read(self, sealed: str, place: Place) -> Secret:
        key_id, content = _parts(sealed)
        key = self._key(place.organization, key_id)
        try:
            return Secret(key.decrypt(content[:_NONCE], content[_NONCE:], place.bound_to(key_id)).decode())
        except (InvalidTag, ValueError):
            raise SealError(
                f"A stored secret does not open with data key '{key_id}': it is damaged or belongs to another place."
            ) from None

    def _key(self, organization: str, key_id: str) -> AESGCM:
        keys = self._keys.get(organization) or self._load(organization)
        if key_id not in keys.wrapped:
            keys = self._load(organization)  # Another process may have rotated meanwhile.
        if key_id not in keys.wrapped:
            raise SealError(f"A stored secret was sealed with data key '{key_id}', which is not there.")
        return AESGCM(self._opened(organization, keys, key_id))

    def _with_a_key(self, organization: str) -> _Keys:
        keys = self._keys.get(organization) or self._load(organization)
        if not keys.data:
            self.rotate(organization)
            keys = self._load(organization)
        return keys

    def _load(self, organization: str) -> _Keys:
        keys, known = _Keys(dict(self._data_keys.load(organization))), self._keys.get(organization)
        if known is not None:
            keys.opened = {id_: key for id_, key in known.opened.items() if known.wrapped[id_] == keys.wrapped.get(id_)}
            keys.failed = known.failed
        self._keys[organization] = keys
        return keys

    def _opened(self, organization: str, keys: _Keys, key_id: str) -> bytes:
        if (key := keys.opened.get(key_id)) is None:
            key = keys.opened[key_id] = self._unwrapped(organization, keys, key_id)
        return key

    def _unwrapped(self, organization: str, keys: _Keys, key_id: str) -> bytes:
        """Ask the provider, unless it has just failed."""
        failed_at, why = keys.failed.get(key_id, (float("-inf"), ""))
        if self._clock.monotonic() - failed_at < PAUSE:
            raise KeyUnavailable(why)
        try:
            return self._provider.unwrap(keys.wrapped[key_id], _joined(organization, key_id))
        except OperationError as error:
            why = f"The data key '{key_id}' cannot be had: {error.message}"
            keys.failed[key_id] = (self._clock.monotonic(), why)
            raise KeyUnavailable(why) from None

    def _fingerprint_key(self, organization: str, keys: _Keys) -> bytes:
        if keys.fingerprints is not None:
            return self._opened(organization, keys, keys.fingerprints)
        return _fingerprint_key_of(self._opened(organization, keys, keys.data[0]))

    def _derived(self, organization: str, keys: _Keys) -> bytes:
        try:
            return self._fingerprint_key(organization, keys)
        except KeyUnavailable:
            return secrets.token_bytes(32)

    def _wrapped(self, organization: str, kind: str, key: bytes) -> tuple[str, bytes]:
        key_id = f"{kind}{self._clock.now():012x}{secrets.token_hex(8)}"
        return key_id, self._provider.wrap(key, _joined(organization, key_id))


def _made_at(key_id: str) -> int | None:
    """Read when a key was made from its id, which begins with the moment since there was a second one."""
    return int(key_id[1:13], 16) if len(key_id) == 29 else None


def _fingerprint_key_of(key: bytes) -> bytes:
    return hmac.digest(key, b"fingerprints of secrets", hashlib.sha256)


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
