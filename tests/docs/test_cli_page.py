"""The page of the commands lists all there is."""

import re
from pathlib import Path

from headrace.cli.destination import commands

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")


def test_every_command_of_destination_is_on_the_page():
    names = {command.name or command.callback.__name__ for command in commands.app.registered_commands}

    assert len(names) == 8
    assert set(re.findall(r"^\| `(\w+)[ `]", PAGE, re.MULTILINE)) >= names


def test_every_code_of_validate_is_on_the_page():
    source = "".join(path.read_text() for path in Path(commands.__file__).parent.glob("*.py"))
    codes = set(re.findall(r'"((?:[a-z]+-)+(?:yaml|json|twice|value|file|reference|folder|files))"', source))

    assert codes >= {"not-yaml", "secret-in-file", "unknown-reference", "outside-folder"}
    assert not {code for code in codes if f"`{code}`" not in PAGE}
