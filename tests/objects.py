"""A real server of S3 on this machine, from a package, for as long as tests ask."""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import trustme
from obstore.exceptions import BaseError
from obstore.store import S3Store

KEY, SECRET = "reader-key", "reader-secret-kept-by-the-operator"
WRITER, WRITER_SECRET = "writer-key", "writer-secret"
_IDENTITIES = {
    "identities": [
        {
            "name": "writer",
            "credentials": [{"accessKey": WRITER, "secretKey": WRITER_SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Read:lake", "List:lake"],
        },
    ]
}


@dataclass(frozen=True)
class ObjectServer:
    """A server with a bucket, ``lake``, that one may write and another may read."""

    endpoint: str

    def bucket(self, name: str = "lake") -> Any:
        """Return a bucket as who writes has it: not by way of anything of ours."""
        return S3Store(
            name,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=WRITER,
            secret_access_key=WRITER_SECRET,
            client_options={"allow_http": True, "allow_invalid_certificates": True},
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=10)},
        )


@contextlib.contextmanager
def server(certificate: trustme.LeafCert | None = None, *, volumes: int = 8) -> Iterator[ObjectServer]:
    """Run a server until the end; over https with a certificate."""
    folder = Path(tempfile.mkdtemp(prefix="headrace-objects-"))
    (folder / "s3.json").write_text(json.dumps(_IDENTITIES))
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
    ports = dict(zip((*names, "s3.port", "s3.port.grpc"), _free_ports(8), strict=True))
    command = [
        *(str(Path(sys.executable).parent / "weed"), "server"),
        *("-dir", str(folder), "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-master.telemetry=false"),
        *("-filer", "-s3", "-s3.config", str(folder / "s3.json"), "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *(f"-volume.max={volumes}", "-master.volumeSizeLimitMB=64"),
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    if certificate is not None:
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        command += ["-s3.key.file", str(folder / "key.pem"), "-s3.cert.file", str(folder / "cert.pem")]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        found = ObjectServer(f"http{'' if certificate is None else 's'}://127.0.0.1:{ports['s3.port']}")
        _await(found, process, folder / "log")
        yield found
    finally:
        process.kill()
        process.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _await(found: ObjectServer, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the bucket is there: written by the request that makes a folder in it."""

    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(BaseError):
            found.bucket().put("ready", b"")
            found.bucket().delete("ready")
            return
        time.sleep(0.2)
    raise RuntimeError(log.read_text()[-2000:])
