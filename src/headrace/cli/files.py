"""Commands about files: they need no server."""

import asyncio
import glob
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Never

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from headrace.batch.export import Manner, export
from headrace.batch.parts import Rows
from headrace.connect.storage import NotStored
from headrace.connect.storage.local import LocalStorage
from headrace.datasets.engine import Engine
from headrace.datasets.unkept import unkept
from headrace.errors import HeadraceError
from headrace.model.file_configurations import FileConfigurations
from headrace.model.file_format import FileFormat
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.reading import read
from headrace.model.text import TemplatedText

app = typer.Typer(name="file", help="Write files as exports would.", no_args_is_help=True)

BAD_INPUT = 2
#: Rows of one file: as many as there are.
_ALL = sys.maxsize
#: Stands beside the others in the options, and under `x-headrace` where an author writes it.
_JSON_OPTIONS = "jsonOptions"
_BLOCKS = frozenset({"", "csvOptions", _JSON_OPTIONS})
#: What is said of a value that is neither a text nor a template.
_NO_OBJECT = "must be a JSON object"


@app.callback()
def about() -> None:
    """Write files as exports would."""


@app.command(name="format")
def format_(
    file: Annotated[
        Path, typer.Argument(metavar="INPUT.parquet", help="The rows: a file of Parquet.", show_default=False)
    ],
    options: Annotated[
        Path,
        typer.Option(
            metavar="OPTIONS.json",
            help='How the file looks: `fileConfigurations` with plain values, as `{"fileType": "json"}`.',
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option(metavar="PATH", help="The file to write.", show_default=False)],
) -> None:
    """Write one file of all rows, to the byte as an export would."""
    look = _look(options)
    scratch = Path(tempfile.mkdtemp(prefix="headrace-"))
    try:
        asyncio.run(_write(file, look, output, scratch))
    except ConfigurationError as error:
        _refuse("; ".join(problem.message for problem in error.problems))
    except NotStored as error:
        _refuse(f"{output}: cannot be written: {error.message}")
    except HeadraceError as error:
        _refuse(error.message)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


async def _write(file: Path, look: FileFormat, output: Path, scratch: Path) -> None:
    with Engine(scratch, keeps_order=True) as engine:
        _view(engine, file)
        manner = Manner(lambda part: output.name, max_rows=_ALL, replaces=True)
        folder = LocalStorage(output.parent.resolve(), "")
        async with export(Rows(engine, "SELECT * FROM input"), look, folder, manner) as files:
            await files.publish()


def _view(engine: Engine, file: Path) -> None:
    """Give the engine the rows of a file, and of none that is only named alike."""
    if not file.is_file():
        _refuse(f"{file}: cannot be read: there is no such file")
    try:
        with file.open("rb"):
            engine.view_parquet("input", [Path(glob.escape(str(file)))])
        if message := unkept(pq.read_schema(file)):
            _refuse(f"{file}: {message}")
    except (duckdb.Error, pa.ArrowException) as error:
        _refuse(f"{file}: this is no Parquet: {error}")
    except OSError as error:
        _refuse(f"{file}: cannot be read: {error.strerror}")


def _look(path: Path) -> FileFormat:
    """Read the options, and say all that is wrong with them at once."""
    try:
        configurations, _ = read(FileConfigurations, _as_authored(_options(path)))
        return FileFormat.of(configurations, _plain)
    except ConfigurationError as error:
        _refuse(f"{path}: {'; '.join(_said(problem) for problem in error.problems if problem.is_error)}")


def _plain(template: TemplatedText) -> str:
    """Nobody has entered anything here."""
    message = f"{template.value!r} is a template; write what comes of it"
    raise ConfigurationError([Problem("not-allowed", "", message)])


def _said(problem: Problem) -> str:
    """Name the option, and say what is wrong, for values that are plain."""
    where = problem.pointer.removeprefix("/x-headrace").removesuffix("/value").strip("/").replace("/", ".")
    message = problem.message if where in _BLOCKS else problem.message.replace(_NO_OBJECT, "must be a text, in quotes")
    return f"`{where}`: {message}" if where else message


def _as_authored(options: Mapping[str, Any]) -> dict[str, Any]:
    """Write plain values as an author would: texts are used as they stand, and what is ours has a place of its own."""
    authored = {key: _authored(value) for key, value in options.items()}
    if _JSON_OPTIONS in authored:
        ours = authored.setdefault("x-headrace", {})
        if isinstance(ours, dict):
            ours.setdefault(_JSON_OPTIONS, authored.pop(_JSON_OPTIONS))
    return authored


def _authored(value: Any) -> Any:
    if isinstance(value, str):
        return {"templatingStrategy": "NONE", "value": value}
    if isinstance(value, dict) and "templatingStrategy" not in value:
        return {key: _authored(inner) for key, inner in value.items()}
    return value


def _options(path: Path) -> dict[str, Any]:
    try:
        options = orjson.loads(path.read_bytes())
    except OSError as error:
        _refuse(f"{path}: cannot be read: {error.strerror}")
    except orjson.JSONDecodeError as error:
        _refuse(f"{path}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}")
    if not isinstance(options, dict):
        _refuse(f"{path}: the options are a JSON object")
    return options


def _refuse(message: str) -> Never:
    """One line for a person, and the exit code for a script."""
    sys.stderr.write(f"headrace: {' '.join(message.split())}\n")
    raise typer.Exit(BAD_INPUT)
