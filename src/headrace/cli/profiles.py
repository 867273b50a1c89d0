"""Commands about source profiles."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from headrace.cli import erasing
from headrace.testkit.people.days import Scenario
from headrace.testkit.people.making import Kind, Wanted
from headrace.testkit.people.writing import Advance, Format, write_ndjson, write_parquet

app = typer.Typer(name="profiles", no_args_is_help=True)

#: Fewer are there before anybody would look at a bar.
_LONG = 50_000
_STDOUT = Path("-")


@app.callback()
def about() -> None:
    """Make source profiles to try things with; erase people, and see what became of that."""


for _command in (erasing.erase, erasing.erasures, erasing.lift):
    app.command()(_command)


@app.command()
def generate(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file; with `--days`, the directory. `-` is standard output.")
    ] = _STDOUT,
    count: Annotated[int, typer.Option(min=0, help="How many to make.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same people.")] = 1,
    start: Annotated[int, typer.Option(min=0, help="The number of the first person.")] = 0,
    kind: Annotated[
        Kind,
        typer.Option(
            help="`accounts` are companies: COUNT people work for some of the first COUNT / 20 + 1 of them. "
            "`prospects` are people whom only a data partner knows."
        ),
    ] = "profiles",
    format_: Annotated[
        Format, typer.Option("--format", help="Lines of JSON, or Parquet with nested columns.")
    ] = "ndjson",
    days: Annotated[
        int | None,
        typer.Option(
            min=0, max=3650, help="Write a directory: everybody on day 0, and a file of changes for each day."
        ),
    ] = None,
) -> None:
    """
    Make people who do not exist: source profiles, ready for `POST /ingest/profiles` or for a dataset.

    The same seed and number make the same person, however many are made, on every machine.

    With `--days`, each record is a whole profile, numbered by its day. Some come late, some twice, some people are new.
    The files may be taken in any order, any of them twice: every order ends in the same state.
    """
    _check(output, kind, format_, days)
    try:
        if days is None:
            wanted = Wanted(count, seed, start, kind)
            with _progress(count, "made") as advance:
                _write([wanted], output, format_, advance)
        else:
            _write_days(Scenario(count, days, seed, start), output, format_)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--count") from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise typer.BadParameter(f"{output} cannot be written: {error.strerror}", param_hint="--output") from None


def _check(output: Path, kind: Kind, format_: Format, days: int | None) -> None:
    """Refuse what does not go together, before anything is written."""
    if days is None and format_ == "parquet" and output == _STDOUT:
        raise typer.BadParameter("Parquet is a file: name one", param_hint="--output")
    if days is None and output.is_dir():
        raise typer.BadParameter(f"{output} is a directory: name a file in it", param_hint="--output")
    if days is None:
        return
    if kind != "profiles":
        raise typer.BadParameter(f"nothing happens to {kind}: leave `--days` out", param_hint="--days")
    if output == _STDOUT or (output.exists() and not output.is_dir()):
        raise typer.BadParameter("days are files of a directory: name one", param_hint="--output")
    if output.is_dir() and any(output.iterdir()):
        raise typer.BadParameter(f"there is something in {output}: name an empty directory", param_hint="--output")


def _write_days(scenario: Scenario, folder: Path, format_: Format) -> None:
    everybody = list(scenario.sent_on(0))
    folder.mkdir(parents=True, exist_ok=True)
    for day in range(scenario.days + 1):
        records = everybody if day == 0 else list(scenario.sent_on(day))
        with _progress(scenario.count if day == 0 else None, f"day {day}") as advance:
            _write(records, folder / f"day-{day:04}.{format_}", format_, advance)


def _write(wanted: list[Wanted], output: Path, format_: Format, advance: Advance) -> None:
    if format_ == "parquet":
        write_parquet(wanted, output, advance)
    elif output == _STDOUT:
        write_ndjson(wanted, sys.stdout.buffer, advance)
    else:
        with output.open("wb") as file:
            write_ndjson(wanted, file, advance)


@contextmanager
def _progress(total: int | None, what: str) -> Iterator[Advance]:
    """Show on standard error how far long work has come, where somebody looks."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    is_short = total is not None and total < _LONG
    with Progress(*columns, console=console, disable=is_short or not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda number: progress.advance(task, number)
