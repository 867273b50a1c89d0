"""The tutorial of files is run as it stands: every command of the page, in one shell."""

import re

from docs.commands import DOCS, blocks_of, run_page

PAGE = (DOCS / "tutorials" / "first-export.md").read_text()
SHOWN = re.compile(r"^```\n(email,.*?)^```", re.MULTILINE | re.DOTALL)


def test_every_command_of_the_tutorial_does_what_the_page_says(tmp_path):
    ran = run_page(blocks_of(PAGE), tmp_path)
    said = ran.stdout

    assert ran.returncode == 0, ran.stderr
    (shown,) = SHOWN.findall(PAGE)
    assert said.endswith(shown)
    assert "files would be written:\n  sailors: 2 members, first at " in said
    assert "2 of 2 rows, 100 %" in said
    assert "/landing/headrace/dlz-" in said
