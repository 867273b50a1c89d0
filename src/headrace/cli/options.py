"""What several commands have in common: their options, and how often they look."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path, typer.Option(envvar="HEADRACE_DATA_DIR", help="The data directory of the server that is running.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
#: Where the data directory is by default.
DATA = Path("headrace-data")
#: Seconds between two looks at what is waited for.
LOOK = 0.5
