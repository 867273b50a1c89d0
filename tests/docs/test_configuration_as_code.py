"""The tutorial is run as it stands: every command of the page, in one shell."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

from support import environment

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "configuration-as-code.md"
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
WAIT = "until headrace api GET /healthz >/dev/null 2>&1; do sleep 0.1; done\n"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_every_command_of_the_tutorial_does_what_the_page_says(tmp_path):
    script = "set -eu\ntrap 'kill $(jobs -p)' EXIT\n"
    for block in BLOCK.findall(PAGE.read_text()):
        script += block + (WAIT if "headrace serve" in block else "")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "headrace"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m headrace "$@"\n')
    command.chmod(0o755)
    settings = environment(tmp_path)
    settings["PATH"] = f"{command.parent}:{settings['PATH']}"

    ran = subprocess.run(
        ["bash", "-c", script.replace("8000", str(free_port()))],
        cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=120,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    assert "2 files: no problems\n" in ran.stdout
    assert "created destination\n2 changed\n" in ran.stdout
    assert "nothing to do: the server has what the files say\n" in ran.stdout
    assert "    +    maxUsersPerRequest: 10\n" in ran.stdout
    assert "written   copy/destination.yaml\n" in ran.stdout
    assert ran.stdout.splitlines()[-1].split()[:2] == ["name", "kind"], "nothing is left"
    (home,) = json.loads((tmp_path / "copy" / "headrace.lock.json").read_text())["homes"]
    assert set(home["objects"]) == {"servers/harbour-api", "destination"}
    assert (tmp_path / "harbour.md").read_text().startswith('---\ntitle: "Harbour connection"')
