"""
The way to a server of SSH: dialled by the egress, and known by a key that somebody has confirmed.

Before the server has proven that it has that key nothing is sent to it, neither a user name nor a password. Nothing of
this machine takes part: no agent, no file of keys or of hosts, no configuration, no variable.
"""

import asyncio
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncssh
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from headrace.connect.egress import Target
from headrace.connect.storage.storage import NotStored, Way
from headrace.connect.transport import NotReached
from headrace.errors import EgressError, TargetBlocked
from headrace.model.problem import ConfigurationError, Problem

#: Seconds to dial, to agree on keys and to sign in, each.
DIAL, SIGN_IN = 10.0, 30.0
#: Seconds between signs of life, and how many may stay without an answer.
_KEEPALIVE, _UNANSWERED = 15, 4
_HOST_KEYS = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    ("rsa-sha2-512", "rsa-sha2-256"),
)
_ALL_HOST_KEYS = tuple(algorithm for kind in _HOST_KEYS for algorithm in kind)
_SHORTEST_RSA = 2048
_NO_KEY = "it is none; give the file that `ssh-keygen -t ed25519` makes without a passphrase, as Base64"
_LOCKED = (
    "it has a passphrase, which nobody could type in when files are sent; take it off a copy with "
    '`ssh-keygen -p -N "" -f COPY`, or make another key for this account'
)
#: What is agreed on, the first that the server has too. AES-GCM costs half of what ChaCha20 does.
_ALGORITHMS: dict[str, Any] = {
    "kex_algs": (
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group18-sha512",
        "diffie-hellman-group-exchange-sha256",
        "diffie-hellman-group14-sha256",
    ),
    "encryption_algs": (
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
        "aes128-ctr",
        "aes256-ctr",
    ),
    "mac_algs": ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512"),
    "signature_algs": _ALL_HOST_KEYS,
    "compression_algs": ("none",),
}
#: Nothing that lies about on this machine is looked at.
_NOTHING_ELSE: dict[str, Any] = {
    "config": None,
    "agent_path": None,
    "known_hosts": ([], [], [], [], [], [], []),
    "x509_trusted_certs": None,
    "x509_trusted_cert_paths": [],
    "gss_host": None,
    "host_based_auth": False,
    "pkcs11_provider": None,
    "proxy_command": None,
    "tunnel": None,
    "env": None,
    "send_env": None,
}
#: How public keys begin, and how a fingerprint is written.
_PUBLIC = ("ssh-ed25519", "ssh-rsa", *_HOST_KEYS[1])
_FINGERPRINT = re.compile("SHA256:[A-Za-z0-9+/]{43}")
_ARMOR = re.compile(r"(-----BEGIN [A-Z0-9 ]+-----)(.*)(-----END [A-Z0-9 ]+-----)", re.DOTALL)
#: What codes mean that a server gives, by whether they are of a channel or of the whole connection.
_CODES = {(True, 1): "busy", (True, 4): "busy", (False, 12): "busy", (False, 1): "denied"}
_NO_SUBSYSTEM = 0xFFFFFFFF

asyncssh.set_log_level("CRITICAL")  # Its lines name users, and what went wrong is told by what is raised.


@dataclass(frozen=True, slots=True)
class Login:
    """As whom we sign in: with a password or with a key."""

    user: str
    password: str | None = field(default=None, repr=False)
    key: asyncssh.SSHKey | None = field(default=None, repr=False)


class _OtherKey(Exception):
    """The server has shown a key that nobody confirmed; what it sent is not trusted, and nothing was sent."""

    def __init__(self, shown: str) -> None:
        self.shown = shown


class _NoKey(Exception):
    """The server was reached and has shown no key: it has none of the kind, or the connection broke off."""

    def __init__(self, reason: NotStored) -> None:
        self.reason = reason


class _Watch(asyncssh.SSHClient):
    """Compares the key that a server shows with those that were confirmed, and keeps its fingerprint."""

    def __init__(self, confirmed: Sequence[str]) -> None:
        self._confirmed = confirmed
        self.shown = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = key.get_fingerprint()
        return self.shown in self._confirmed


async def host_key(host: str, port: int, way: Way) -> str:
    """
    Return the fingerprint of the key that a server shows at this moment, as ``SHA256:…``, and send it nothing.

    Whoever confirms it has to have it from the partner, by another way than this one.

    Raises:
        NotStored: it was not reached, or speaks no SSH that is safe.
        EgressError: it may not be reached from here.
    """
    target = _target(host, port, way)
    try:
        connection = await _connect(target, Login("nobody"), way, (), _ALL_HOST_KEYS)
    except _OtherKey as other:
        return other.shown
    except _NoKey as none:
        raise none.reason from None
    connection.abort()
    raise NotStored("refused", f"'{target.authority}' has shown no key.")


