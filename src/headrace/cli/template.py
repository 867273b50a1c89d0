"""Commands about templates: they need no server, so an author can keep one in a loop beside the editor."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Never

import orjson
import typer

from headrace import template
from headrace.errors import AuthoringError

app = typer.Typer(name="template", help="Render and check message templates.", no_args_is_help=True)

BAD_INPUT = 2


class Escaping(StrEnum):
    """What happens to printed values that are not marked safe."""

    html = "html"
    json = "json"
    none = "none"


TemplateFile = Annotated[Path, typer.Argument(metavar="FILE", help="The template, in UTF-8.", show_default=False)]


@app.command()
def render(
    file: TemplateFile,
    context: Annotated[Path, typer.Option(metavar="CONTEXT.json", help="The data: a JSON object.", show_default=False)],
    escaping: Annotated[Escaping, typer.Option(help="How printed values are escaped.")] = Escaping.html,
) -> None:
    """Print what a template makes of some data, to the byte."""
    try:
        compiled = template.compile(_text(file), escaping=escaping.value, name=str(file))
        rendered = compiled.render(_data(context))
    except AuthoringError as error:
        _refuse(error.message)
    sys.stdout.buffer.write(rendered.encode())
    sys.stdout.buffer.flush()


@app.command()
def check(file: TemplateFile) -> None:
    """Print every problem of a template, each with the line that it is in."""
    try:
        template.compile(_text(file), name=str(file))
    except template.TemplateSyntaxError as error:
        for problem in error.problems:
            sys.stdout.write(f"{problem}\n{problem.excerpt}\n")
        raise typer.Exit(BAD_INPUT) from None


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode()
    except UnicodeDecodeError as error:
        _refuse(f"{path}: this is not UTF-8: byte {error.start} cannot be read")


def _data(path: Path) -> dict[str, object]:
    try:
        data = orjson.loads(_bytes(path))
    except orjson.JSONDecodeError as error:
        _refuse(f"{path}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}")
    if not isinstance(data, dict):
        _refuse(f"{path}: the data of a template is a JSON object")
    return data


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        _refuse(f"{path}: cannot be read: {error.strerror}")


def _refuse(message: str) -> Never:
    """One line for a person, and the exit code for a script."""
    sys.stderr.write(f"headrace: {' '.join(message.splitlines())}\n")
    raise typer.Exit(BAD_INPUT)
