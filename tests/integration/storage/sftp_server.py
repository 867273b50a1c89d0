"""
Servers of SFTP on this machine: OpenSSH's own, and asyncssh's for what that one cannot do here.

OpenSSH comes as a package of Debian, unpacked beside the tests and never installed. Root gives it users of its own, in
a mount namespace that ends with it; others run it as themselves, where it takes keys and no passwords.
"""

import ctypes
import ctypes.util
import fcntl
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp

import pytest

HERE = Path(__file__).parent
PACKAGES = HERE / ".sshd"
NAMES = ("openssh-server", "openssh-sftp-server", "libwrap0")
USER, PASSWORD = "courier", "correct horse battery"
UID = 21991
#: Extensions that the poorer of the two servers does not have.
WITHOUT = "posix-rename,hardlink,fsync,statvfs,limits,lsetstat,expand-path,copy-data"
NAMESPACE = """
set -e
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/shadow /etc/shadow
mount --bind {folder}/group /etc/group
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 755 /run/sshd
mount -t tmpfs -o size=1m,mode=777 tmpfs {home}/small
exec {sshd} -D -e -f {folder}/config
"""
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
Port {poor}
{host_keys}
PidFile none
UsePAM no
StrictModes no
AuthorizedKeysFile {folder}/authorized_keys
PasswordAuthentication {passwords}
KbdInteractiveAuthentication no
MaxStartups 200:30:400
UseDNS no
LogLevel DEBUG1
Subsystem sftp internal-sftp
Match LocalPort {poor}
    ForceCommand internal-sftp -P {without}
"""


@dataclass(frozen=True)
class SftpServer:
    """A running server: where it is, who may sign in, and ``home``, which is a folder of theirs and of this machine."""

    port: int
    home: Path
    user: str
    key: str
    fingerprint: str
    password: str | None = None
    poor_port: int = 0
    log: Path = field(default=Path(os.devnull))

    @property
    def poor(self) -> "SftpServer":
        """The same server with nothing but the protocol as it was first written."""
        return replace(self, port=self.poor_port)

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture(scope="session", name="openssh")
def fixture_openssh() -> Path:
    """OpenSSH's server, unpacked."""
    PACKAGES.mkdir(exist_ok=True)
    with (PACKAGES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Tests may run in several processes.
        if not (PACKAGES / "usr/sbin/sshd").exists():
            _fetch()
    missing = [line.split()[0] for line in _libraries().splitlines() if "not found" in line]
    if missing:
        pytest.skip(f"OpenSSH's server needs {', '.join(missing)}, which this machine does not have")
    return PACKAGES


def _fetch() -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("OpenSSH's server is had by apt-get and dpkg-deb, which this machine does not have")
    ended = subprocess.run(["apt-get", "download", *NAMES], cwd=PACKAGES, capture_output=True, text=True)
    if ended.returncode:
        pytest.skip(f"apt-get did not download OpenSSH's server: {ended.stderr.strip().splitlines()[-1:]}")
    for package in PACKAGES.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, PACKAGES], check=True)


def _environment() -> dict[str, str]:
    folders = PACKAGES.glob("**/lib/*-linux-gnu")
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(str(folder) for folder in folders)}


def _libraries() -> str:
    told = subprocess.run(
        ["ldd", PACKAGES / "usr/sbin/sshd"], env=_environment(), capture_output=True, text=True, check=True
    )
    return told.stdout


