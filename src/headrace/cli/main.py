"""
``headrace``: the commands, each loaded when it is asked for.

A command's module is imported by name from the table below and not at the top, because ``serve`` stands on a web framework
that takes a second to import, which ``template render`` in an author's loop has no use for.
"""

import pkgutil
import sys

import click
import typer

from headrace import __version__
from headrace.errors import HeadraceError

#: Command, where it is, and the line that the list of commands shows.
COMMANDS = {
    "demo": ("headrace.cli.demo:app", "Show the main job end to end, on this machine."),
    "serve": ("headrace.cli.serve:app", "Run everything in one process."),
    "partner": ("headrace.cli.partner:app", "Be a partner to send to, and show what arrives."),
    "profiles": ("headrace.cli.profiles:app", "Make source profiles to try things with."),
    "template": ("headrace.cli.template:app", "Render and check message templates."),
}


class Commands(click.Group):
    """The group of all commands, which imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(pkgutil.resolve_name(COMMANDS[cmd_name][0]))
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


group = Commands(
    name="headrace",
    help="Headrace brings audiences and profiles to partners: the open, self-hosted Destination SDK.",
    no_args_is_help=True,
)
group = click.version_option(__version__, prog_name="headrace")(group)


def main() -> None:
    """Run the command; an error of ours is one line on standard error and exit 2."""
    try:
        group(prog_name="headrace")
    except HeadraceError as error:
        sys.stderr.write(f"headrace: {error.message}\n")
        sys.exit(2)
