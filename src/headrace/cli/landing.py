"""``headrace landing``: the way into a sandbox's landing zone."""

import sys
from typing import Any

import typer

from headrace.cli.client import signed_in
from headrace.cli.options import DATA, AsJson, DataDir
from headrace.cli.printing import say, say_json

app = typer.Typer(name="landing", help="The landing zone: the way in for whoever fetches files.", no_args_is_help=True)

_PATH = "/data/foundation/connectors/landingzone/credentials?type=dlz_destination"


@app.command()
def credentials(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """Print an address that whoever has it reads the sandbox's landing zone with, and until when it is good."""
    with signed_in(data_dir) as client:
        _show(client.get(_PATH), as_json=as_json)


@app.command()
def refresh(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """Print another address; every one that was handed out before is good for nothing from now on."""
    with signed_in(data_dir) as client:
        _show(client.send("POST", f"{_PATH}&action=refresh"), as_json=as_json)


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    """Print a way in on standard output, and beside it what it is."""
    if as_json:
        say_json(found)
    else:
        say(found["SASUri"])
    sys.stderr.write(
        f"This address is a secret: whoever has it reads the files of {found['containerName']} until "
        f"{found['expiryDate']}. `headrace landing refresh` ends it before.\n"
    )