def made_key(path: Path, *options: str) -> Path:
    """Make a pair of keys of SSH without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-N", "", *(options or ("-t", "ed25519")), "-f", path], check=True)
    return path


def fingerprint(path: Path) -> str:
    told = subprocess.run(["ssh-keygen", "-lf", f"{path}.pub"], capture_output=True, text=True, check=True)
    return told.stdout.split()[1]


class Sshd:
    """Starts OpenSSH's server, with one folder of homes and one user."""

    def __init__(self, folder: Path, openssh: Path) -> None:
        self.folder = folder
        self.openssh = openssh
        self.home = folder / "home"
        self.is_root = os.geteuid() == 0
        self.user = USER if self.is_root else getpass.getuser()
        (self.home / "small").mkdir(parents=True)
        self.client_key = made_key(folder / "client")
        shutil.copy(folder / "client.pub", folder / "authorized_keys")
        for name in ("authorized_keys", "home"):
            (folder / name).chmod(0o755)
        if self.is_root:
            self._write_users()

    @contextmanager
    def running(self, *host_keys: Path, ports: tuple[int, int] | None = None) -> Iterator[SftpServer]:
        """Run it with these host keys, until the end of the block."""
        port, poor = ports or (free_port(), free_port())
        log = self.folder / f"{port}.log"
        (self.folder / "config").write_text(self._config(host_keys, port, poor))
        with log.open("ab") as written:
            process = subprocess.Popen(
                self._command(), env=_environment(), stderr=written, preexec_fn=_dies_with_parent, cwd="/"
            )
        try:
            _wait_for(port, process, log)
            yield SftpServer(
                port,
                self.home,
                self.user,
                self.client_key.read_text(),
                fingerprint(host_keys[0]),
                PASSWORD if self.is_root else None,
                poor,
                log,
            )
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)

    def _config(self, host_keys: tuple[Path, ...], port: int, poor: int) -> str:
        return CONFIG.format(
            port=port,
            poor=poor,
            folder=self.folder,
            host_keys="\n".join(f"HostKey {key}" for key in host_keys),
            passwords="yes" if self.is_root else "no",
            without=WITHOUT,
        )

    def _command(self) -> list[str]:
        sshd = self.openssh / "usr/sbin/sshd"
        if not self.is_root:
            return [str(sshd), "-D", "-e", "-f", str(self.folder / "config")]
        script = NAMESPACE.format(folder=self.folder, home=self.home, sshd=sshd)
        return ["unshare", "--mount", "sh", "-c", script]

    def _write_users(self) -> None:
        """Write the users that there are in the server's namespace, and nowhere else."""
        service = "root:x:0:0::/root:/bin/sh\nsshd:x:21992:21992::/run/sshd:/bin/false"
        (self.folder / "passwd").write_text(f"{service}\n{USER}:x:{UID}:{UID}::{self.home}:/bin/sh\n")
        (self.folder / "group").write_text(f"root:x:0:\nsshd:x:21992:\n{USER}:x:{UID}:\n")
        (self.folder / "shadow").write_text(f"{USER}:{_hashed(PASSWORD)}:19000:0:99999:7:::\nsshd:*:19000::::::\n")
        os.chown(self.home, UID, UID)
        (self.home / "small").chmod(0o777)


def _hashed(password: str) -> str:
    library = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    return bytes(library.crypt(password.encode(), b"$6$headracetests$")).decode()


def _dies_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"the server did not start: {log.read_text()[-1000:] if log.exists() else ''}", pytrace=False)


@pytest.fixture(scope="session", name="servers")
def fixture_servers(openssh: Path) -> Iterator[Sshd]:
    """What starts OpenSSH's server."""
    folder = Path(mkdtemp(prefix="headrace-sshd-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield Sshd(folder, openssh)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session", name="sshd")
def fixture_sshd(servers: Sshd) -> Iterator[SftpServer]:
    """A running OpenSSH."""
    with servers.running(made_key(servers.folder / "host")) as running:
        yield running


@pytest.fixture(scope="session", name="asyncssh_server")
def fixture_asyncssh_server() -> Iterator[SftpServer]:
    """A running server of asyncssh, in a process of its own; it takes a password and a key."""
    folder = Path(mkdtemp(prefix="headrace-asyncssh-", dir="/tmp"))
    home, port = folder / "home", free_port()
    home.mkdir()
    host, client = made_key(folder / "host"), made_key(folder / "client")
    command = [sys.executable, HERE / "asyncssh_server.py", str(port), host, f"{client}.pub", USER, PASSWORD]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*map(str, command)], stderr=log, preexec_fn=_dies_with_parent)
    try:
        _wait_for(port, process, folder / "log")
        yield SftpServer(port, home, USER, client.read_text(), fingerprint(host), PASSWORD)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)
