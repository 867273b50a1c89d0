"""Commands about templates: they need no server, so an author can keep one in a loop beside the editor."""

import sys
import textwrap
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Never

import orjson
import typer

from headrace import template
from headrace.errors import AuthoringError
from headrace.template.advice import Advice, advise
from headrace.template.samples import Sample

app = typer.Typer(name="template", help="Render and check message templates.", no_args_is_help=True)

WARNED, BAD_INPUT = 1, 2


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
def check(
    file: TemplateFile,
    context: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CONTEXT.json", help="Data to try it with beside the standard samples.", show_default=False
        ),
    ] = None,
    content_type: Annotated[str, typer.Option(help="The media type of what is rendered.")] = "application/json",
    escaping: Annotated[Escaping, typer.Option(help="How printed values are escaped.")] = Escaping.html,
    strict: Annotated[bool, typer.Option("--strict", help="End with exit code 1 if there is a warning.")] = False,
) -> None:
    """
    Print every problem of a template, and warn of what is likely wrong.

    Exit code 2: this is no template. Exit code 1: there are warnings, and --strict.
    """
    contexts = [Sample(str(path), _data(path)) for path in context or ()]
    try:
        found = advise(
            _text(file), escaping=escaping.value, content_type=content_type, contexts=contexts, name=str(file)
        )
    except template.TemplateSyntaxError as error:
        for problem in error.problems:
            sys.stdout.write(f"{problem}\n{problem.excerpt}\n")
        raise typer.Exit(BAD_INPUT) from None
    for advice in found:
        sys.stdout.write(_warning(advice))
    if found and strict:
        raise typer.Exit(WARNED)


def _warning(advice: Advice) -> str:
    problem = advice.problem
    where = f"{problem.name}:{problem.line}:{problem.column}"
    lines = [f"{where}: warning: {problem.message} [{advice.code}]", problem.excerpt]
    if advice.also:
        lines.append(f"  also at {', '.join(f'{line}:{column}' for line, column in advice.also)}")
    if advice.rendered:
        lines += ["  rendered:", textwrap.indent(advice.rendered, "    ")]
    return "\n".join(lines) + "\n"


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
