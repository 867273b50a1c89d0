"""What several commands have in common: their options, how often they look, and how they read a file of JSON."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from headrace.errors import RequestError

DataDir = Annotated[
    Path, typer.Option(envvar="HEADRACE_DATA_DIR", help="The data directory of the server that is running.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Ask for it, print the run's id, and do not wait.")]
#: Where the data directory is by default.
DATA = Path("headrace-data")
#: Seconds between two looks at what is waited for.
LOOK = 0.5


def read_json(file: Path) -> Any:
    """
    Read a document that somebody wrote.

    Raises:
        RequestError: the file cannot be read, or is no JSON.
    """
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise RequestError(f"{file} cannot be read as JSON: {error}") from None
