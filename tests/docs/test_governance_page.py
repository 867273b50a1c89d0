"""The example of the page about governance is run as it stands, after the first steps of the tutorial."""

import re

from docs.commands import DOCS, blocks_of, run_page
from docs.test_first_activation import after
from headrace.model.core_governance import CORE_ACTIONS, CORE_LABELS

PAGE = (DOCS / "governance.md").read_text(encoding="utf-8")
TUTORIAL = (DOCS / "tutorials" / "first-activation.md").read_text(encoding="utf-8")
SHOWN = re.compile(r"^```\n(denied: .*?)^```", re.MULTILINE | re.DOTALL)


def test_the_example_does_what_the_page_says(tmp_path):
    ran = run_page([*blocks_of(TUTORIAL.partition("\n## 5.")[0]), *blocks_of(PAGE)], tmp_path, after)

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
