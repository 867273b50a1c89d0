"""``headrace activate``: one file says who is sent where; it is planned, tried on who is there, and made true."""

import json
import os
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from headrace.cli.client import Client, sign_in
from headrace.cli.destination.syntax import read_yaml
from headrace.errors import OperationError, RequestError

app = typer.Typer(add_completion=False)

Object = dict[str, Any]
_SIGNS = {"create": "+", "change": "~", "remove": "-", "keep": " "}
#: People that ``--quick`` looks at.
_QUICK = 5_000
#: Lines of a body that are shown.
_MOST_LINES = 30


@app.command()
def activate(
    file: Annotated[Path, typer.Argument(help="The activation: a YAML or JSON file.", show_default=False)],
    only_plan: Annotated[bool, typer.Option("--plan", help="Show what would be done and sent, and end.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Estimate what would be sent from some of the people.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the first message to be delivered.")] = 60.0,
    data_dir: Annotated[
        Path, typer.Option(envvar="HEADRACE_DATA_DIR", help="The data directory of the server that is running.")
    ] = Path("headrace-data"),
) -> None:
    """
    Send audiences to a destination as a file says: show what that takes and sends, ask, do it, watch it begin.

    Exit code 1: a policy denies it; or nothing was delivered while it waited, and something is still under way or was
    parked.
    """
    document, console = read_activation(file), Console()
    with closing(sign_in(data_dir / "credentials.json")) as client:
        plan = _planned(client, document, console, is_quick=quick)
        _show_plan(console, plan)
        show_violations(console, plan["violations"])
        if plan["violations"]:
            raise typer.Exit(1)
        if only_plan:
            return
        if not yes and not typer.confirm("Do it?"):
            raise typer.Exit(1)
        before = client.get(f"/dataflows/{plan['dataflow']}/ledger") if plan["dataflow"] is not None else {}
        applied = client.post("/activations", document)
        is_new = any(step["action"] != "keep" for step in applied["steps"])
        console.print(f"{'activated' if is_new else 'nothing to do'}: {applied['name']} ({applied['dataflow']})")
        if plan["leaving"]["messages"] and not _follow(client, applied["dataflow"], before, console, wait):
            raise typer.Exit(1)


