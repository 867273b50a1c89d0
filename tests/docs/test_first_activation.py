"""The tutorial is run as it stands: every command of the page, in one shell."""

import re

from docs.commands import DOCS, blocks_of, run_page

PAGE = (DOCS / "tutorials" / "first-activation.md").read_text()
SHOWN = re.compile(r"^```\n(\+ create.*?)^```", re.MULTILINE | re.DOTALL)
SETTLE = """
FLOW=$(headrace api GET /activations --show items.0.id)
until [ "$(headrace api GET /dataflows/$FLOW/ledger --show pending)" = 0 ]; do sleep 0.1; done
sleep 0.3
"""


def after(block: str) -> str:
    return SETTLE if "headrace activate" in block and "--yes" in block else ""


def test_every_command_of_the_tutorial_does_what_the_page_says(tmp_path):
    ran = run_page(blocks_of(PAGE), tmp_path, after)
    said = ran.stdout

    assert ran.returncode == 0, ran.stderr
    (shown,) = SHOWN.findall(PAGE)
    assert shown in said
    assert said.count("the first message was delivered") == 2
    assert said.count("nothing to do: Sailors to the harbour") == 1
    assert "~ change dataflow Sailors to the harbour (description)" in said
    assert "+ create audience cooks" in said
    assert "a-token-of-the-harbour" not in said
    told = (tmp_path / "partner.log").read_text()
    assert told.count("POST /people 200") == 3
    assert told.count('"sailors"') == 2
    assert "@example.com" not in told
    assert said.splitlines()[-1] == "enabled"
