"""The key provider that needs nothing: a file on this machine, kept apart from the data and its backups."""

import os
import secrets
import stat
import tempfile
import threading
from base64 import b64decode, b64encode
from collections.abc import Collection
from pathlib import Path

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headrace.errors import OperationError

_NONCE = 12


class LocalKeyFile:
    """
    Wraps data keys with the newest key of a file that only its owner can read.

    The file is made with a random 256-bit key when it is not there, whole or not at all, also when several processes
    start at once. ``rotate`` adds a key; older ones stay, for what they wrapped. Who loses the file loses every secret.

    Raises:
        OperationError: others can read the file, it is not a key file, or it cannot be read or made at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changing = threading.Lock()
        try:
            _make_private_folders(path.parent)
            if not path.exists():
                _create(path, _written({_new_id(): secrets.token_bytes(32)}))
            self._keys = _read(path)
        except OSError as error:
            raise OperationError(f"The key file {path} cannot be read or made: {error.strerror or error}.") from None

    @property
    def key_id(self) -> str:
        """The key that wraps: the last in the file."""
        return next(reversed(self._keys))

    def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Encrypt a data key; the result begins with the id of the key it needs."""
        key_id, nonce = self.key_id, secrets.token_bytes(_NONCE)
        name = key_id.encode() + b"\0"
        return name + nonce + AESGCM(self._keys[key_id]).encrypt(nonce, key, name + aad)

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Decrypt a data key."""
        name, _, content = wrapped.partition(b"\0")
        key_id = self.master_of(wrapped)
        if key_id not in self._keys:
            raise OperationError(
                f"The key '{key_id}' is not in {self._path}; restore the file that goes with this data."
            )
        try:
            return AESGCM(self._keys[key_id]).decrypt(content[:_NONCE], content[_NONCE:], name + b"\0" + aad)
        except (InvalidTag, ValueError):
            raise OperationError(f"A data key does not unwrap with the key '{key_id}' of {self._path}.") from None

    def master_of(self, wrapped: bytes) -> str:
        """Return the id of the key that a wrapped data key needs."""
        return wrapped.partition(b"\0")[0].decode("ascii", "replace")

    def rotate(self) -> str:
        """Add a new key, which wraps from now on, and return its id."""
        with self._changing:
            self._write({**_read(self._path), _new_id(): secrets.token_bytes(32)})
        return self.key_id

    def prune(self, needed: Collection[str]) -> list[str]:
        """Take every key out of the file but the newest and those that are needed, and return their ids."""
        with self._changing:
            known = _read(self._path)
            newest = next(reversed(known))
            pruned = [key_id for key_id in known if key_id not in needed and key_id != newest]
            if pruned:
                self._write({key_id: key for key_id, key in known.items() if key_id not in pruned})
        return pruned

    def _write(self, keys: dict[str, bytes]) -> None:
        """Put the file in the place of the one that is there: whoever dies on the way leaves that one."""
        try:
            temporary = _write_beside(self._path, _written(keys))
            temporary.replace(self._path)
            _settle(self._path.parent)
        except OSError as error:
            raise OperationError(f"The key file {self._path} cannot be written: {error.strerror or error}.") from None
        self._keys = keys


def _new_id() -> str:
    return f"m{secrets.token_hex(8)}"


def _written(keys: dict[str, bytes]) -> bytes:
    entries = [{"id": key_id, "key": b64encode(key).decode()} for key_id, key in keys.items()]
    return orjson.dumps({"headrace": "master keys", "keys": entries}, option=orjson.OPT_INDENT_2) + b"\n"


def _read(path: Path) -> dict[str, bytes]:
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise OperationError(f"Others on this machine can read the key file {path}; run: chmod 600 {path}")
        content = file.read()
    try:
        keys = {entry["id"]: b64decode(entry["key"], validate=True) for entry in orjson.loads(content)["keys"]}
    except (ValueError, KeyError, TypeError):
        keys = {}
    if not keys or any(len(key) != 32 for key in keys.values()):
        raise OperationError(
            f"{path} is not a key file of Headrace; restore it, or name another with HEADRACE_KEY_FILE."
        )
    return keys


def _make_private_folders(folder: Path) -> None:
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)


def _create(path: Path, content: bytes) -> None:
    """Put the file there whole, unless another process was faster, whose file then stands."""
    temporary = _write_beside(path, content)
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    _settle(path.parent)


def _write_beside(path: Path, content: bytes) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # Made with mode 0600.
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _settle(folder: Path) -> None:
    """Make a new name in the folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