def read_activation(file: Path) -> Object:
    """
    Read an activation and fill in what it takes from the environment.

    Raises:
        RequestError: it is none, or a secret stands in it.
        OperationError: the file, or a variable that it names, is not there.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise OperationError(f"{file} cannot be read: {error.strerror}") from None
    written = read_yaml(text)
    for mistake in written.mistakes:
        raise RequestError(f"{file}:{mistake.place.line}:{mistake.place.column}: {mistake.message}")
    if not isinstance(written.value, dict):
        raise RequestError(f"{file} is no activation: it begins with `name:`, `destination:` and so on")
    _refuse_secrets(file, written.value)
    document: Object = _filled(written.value)
    return document


def _refuse_secrets(file: Path, document: Object) -> None:
    auth = document.get("auth")
    params = auth.get("params") if isinstance(auth, dict) else None
    for name, value in params.items() if isinstance(params, dict) else ():
        if not _is_reference(value):
            raise RequestError(f"{file}: what signs in is never in a file: write `{name}: {{env: A_VARIABLE}}`")


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"env"} and isinstance(value["env"], str)


def _filled(value: Any) -> Any:
    if _is_reference(value):
        if value["env"] not in os.environ:
            raise OperationError(f"the file takes a value from the variable {value['env']}, which is not set")
        return os.environ[value["env"]]
    if isinstance(value, dict):
        return {name: _filled(item) for name, item in value.items()}
    return [_filled(item) for item in value] if isinstance(value, list) else value


# -- what would be done and sent ----------------------------------------------------------------------------------


def _planned(client: Client, document: Object, console: Console, *, is_quick: bool) -> Object:
    """Return the plan with all counts: people are looked at some at a time, unless an estimate will do."""
    plan: Object = client.post(f"/activations/plan{f'?limit={_QUICK}' if is_quick else ''}", document)
    parts = [plan["leaving"]]
    with Progress(TextColumn("people looked at"), BarColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("", total=plan["leaving"]["of"], completed=parts[0]["looked"])
        while parts[-1]["next"] is not None and not is_quick:
            parts.append(client.post(f"/activations/plan?samples=0&after={parts[-1]['next']}", document)["leaving"])
            progress.advance(bar, parts[-1]["looked"])
    return {**plan, "leaving": summed(parts)}


def summed(parts: list[Object]) -> Object:
    """
    Add up what would leave; what was not looked at is estimated to be like the rest.

    >>> summed([{"people": 2, "looked": 4, "of": 8, "next": 4, "mostPerMessage": 3, "groups": {"0": 2}}])
    {'people': 4, 'messages': 2, 'isEstimate': True}
    """
    most, is_estimate = parts[0]["mostPerMessage"], parts[-1]["next"] is not None
    looked = sum(part["looked"] for part in parts)
    share = parts[-1]["of"] / looked if is_estimate and looked else 1.0
    groups: Counter[str] = Counter()
    for part in parts:
        groups.update(part["groups"])
    messages = sum(-(-round(count * share) // most) for count in groups.values())
    people = round(sum(part["people"] for part in parts) * share)
    return {"people": people, "messages": messages, "isEstimate": is_estimate}


def _show_plan(console: Console, plan: Object) -> None:
    for step in plan["steps"]:
        sign, changes = _SIGNS[step["action"]], ", ".join(step["changes"])
        what = f"{sign} {step['action']:<6} {step['noun']} {step['name']}{f' ({changes})' if changes else ''}"
        console.print(what, style="dim" if step["action"] == "keep" else None, markup=False, soft_wrap=True)
    for warning in plan["x-headrace"]["warnings"]:
        console.print(f"warning: {warning['path']}: {warning['message']}", markup=False, soft_wrap=True)
    if "files" in plan:
        console.print("\nfiles would be written:")
        for item in plan["files"]:
            first = f"first at {item['firstAt']}" if item["firstAt"] else "none is due by the clock"
            console.print(f"  {item['audience']}: {_count(item['members'], 'member')}, {first}", markup=False)
        return
    leaving = plan["leaving"]
    about = "about " if leaving["isEstimate"] else ""
    console.print(f"\n{about}{_count(leaving['people'], 'profile')} would leave, in {_messages(leaving)}")
    for number, sample in enumerate(plan["samples"], 1):
        console.print(f"\nmessage {number}, as it would be sent:")
        console.print("\n".join(_lines(sample)), markup=False, highlight=False, soft_wrap=True)


def show_violations(console: Console, violations: list[Object]) -> None:
    """Show which policies deny something, on which way each is violated, and what may be done about it."""
    for violation in violations:
        console.print(f"\ndenied: {violation['message']}", style="red", markup=False, soft_wrap=True)
        for way in violation["lineage"]:
            steps = " > ".join(f"{step['noun']} {step['name']}" for step in way["steps"])
            console.print(f"  {way['label']}: {steps}", markup=False, soft_wrap=True)
        console.print("  ways out:", markup=False)
        for fix in violation["fixes"]:
            console.print(f"  - {fix['message']}", markup=False, soft_wrap=True)


def _messages(leaving: Object) -> str:
    return f"{_count(leaving['messages'], 'message')} if they are as full as they may be"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _lines(sample: Object) -> list[str]:
    if "refused" in sample:
        return [f"  it cannot be rendered: {sample['refused']}"]
    lines = [f"{sample['method']} {sample['url']}"]
    lines += [f"{item['header']}: {item['value']}" for item in sample["headers"]]
    body = _pretty(sample["body"]).splitlines()
    if len(body) > _MOST_LINES:
        body[_MOST_LINES:] = [f"... {len(body) - _MOST_LINES} more lines"]
    return [f"  {_printable(line)}" for line in [*lines, "", *body]]


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except json.JSONDecodeError:
        return body


def _printable(text: str) -> str:
    """Take the terminal's control sequences out of what people's data has brought."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


# -- watching it begin --------------------------------------------------------------------------------------------


def _follow(client: Client, dataflow: str, before: Object, console: Console, wait: float) -> bool:
    """
    Show how far those who were members before have been looked at, until a message was delivered.

    ``before`` is the ledger before anything was applied: what was delivered then is no news of this.
    """
    deadline = time.monotonic() + wait
    with Progress(TextColumn("{task.description}"), BarColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("members looked at", total=None)
        while True:
            standing = client.get(f"/activations?property=id=={dataflow}")["items"][0]
            ledger = since(before, client.get(f"/dataflows/{dataflow}/ledger"))
            left = standing["backfill"]
            progress.update(bar, total=left["of"] or 1, completed=left["looked"] if left["of"] else 1)
            if ledger["messages"] or time.monotonic() >= deadline or _is_at_rest(standing, ledger):
                break
            time.sleep(0.2)
    return _conclude(console, standing, ledger)


def since(before: Object, ledger: Object) -> Object:
    """Return a ledger that counts from another one on; what is pending is pending."""
    return {name: count if name == "pending" else count - before.get(name, 0) for name, count in ledger.items()}


def _is_at_rest(standing: Object, ledger: Object) -> bool:
    is_over = not standing["backfill"]["of"] and not ledger["pending"] and ledger["accepted"] > 0
    return bool(is_over) or standing["state"] != "enabled"


def _conclude(console: Console, standing: Object, ledger: Object) -> bool:
    if ledger["messages"]:
        console.print(f"the first message was delivered; {_count(ledger['pending'], 'change')} still to go")
        return True
    reason = f": {standing['reason']}" if standing["reason"] else ""
    counts = f"{ledger['pending']} pending, {ledger['parked']} parked"
    sys.stderr.write(f"no message was delivered yet; {counts}{reason}\n")
    return False
