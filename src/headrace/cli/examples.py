"""Where the examples are: beside the source in a checkout, inside the package when it is installed."""

import json
from pathlib import Path
from typing import Any

import headrace

_PACKAGE = Path(headrace.__file__).parent


def folder() -> Path:
    """Return the folder of the examples."""
    beside = _PACKAGE.parents[1] / "examples"
    return beside if beside.is_dir() else _PACKAGE / "examples"


def destination(name: str) -> dict[str, Any]:
    """Return an example destination: its server, its configuration, and how the demo activates it."""
    example: dict[str, Any] = json.loads((folder() / "destinations" / f"{name}.json").read_text())
    return example
