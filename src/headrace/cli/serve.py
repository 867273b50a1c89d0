"""``headrace serve``: everything in one process, on embedded defaults."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from headrace.errors import OperationError
from headrace.server import serve as run
from headrace.settings import Settings

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.", show_default="8000")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where everything that must last is kept.", show_default="headrace-data")
    ] = None,
) -> None:
    """
    Run everything in one process: REST API, store, delivery.

    The first start makes an organization, demo@headrace, with a sandbox, prod. How to sign in is then in the file
    credentials.json of the data directory. Every other setting is a variable HEADRACE_... of the environment.
    """
    given: dict[str, object] = {
        name: value for name, value in (("host", host), ("port", port), ("data_dir", data_dir)) if value is not None
    }
    run(read_settings(given))


def read_settings(given: dict[str, object]) -> Settings:
    """Read the settings from the environment and the options, which win."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = f"HEADRACE_{'_'.join(map(str, first['loc'])).upper()}"
        raise OperationError(f"{name}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
