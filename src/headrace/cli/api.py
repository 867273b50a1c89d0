"""``headrace api``: one call of the REST API, signed in with what ``headrace serve`` wrote."""

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from headrace.cli.client import signed_in
from headrace.cli.options import DATA, DataDir
from headrace.errors import OperationError, RequestError

app = typer.Typer(add_completion=False)


@app.command()
def api(
    method: Annotated[str, typer.Argument(help="GET, POST, PUT, PATCH or DELETE.")],
    path: Annotated[str, typer.Argument(help="The path with its query, such as /dataflows/ID/ledger.")],
    file: Annotated[
        Path | None, typer.Argument(help="The body: a .json or .ndjson file; `-` is standard input.")
    ] = None,
    show: Annotated[str, typer.Option(help="Print this member of the answer alone, such as instanceId.")] = "",
    if_match: Annotated[str, typer.Option(help="The version to change, as the last answer's etag had it.")] = "",
    data_dir: DataDir = DATA,
) -> None:
    """
    Call the REST API of a Headrace that runs on this machine, and print the answer.

    headrace api POST /ingest/profiles people.ndjson
    """
    body = None if file is None else (sys.stdin.buffer.read() if str(file) == "-" else _read(file))
    lines = file is not None and file.suffix == ".ndjson"
    kind = "application/x-ndjson" if lines else "application/json"
    extra = {"If-Match": if_match} if if_match else {}
    with signed_in(data_dir) as client:
        answer = client.send(method.upper(), path, body, kind, extra)
    if show:
        sys.stdout.write(f"{_member(answer, show)}\n")
    elif answer is not None:
        sys.stdout.write(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode() + "\n")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise OperationError(f"{file} cannot be read: {error.strerror}") from None


def _member(answer: Any, path: str) -> Any:
    """Return a member of the answer, or of a member of it: ``items.0.id``."""
    for step in path.split("."):
        try:
            answer = answer[int(step)] if isinstance(answer, list) else answer[step]
        except (KeyError, IndexError, TypeError, ValueError):
            raise RequestError(f"the answer has no {path!r}") from None
    return answer
