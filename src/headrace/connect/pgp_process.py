"""
What encrypts where there is no ``gpg``: a process of its own, for the library stops all threads while it works.

Its standard input has two keys, each behind its length in four bytes (the partner's, and the house's or nothing), and
then the file; what comes out is the encrypted file. The library wants names of files, and what an event loop hands to a
process may be sockets, which cannot be opened by one: so all goes through two pipes.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime

import pysequoia


def taken(count: int) -> bytes:
    """Take so many bytes and no more: what comes next is read by somebody else."""
    held = b""
    while len(held) < count:
        part = os.read(0, count - len(held))
        if not part:
            raise EOFError
        held += part
    return held


def encrypt() -> None:
    """Encrypt what comes."""
    cert = pysequoia.Cert.from_bytes(taken(int.from_bytes(taken(4), "big")))
    if cert.expiration is not None and cert.expiration <= datetime.now(UTC):
        raise ValueError("expired")  # The library would not mind.
    secret = taken(int.from_bytes(taken(4), "big"))
    signer = pysequoia.Tsk.from_bytes(secret).signer() if secret else None
    given, put = os.pipe()
    taking, made = os.pipe()
    reading = subprocess.Popen(["cat"], stdout=put)  # noqa: S607
    writing = subprocess.Popen(["cat"], stdin=taking)  # noqa: S607
    os.close(put)
    pysequoia.encrypt_file(f"/dev/fd/{given}", f"/dev/fd/{made}", recipients=[cert], signer=signer, armor=False)
    os.close(made)
    if reading.wait() or writing.wait():
        raise OSError("a part was lost")


if __name__ == "__main__":
    try:
        encrypt()
    except Exception as error:
        sys.stderr.write(str(error).partition("\n")[0])
        sys.exit(1)
