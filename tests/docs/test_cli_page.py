"""The page of the commands lists all there is."""

import re
from pathlib import Path

import pytest
import typer.main

from headrace.cli import account, alerts, files, governance, keys, landing, ledger, parked, profiles, runs
from headrace.cli.destination import commands

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")


def test_every_command_of_destination_is_on_the_page():
    names = {command.name or command.callback.__name__ for command in commands.app.registered_commands}

    assert len(names) == 8
    assert set(re.findall(r"^\| `(\w+)[ `]", PAGE, re.MULTILINE)) >= names


@pytest.mark.parametrize(
    "module",
    [account, alerts, files, governance, keys, landing, ledger, parked, profiles, runs],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_every_command_and_option_of_these_is_on_the_page(module):
    group = typer.main.get_command(module.app)
    section = PAGE.partition(f"## `headrace {group.name}`")[2].partition("\n## ")[0]

    assert set(re.findall(r"^\| `([\w-]+)[ `]", section, re.MULTILINE)) == {*group.commands}
    options = {name for command in group.commands.values() for option in command.params for name in option.opts}
    assert {name for name in options if name.startswith("--")} - {"--data-dir", "--help"} <= {
        *re.findall(r"(--[a-z-]+)", section)
    }


def test_every_code_of_validate_is_on_the_page():
    source = "".join(path.read_text() for path in Path(commands.__file__).parent.glob("*.py"))
    codes = set(re.findall(r'"((?:[a-z]+-)+(?:yaml|json|twice|value|file|reference|folder|files))"', source))

    assert codes >= {"not-yaml", "secret-in-file", "unknown-reference", "outside-folder"}
    assert not {code for code in codes if f"`{code}`" not in PAGE}
