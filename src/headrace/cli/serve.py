"""``headrace serve``: everything in one process, on embedded defaults."""

from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.settings import read_settings
from headrace.server import serve as run

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.", show_default="8000")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where everything that must last is kept.", show_default="headrace-data")
    ] = None,
    deliver: Annotated[
        bool | None, typer.Option("--deliver/--no-deliver", help="Deliver, or leave that to workers.")
    ] = None,
) -> None:
    """
    Run everything in one process: REST API, store, delivery.

    The first start makes an organization, demo@headrace, with a sandbox, prod. How to sign in is then in the file
    credentials.json of the data directory. Every other setting is a variable HEADRACE_... of the environment.
    """
    given: dict[str, object] = {
        name: value
        for name, value in (("host", host), ("port", port), ("data_dir", data_dir), ("deliver", deliver))
        if value is not None
    }
    run(read_settings(given))
