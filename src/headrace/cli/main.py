"""
``headrace``: the commands, each loaded when it is asked for.

A command's module is imported by name from the table below and not at the top, because ``serve`` stands on a web
framework that takes a second to import, which ``template render`` in an author's loop has no use for.
"""

import gc
import pkgutil
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from headrace import __version__
from headrace.errors import HeadraceError

#: Command, where it is, and the line that the list of commands shows.
COMMANDS = {
    "demo": ("headrace.cli.demo:app", "Show the main job end to end, on this machine."),
    "serve": ("headrace.cli.serve:app", "Run everything in one process."),
    "worker": ("headrace.cli.worker:app", "Deliver, beside other processes on one PostgreSQL."),
    "migrate": ("headrace.cli.migrate:app", "Show the form of the store, or move it to another."),
    "backup": ("headrace.cli.backup:app", "Take a backup of everything, or see whether one is whole."),
    "restore": ("headrace.cli.restore:app", "Fill an empty store from a backup, on whatever database."),
    "destination": ("headrace.cli.destination.commands:app", "Write destinations as files and carry them to a server."),
    "api": ("headrace.cli.api:app", "Call the REST API of the server that runs here."),
    "account": ("headrace.cli.account:app", "Accounts at partners: list them, make one, sign it in, try it."),
    "runs": ("headrace.cli.runs:app", "See how far runs have come; retry or cancel them."),
    "parked": ("headrace.cli.parked:app", "Changes laid aside: look into them, replay or discard them."),
    "ledger": ("headrace.cli.ledger:app", "What became of every change: show it, and check it."),
    "history": ("headrace.cli.history:app", "What partners were told of a person, when, and why not."),
    "datasets": ("headrace.cli.datasets:app", "People where they lie: declare them, take snapshots, take them in."),
    "audience": ("headrace.cli.audience:app", "Sets of people: declare them, and find out who is in them."),
    "activate": ("headrace.cli.activate:app", "Send audiences to a destination, as one file says."),
    "governance": ("headrace.cli.governance:app", "Labels on data, and the policies that dataflows are held to."),
    "activate-now": ("headrace.cli.activate_now:app", "Send all current members of audiences again."),
    "export": ("headrace.cli.export:app", "See when files of audiences are due; write them now."),
    "access": ("headrace.cli.access:app", "Say who may do what: users, API clients, sandboxes."),
    "keys": ("headrace.cli.keys:app", "Give secrets other keys, while everything runs."),
    "partner": ("headrace.cli.partner:app", "Be a partner to send to, and show what arrives."),
    "simulate": ("headrace.cli.simulate:app", "Live through histories in which everything goes wrong."),
    "profiles": ("headrace.cli.profiles:app", "Make source profiles to try things with; erase people."),
    "alerts": ("headrace.cli.alerts:app", "See what is wrong, and say who is told of it."),
    "quota": ("headrace.cli.quota:app", "How much sandboxes may have, and have."),
    "consent": ("headrace.cli.consent:app", "Consent policies: list them, set one, delete one."),
    "landing": ("headrace.cli.landing:app", "The landing zone: the way in for whoever fetches files."),
    "file": ("headrace.cli.files:app", "Write files as exports would."),
    "template": ("headrace.cli.template:app", "Render and check message templates."),
}


class Lazy(TyperCommand):
    """A command of the table: known by its name and its line until it is called, and then the one that it names."""

    def __init__(self, name: str) -> None:
        self._where, line = COMMANDS[name]
        super().__init__(name, help=line)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        command = typer.main.get_command(_imported(self._where))
        command.name = self.name
        return command.make_context(info_name, args, parent=parent, **extra)


def _imported(where: str) -> Any:
    """Import a command. What that makes stays: to look through it for garbage again and again takes a fifth of it."""
    gc.disable()
    try:
        return pkgutil.resolve_name(where)
    finally:
        gc.enable()


class Commands(TyperGroup):
    """The group of all commands."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return Lazy(cmd_name) if cmd_name in COMMANDS else None


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"headrace {__version__}\n")
        raise typer.Exit


@app.callback()
def headrace(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Headrace brings audiences and profiles to partners: the open, self-hosted Destination SDK."""


def main() -> None:
    """Run the command; an error of ours is one line on standard error and exit 2."""
    try:
        app(prog_name="headrace")
    except HeadraceError as error:
        sys.stderr.write(f"headrace: {error.message}\n")
        sys.exit(2)
