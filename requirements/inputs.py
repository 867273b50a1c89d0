"""
Says whether the lock files were made from what pyproject.toml asks for now; needs neither network nor resolver.

`make lock` writes a fingerprint of the questions beside the answers; `make check` compares it.
"""

import hashlib
import json
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
FINGERPRINT = HERE / "inputs.sha256"


def fingerprint(pyproject: bytes) -> str:
    """Return a hash of everything in pyproject.toml that the lock files answer to."""
    table = tomllib.loads(pyproject.decode())
    project = table["project"]
    asked = {
        "build": table["build-system"]["requires"],
        "groups": table["dependency-groups"],
        "python": project["requires-python"],
        "run": project["dependencies"],
        "uv": table["tool"]["uv"],
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def main(arguments: list[str]) -> None:
    """Write the fingerprint with ``--write``, else compare it."""
    now = fingerprint((HERE.parent / "pyproject.toml").read_bytes())
    if arguments == ["--write"]:
        FINGERPRINT.write_text(f"{now}\n", encoding="utf-8")
    elif not FINGERPRINT.exists() or FINGERPRINT.read_text(encoding="utf-8").strip() != now:
        sys.exit("pyproject.toml asks for other packages than are locked in requirements/: run `make lock`")


if __name__ == "__main__":
    main(sys.argv[1:])