async def host_keys(host: str, port: int, way: Way) -> list[str]:
    """
    Return the fingerprints of the keys that a server has, one of each kind; see ``host_key``.

    Raises:
        NotStored: it was not reached, or speaks no SSH that is safe.
        EgressError: it may not be reached from here.
    """
    target, shown = _target(host, port, way), list[str]()
    reason = NotStored("refused", f"'{target.authority}' has shown no key.")
    for kinds in _HOST_KEYS:
        try:
            (await _connect(target, Login("nobody"), way, (), kinds)).abort()
        except _OtherKey as other:
            shown.append(other.shown)
        except _NoKey as none:
            reason = none.reason
    if not shown:
        raise reason
    return shown


async def signed_in(host: str, port: int, login: Login, way: Way) -> asyncssh.SSHClientConnection:
    """
    Sign in at a server that proves to have a confirmed key.

    A server may have one key of each kind, and shows that of the kind it is asked for; if it shows another than was
    confirmed, it is asked for the other kinds before it is taken for a stranger.

    Raises:
        NotStored: it was not reached, has another key, or does not let us in.
        EgressError: it may not be reached from here.
    """
    target = _target(host, port, way)
    confirmed = way.trusted_keys.get(f"{host}:{port}", "").split()
    shown: list[str] = []
    for kinds in (_ALL_HOST_KEYS, *_HOST_KEYS) if confirmed else (_ALL_HOST_KEYS,):
        try:
            return await _connect(target, login, way, confirmed, kinds)
        except _OtherKey as other:
            shown.append(other.shown)
        except _NoKey as none:  # Where it has shown a key already, it just has none of this kind.
            if not shown:
                raise none.reason from None
    raise NotStored("host-key", _about_keys(target, shown[0], confirmed))


async def _connect(
    target: Target, login: Login, way: Way, confirmed: Sequence[str], kinds: Sequence[str]
) -> asyncssh.SSHClientConnection:
    watch = _Watch(confirmed)
    options = await asyncssh.SSHClientConnectionOptions.construct(**_options(target, login, watch, kinds))
    sock = await _dialled(target, way)
    try:
        async with asyncio.timeout(SIGN_IN):
            return await asyncssh.connect(target.host, target.port, sock=sock, options=options, config=None)
    except asyncssh.HostKeyNotVerifiable:
        raise _OtherKey(watch.shown) from None
    except asyncssh.KeyExchangeFailed:
        raise _NoKey(_unsafe(target)) from None
    except asyncssh.PermissionDenied:
        raise NotStored("denied", _about_signing_in(target, login)) from None
    except (asyncssh.Error, OSError, ValueError) as error:
        reason = broken(target.authority, error)
        raise reason if watch.shown else _NoKey(reason) from None


async def _dialled(target: Target, way: Way) -> Any:
    try:
        return await way.egress.dial(target, within=DIAL)
    except (NotReached, TargetBlocked):  # Which of them it was would tell what a network is like from inside.
        raise NotStored("unreached", f"'{target.authority}' was not reached; see that it is there.") from None


def broken(where: str, error: Exception) -> NotStored:
    """Say what it means that a connection was not made or is no more."""
    if getattr(error, "code", None) == _NO_SUBSYSTEM:
        return NotStored("refused", f"'{where}' lets us in, and offers no SFTP; the partner has to enable it.")
    kind = _CODES.get((isinstance(error, asyncssh.ChannelOpenError), getattr(error, "code", 0)))
    if kind == "denied":
        return NotStored(
            "denied", f"'{where}' lets nobody in from this machine's address; the partner has to allow it."
        )
    if kind == "busy":
        return NotStored("busy", f"'{where}' takes no further connection at the moment.")
    if isinstance(error, asyncssh.ProtocolNotSupported | asyncssh.ProtocolError | asyncssh.MACError | ValueError):
        return NotStored("refused", f"'{where}' does not speak SSH as it is written ({type(error).__name__}).")
    if isinstance(error, TimeoutError):
        return NotStored("unreached", f"'{where}' did not answer in time.")
    return NotStored("unreached", f"The connection to '{where}' broke off ({type(error).__name__}).")


