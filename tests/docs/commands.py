"""The commands of a page, run as they stand in one shell."""

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from support import environment

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
WAIT = "until headrace api GET /healthz >/dev/null 2>&1; do sleep 0.1; done\n"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def blocks_of(text: str) -> list[str]:
    """Return the commands of a page, block by block."""
    return BLOCK.findall(text)


def run_page(
    blocks: Iterable[str], folder: Path, after: Callable[[str], str] = lambda _: ""
) -> "subprocess.CompletedProcess[str]":
    """Run commands in one shell, with ports of this machine in place of their own; ``after`` adds to a block."""
    script = "set -eu\ntrap 'kill $(jobs -p)' EXIT\n"
    script += "".join(block + (WAIT if "headrace serve" in block else after(block)) for block in blocks)
    (folder / "bin").mkdir()
    command = folder / "bin" / "headrace"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m headrace "$@"\n')
    command.chmod(0o755)
    settings = environment(folder)
    settings |= {"PATH": f"{command.parent}:{settings['PATH']}", "COLUMNS": "200"}
    return subprocess.run(
        ["bash", "-c", script.replace("9000", str(free_port())).replace("8000", str(free_port()))],
        cwd=folder, env=settings, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
