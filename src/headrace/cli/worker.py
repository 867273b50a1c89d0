"""``headrace worker``: a process that delivers, beside others on one PostgreSQL."""

from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.settings import read_settings
from headrace.working import work

app = typer.Typer(add_completion=False)


@app.command()
def worker(
    name: Annotated[
        str, typer.Option(help="What it is called in logs and lists.", show_default="machine:process")
    ] = "",
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Serve /healthz and /metrics on this port.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where everything that must last is kept.", show_default="headrace-data")
    ] = None,
) -> None:
    """
    Deliver, without the REST API: any number of these share one PostgreSQL with those that serve it.

    Told to stop, it claims nothing more, finishes what is under way within half a minute, and gives the rest back. It
    takes the same settings as headrace serve, from variables HEADRACE_... of the environment.
    """
    work(read_settings({} if data_dir is None else {"data_dir": data_dir}), name, metrics_port)
