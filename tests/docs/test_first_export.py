"""The tutorial of files is run as it stands: every command of the page, in one shell."""

import re

from docs.commands import DOCS, run_page

PAGE = DOCS / "tutorials" / "first-export.md"
SHOWN = re.compile(r"^```\n(email,.*?)^```", re.MULTILINE | re.DOTALL)


def test_every_command_of_the_tutorial_does_what_the_page_says(tmp_path):
    ran = run_page(PAGE, tmp_path)
    said = ran.stdout.decode()

    assert ran.returncode == 0, ran.stderr.decode()
    (shown,) = SHOWN.findall(PAGE.read_text())
    assert said.endswith(shown)
    assert "files would be written:\n  sailors: 2 members, first at " in said
    assert "2 of 2 rows, 100 %" in said
    assert "/landing/headrace/dlz-" in said
