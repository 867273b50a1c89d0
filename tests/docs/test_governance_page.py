"""The example of the page about governance is run as it stands, after the first steps of the tutorial."""

import re
import subprocess
import sys
from pathlib import Path

from headrace.model.core_governance import CORE_ACTIONS, CORE_LABELS
from support import environment

from .test_first_activation import BLOCK, after, free_port

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "governance.md").read_text(encoding="utf-8")
TUTORIAL = (DOCS / "tutorials" / "first-activation.md").read_text(encoding="utf-8")
SHOWN = re.compile(r"^```\n(denied: .*?)^```", re.MULTILINE | re.DOTALL)


def test_the_example_does_what_the_page_says(tmp_path):
    blocks = [*BLOCK.findall(TUTORIAL.partition("\n## 5.")[0]), *BLOCK.findall(PAGE)]
    script = "set -eu\ntrap 'kill $(jobs -p)' EXIT\n" + "".join(block + after(block) for block in blocks)
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
    (shown,) = SHOWN.findall(PAGE)
    assert shown in ran.stdout
    assert "it would be refused" in ran.stdout
    assert ran.stdout.count("the first message was delivered") == 1
    assert "no policy is violated" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "it was refused"
    assert "No places in campaigns" in ran.stderr


def test_the_core_names_are_on_the_page():
    assert not [action.name for action in CORE_ACTIONS if f"`{action.name}`" not in PAGE]
    assert {label.name for label in CORE_LABELS} == {*(f"C{number}" for number in range(1, 13)), "I1", "I2", "S1", "S2"}
