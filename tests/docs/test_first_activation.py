"""The tutorial is run as it stands: every command of the page, in one shell."""

import re
import socket
import subprocess
import sys
from pathlib import Path

from support import environment

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "first-activation.md"
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^```\n(\+ create.*?)^```", re.MULTILINE | re.DOTALL)
WAIT = "until headrace api GET /healthz >/dev/null 2>&1; do sleep 0.1; done\n"
SETTLE = """
FLOW=$(headrace api GET /activations --show items.0.id)
until [ "$(headrace api GET /dataflows/$FLOW/ledger --show pending)" = 0 ]; do sleep 0.1; done
sleep 0.3
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def after(block: str) -> str:
    if "headrace serve" in block:
        return WAIT
    return SETTLE if "headrace activate" in block and "--yes" in block else ""


def test_every_command_of_the_tutorial_does_what_the_page_says(tmp_path):
    script = "set -eu\ntrap 'kill $(jobs -p)' EXIT\n"
    script += "".join(block + after(block) for block in BLOCK.findall(PAGE.read_text()))
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "headrace"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m headrace "$@"\n')
    command.chmod(0o755)
    settings = environment(tmp_path)
    settings |= {"PATH": f"{command.parent}:{settings['PATH']}", "COLUMNS": "200"}

    ran = subprocess.run(
        ["bash", "-c", script.replace("9000", str(free_port())).replace("8000", str(free_port()))],
        cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=120,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    (shown,) = SHOWN.findall(PAGE.read_text())
    assert shown in ran.stdout
    assert ran.stdout.count("the first message was delivered") == 2
    assert ran.stdout.count("nothing to do: Sailors to the harbour") == 1
    assert "~ change dataflow Sailors to the harbour (description)" in ran.stdout
    assert "+ create audience cooks" in ran.stdout
    assert "a-token-of-the-harbour" not in ran.stdout
    told = (tmp_path / "partner.log").read_text()
    assert told.count("POST /people 200") == 3
    assert told.count('"sailors"') == 2
    assert "@example.com" not in told
    assert ran.stdout.splitlines()[-1] == "enabled"
