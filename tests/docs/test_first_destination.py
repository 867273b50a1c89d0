"""The tutorial is run as it stands: every command of the page, in one shell."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "first-destination.md"
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
WAIT = "until headrace api GET /healthz >/dev/null 2>&1; do sleep 0.1; done\n"
SETTLE = 'until [ "$(headrace api GET /dataflows/$FLOW/ledger --show pending)" = 0 ]; do sleep 0.1; done\n'


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_every_command_of_the_tutorial_does_what_the_page_says(tmp_path):
    blocks = BLOCK.findall(PAGE.read_text())
    script = "set -eu\ntrap 'kill $(jobs -p)' EXIT\n" + blocks[0] + WAIT
    for block in blocks[1:]:
        script += block + (SETTLE if "ingest/profiles" in block else "")
    partner, server = str(free_port()), str(free_port())
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "headrace"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m headrace "$@"\n')
    command.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(PAGE.parents[1] / "src"),
        "COLUMNS": "200",
    }

    ran = subprocess.run(
        ["bash", "-c", script.replace("9000", partner).replace("8000", server)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    assert '"accepted": 2' in ran.stdout
    assert '"line": 3' in ran.stdout
    assert '"delivered": 3' in ran.stdout
    assert "Dear ANA@EXAMPLE.COM!" in ran.stdout
    time.sleep(0.2)
    told = (tmp_path / "partner.log").read_text()
    assert told.count("POST /people") == 3
    assert '"sailors"' in told
    assert "Ana@Example.com" not in told
