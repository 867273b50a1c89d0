"""``headrace parked``: changes that were laid aside: look into them, send them again, discard them."""

import time
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from headrace.cli.client import Client, signed_in
from headrace.cli.options import DATA, LOOK, AsJson, DataDir, NoWait
from headrace.cli.printing import say, say_json
from headrace.cli.tables import Row, member, minute, show_all, show_one
from headrace.errors import RequestError

app = typer.Typer(
    name="parked", help="Changes laid aside: look into them, replay or discard them.", no_args_is_help=True
)

Flow = Annotated[str, typer.Argument(metavar="FLOW", help="The dataflow's id.", show_default=False)]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The number that the list shows.", show_default=False)]
Numbers = Annotated[
    list[int] | None,
    typer.Argument(metavar="[NUMBER]...", help="The changes, by the numbers that the list shows.", show_default=False),
]
Code = Annotated[str, typer.Option(help="Those of this code alone, such as status-400.")]
Audience = Annotated[str, typer.Option(help="Those of this audience alone, by its id.")]
Namespace = Annotated[str, typer.Option(help="The audience's namespace.")]
Profile = Annotated[str, typer.Option(help="Those of this person alone, by the key that the list shows.")]
Message = Annotated[str, typer.Option(help="Those that were sent in this message alone, by its id.")]
Since = Annotated[str, typer.Option("--from", help="Those parked at or after this moment, in ISO 8601 with its zone.")]
Until = Annotated[str, typer.Option("--to", help="Those parked before this moment, in ISO 8601 with its zone.")]
All = Annotated[bool, typer.Option("--all", help="All that is parked.")]
_ENDED = ("succeeded", "failed", "cancelled")


