"""``headrace activate-now``: all current members of audiences are sent again."""

from typing import Annotated
from urllib.parse import quote

import typer

from headrace.cli.client import signed_in
from headrace.cli.options import DATA, AsJson, DataDir
from headrace.cli.printing import tell

app = typer.Typer(add_completion=False)


@app.command()
def activate_now(
    flow: Annotated[str, typer.Argument(metavar="DATAFLOW", help="The dataflow's id.", show_default=False)],
    audience: Annotated[
        list[str] | None,
        typer.Option(
            "--audience",
            help="An audience's id, once for each; NAMESPACE:ID where it is not of `ups`. Without it, all.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """
    Send all current members of a dataflow's audiences again, though nothing of them has changed; print the runs' ids.

    headrace activate-now 3e0d6c39-f47b-4c16-8b5d-1d6cf4d5c0b4 --audience movie-lovers
    """
    body = {"audiences": [_named(text) for text in audience]} if audience else {}
    with signed_in(data_dir) as client:
        answer = client.post(f"/dataflows/{quote(flow, safe='')}/activate-now", body)
    tell(answer, "\n".join(run["id"] for run in answer["items"]) or "nobody is there to be sent", as_json=as_json)


def _named(text: str) -> dict[str, str]:
    namespace, colon, id_ = text.rpartition(":")
    return {"namespace": namespace, "id": id_} if colon else {"id": id_}
