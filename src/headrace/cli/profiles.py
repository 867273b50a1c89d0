"""Commands about source profiles."""

from typing import Annotated

import typer

from headrace.testkit import profiles

app = typer.Typer(name="profiles", no_args_is_help=True)


@app.callback()
def about() -> None:
    """Make source profiles to try things with."""


@app.command()
def generate(
    output: Annotated[
        typer.FileBinaryWrite,
        typer.Option("--output", "-o", default_factory=lambda: "-", show_default="-", help="`-` is standard output."),
    ],
    count: Annotated[int, typer.Option(min=0, help="How many profiles to make.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same people.")] = 1,
    start: Annotated[int, typer.Option(min=0, help="The number of the first person.")] = 0,
) -> None:
    """Make people who do not exist, as NDJSON: one source profile a line, ready for `POST /ingest/profiles`."""
    output.writelines(profiles.ndjson(profiles.generate(count, seed=seed, start=start)))