@app.command("list")
def list_(
    flow: Flow,
    code: Code = "",
    audience: Audience = "",
    namespace: Namespace = "ups",
    profile: Profile = "",
    message: Message = "",
    since: Since = "",
    until: Until = "",
    counts: Annotated[
        bool, typer.Option("--counts", help="Count them by code, in the place of a line for each.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The most to list.")] = 50,
    before: Annotated[int | None, typer.Option(help="List those below this number.", show_default=False)] = None,
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """
    List parked changes, newest first, or count them by code.

    headrace parked list 3e0d6c39-f47b-4c16-8b5d-1d6cf4d5c0b4 --counts
    """
    asked: Row = _conditions(code, audience, namespace, profile, message, since, until)
    if "audience" in asked:
        asked |= asked.pop("audience") | {"audience": audience}
        asked.pop("id")
    if not counts:
        asked |= {"limit": limit} | ({"before": before} if before is not None else {})
    with signed_in(data_dir) as client:
        answer = client.get(f"/dataflows/{flow}/parked{'/counts' if counts else ''}?{urlencode(asked)}")
    show_all(answer["items"], _COUNTED if counts else _LISTED, as_json=as_json)
    if not as_json and answer.get("next") is not None:
        say(f"older ones: --before {answer['next']}")


@app.command()
def show(flow: Flow, number: Number, data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """Show a parked change: why, when, how often it was tried, what was sent and what was answered."""
    with signed_in(data_dir) as client:
        change = client.get(f"/dataflows/{flow}/parked/{number}")
        answer = client.exchange("GET", f"/dataflows/{flow}/parked/{number}/message")
    kept: Row | None = answer.body if answer.is_success else None
    if as_json:
        say_json({**change, "kept": kept})
        return
    show_one(change, _SHOWN, as_json=False)
    say(_told(change, kept))


@app.command()
def replay(
    flow: Flow,
    numbers: Numbers = None,
    code: Code = "",
    audience: Audience = "",
    namespace: Namespace = "ups",
    profile: Profile = "",
    message: Message = "",
    since: Since = "",
    until: Until = "",
    everything: All = False,
    resume: Annotated[bool, typer.Option("--resume", help="Let the dataflow go on with it that was held.")] = False,
    no_wait: NoWait = False,
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """
    Send parked changes again, as people are now, with the configuration there is now. Exit code 1: it did not succeed.

    headrace parked replay 3e0d6c39-f47b-4c16-8b5d-1d6cf4d5c0b4 --code status-400 --resume
    """
    meant = _meant(numbers, _conditions(code, audience, namespace, profile, message, since, until), everything)
    with signed_in(data_dir) as client:
        asked = client.post(f"/dataflows/{flow}/parked/replay", {**meant, "resume": resume})
        _finish(client, asked, no_wait=no_wait, as_json=as_json)


@app.command()
def discard(
    flow: Flow,
    reason: Annotated[str, typer.Option(help="Why; the audit keeps it.", show_default=False)],
    numbers: Numbers = None,
    code: Code = "",
    audience: Audience = "",
    namespace: Namespace = "ups",
    profile: Profile = "",
    message: Message = "",
    since: Since = "",
    until: Until = "",
    everything: All = False,
    no_wait: NoWait = False,
    data_dir: DataDir = DATA,
    as_json: AsJson = False,
) -> None:
    """Withhold parked changes for good: they are not sent any more. Exit code 1: it did not succeed."""
    meant = _meant(numbers, _conditions(code, audience, namespace, profile, message, since, until), everything)
    with signed_in(data_dir) as client:
        asked = client.post(f"/dataflows/{flow}/parked/discard", {**meant, "reason": reason})
        _finish(client, asked, no_wait=no_wait, as_json=as_json)


def _conditions(
    code: str, audience: str, namespace: str, profile: str, message: str, since: str, until: str
) -> dict[str, Any]:
    texts = {"code": code, "profile": profile, "message": message, "from": since, "to": until}
    given: dict[str, Any] = {name: text for name, text in texts.items() if text}
    return given | ({"audience": {"id": audience, "namespace": namespace}} if audience else {})


def _meant(numbers: list[int] | None, conditions: Row, everything: bool) -> Row:
    meant = {**conditions, **({"numbers": numbers} if numbers else {})}
    if bool(meant) == everything:
        raise RequestError("say which: numbers or conditions that are all met, or --all")
    return meant or {"all": True}


def _finish(client: Client, asked: Row, *, no_wait: bool, as_json: bool) -> None:
    """Wait until what was asked for has ended, unless it waits for somebody; say what it came to."""
    if not as_json:
        say(_asked(asked))
    is_waited_for = not no_wait and asked["waitsFor"] is None
    run = _ended(client, asked["run"]) if is_waited_for else asked["run"]
    if as_json:
        say_json({**asked, "run": run})
    elif is_waited_for:
        counts = ", ".join(f"{run['progress'][name]} {name}" for name in _BECAME if name in run["progress"])
        say(f"{run['state']}: {counts or 'nothing was parked'}")
    else:
        say(f"run {run['id']}")
    if is_waited_for and run["state"] != "succeeded":
        raise typer.Exit(1)


def _asked(asked: Row) -> str:
    said = f"{asked['changes']} changes"
    if asked["run"]["kind"] == "replay" and asked["unchangedConfiguration"]:
        said += f", {asked['unchangedConfiguration']} of them made of a configuration that has not changed since"
    return f"{said}; {asked['waitsFor']}" if asked["waitsFor"] else said


def _ended(client: Client, run: Row) -> Row:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("looked at", total=run["progress"]["of"] or 1)
        while run["state"] not in _ENDED:
            time.sleep(LOOK)
            run = client.get(f"/runs/{run['id']}")
            progress.update(bar, completed=run["progress"]["looked"])
    return run


def _told(change: Row, kept: Row | None) -> str:
    """Return what was sent and answered, as far as it is there and may be seen."""
    if change["message"] is None:
        return "sent: nothing"
    if kept is None:
        return "sent: the permission 'profiles:read' is needed to see it"
    if not kept["kept"]:
        return "sent: it is not kept, or no more"
    sent, answer = kept["request"], kept["answer"]
    lines = ["", f"{sent['method']} {sent['url']}", *_headers(sent), "", sent["body"]]
    lines += [f"(the first part of {sent['bytes']} bytes)"] if sent["truncated"] else []
    if answer is None:
        return "\n".join([*lines, "", "no answer came"])
    lines += ["", f"answered {answer['status']}", *_headers(answer), "", answer["body"]]
    return "\n".join([*lines, "(it went on)"] if answer["truncated"] else lines)


def _headers(said: Row) -> list[str]:
    return [f"{item['name']}: {item['value']}" for item in said["headers"]]


def _audience(change: Row) -> str:
    return change["audience"]["id"] if change["audience"] is not None else "(attributes)"


def _is_changed(change: Row) -> str:
    return {True: "changed since", False: "as it was", None: ""}[change["configurationChanged"]]


_BECAME = ("requeued", "superseded", "withheld", "discarded")
_LISTED = {
    "number": lambda change: str(change["number"]),
    "profile": member("profile"),
    "audience": _audience,
    "code": member("code"),
    "reason": member("reason"),
    "attempts": lambda change: str(change["attempts"]),
    "parked": lambda change: minute(change["parkedAt"]),
    "configuration": _is_changed,
}
_COUNTED = {
    "code": member("code"),
    "changes": lambda item: str(item["changes"]),
    "first": lambda item: minute(item["firstAt"]),
    "last": lambda item: minute(item["lastAt"]),
    "as configured": lambda item: str(item["unchangedConfiguration"]),
    "the newest's reason": member("reason"),
}
_SHOWN = {
    **{name: _LISTED[name] for name in ("number", "profile", "audience", "code", "reason", "attempts")},
    "first tried": member("firstTriedAt"),
    "parked": member("parkedAt"),
    "configuration": _is_changed,
    "message": member("message"),
    "status": lambda change: str(change["status"] or ""),
}