def _options(target: Target, login: Login, watch: _Watch, kinds: Sequence[str]) -> dict[str, Any]:
    ways = ("password", "keyboard-interactive") if login.password is not None else ("publickey",)
    return {
        **_NOTHING_ELSE,
        **_ALGORITHMS,
        "host": target.host,
        "port": target.port,
        "client_factory": lambda: watch,
        "client_version": "Headrace",
        "server_host_key_algs": list(kinds),
        "username": login.user,
        "password": login.password,
        "client_keys": [login.key] if login.key is not None else None,
        "preferred_auth": ways,
        "connect_timeout": DIAL,
        "login_timeout": SIGN_IN,
        "keepalive_interval": _KEEPALIVE,
        "keepalive_count_max": _UNANSWERED,
    }


def _target(host: str, port: int, way: Way) -> Target:
    """
    Read where to connect.

    Raises:
        EgressError: it is no host, or its port is that of something else.
        NotStored: it may not be reached.
    """
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    try:
        return way.egress.admit(f"sftp://{shown}:{port}/", schemes=("sftp",))
    except TargetBlocked:
        raise NotStored("unreached", f"'{shown}:{port}' was not reached; see that it is there.") from None
    except EgressError as error:
        raise ConfigurationError([Problem("invalid", "/hostName", str(error))]) from None


def _unsafe(target: Target) -> NotStored:
    return NotStored(
        "distrusted",
        f"'{target.authority}' speaks no SSH that is safe: it has none of our algorithms. The partner has to enable "
        "AES-GCM or AES-CTR, a key exchange with SHA-2, and an Ed25519, ECDSA or RSA host key with SHA-2.",
    )


def _about_keys(target: Target, shown: str, confirmed: Sequence[str]) -> str:
    if not confirmed:
        return (
            f"'{target.authority}' shows the host key {shown}, which nobody has confirmed; nothing was sent. Compare "
            "it with what the partner says, and pin it in the account."
        )
    return (
        f"'{target.authority}' shows the host key {shown}, and the account has pinned {' '.join(confirmed)}; nothing "
        "was sent, no password either. If the partner says that the key was changed, pin the new one in the account. "
        "If not, somebody is between us and the partner."
    )


def _about_signing_in(target: Target, login: Login) -> str:
    what = "user name and password" if login.password is not None else "user name and key"
    more = "" if login.password is not None else ", and that the partner has the public half of the key"
    return f"'{target.authority}' does not let us in; see that {what} are right{more}."


def fingerprints(text: str) -> list[str]:
    """
    Read which keys a server may have: fingerprints as OpenSSH prints them, or public keys as `ssh-keyscan` does.

    Raises:
        ValueError: it is neither.
    """
    lines = (line.split() for line in text.splitlines())
    return [one for words in lines if words and not words[0].startswith("#") for one in _fingerprints(words)]


def _fingerprints(words: list[str]) -> list[str]:
    place = next((place for place, word in enumerate(words) if word in _PUBLIC), None)
    if place is not None:
        return [str(asyncssh.import_public_key(" ".join(words[place : place + 2])).get_fingerprint())]
    if not all(_FINGERPRINT.fullmatch(word) for word in words):
        raise ValueError("neither a fingerprint nor a public key")
    return words


def read_key(text: str) -> asyncssh.SSHKey:
    """
    Read a private key: as Base64, or as the text that it was made as. Ed25519, ECDSA, and RSA of 2048 bits or more.

    Raises:
        ConfigurationError: it is none, or none that can be used; the message says what to do.
    """
    try:
        key = asyncssh.import_private_key(_unwrapped(text))
    except ValueError as error:
        raise _no_key(_LOCKED if "assphrase" in str(error) else _NO_KEY) from None
    kind = key.get_algorithm()
    if kind not in ("ssh-rsa", *_ALL_HOST_KEYS):
        raise _no_key("it is of a kind that is not used any more; make an Ed25519 key")
    if isinstance(key.pyca_key, RSAPrivateKey) and key.pyca_key.key_size < _SHORTEST_RSA:
        raise _no_key(f"it is an RSA key of less than {_SHORTEST_RSA} bits; make a longer one, or an Ed25519 key")
    return key


def _unwrapped(text: str) -> bytes:
    """Take Base64 off, and give a text its lines back where a form has made one of them."""
    written = text.strip()
    if not written.startswith("-----"):
        decoded = b64decode("".join(written.split()), validate=True)
        if not decoded.startswith(b"-----"):
            return decoded
        written = decoded.decode("ascii").strip()
    if "ENCRYPTED" in written:
        raise ValueError("Passphrase")
    armor = _ARMOR.fullmatch(written)
    if armor is None:
        raise ValueError("no armor")
    return "\n".join([armor[1], *armor[2].split(), armor[3], ""]).encode()


def _no_key(why: str) -> ConfigurationError:
    return ConfigurationError([Problem("credentials", "/auth/params/sshKey", f"the private key cannot be used: {why}")])
