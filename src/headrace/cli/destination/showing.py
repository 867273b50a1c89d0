"""What the commands print of files, steps and findings."""

from collections.abc import Sequence
from typing import Any

from headrace.cli.destination.checking import finding_of
from headrace.cli.destination.comparing import differences
from headrace.cli.destination.findings import Finding
from headrace.cli.destination.nouns import Document, title_of
from headrace.cli.destination.planning import Action, Step
from headrace.cli.destination.pulling import Pulled
from headrace.cli.destination.pushing import Push
from headrace.cli.destination.remote import Refused, Stored
from headrace.cli.printing import say
from headrace.errors import HeadraceError

_PAST = {Action.create: "created", Action.change: "replaced", Action.delete: "deleted", Action.leave: "left as it is"}

#: What is told of each destination in a list.
LISTED = ["name", "kind", "status", "version", "modified", "published", "id"]


def columns(rows: Sequence[Sequence[str]]) -> str:
    """
    Set out rows under each other.

    >>> columns([["name", "kind"], ["a", "b"]])
    'name  kind\\na     b'
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def say_plan(steps: Sequence[Step]) -> None:
    """Print what a push would do, with what makes the difference."""
    for step in steps:
        word = "unchanged" if step.action is Action.leave and step.local is not None else step.action.value
        says = "; ".join(filter(None, (step.note, step.conflict)))
        say(f"{word:<9} {step.name}{f' ({says})' if says else ''}")
        if step.action is Action.change and step.local is not None:
            for line in differences(step.name, step.there, step.local.document).splitlines()[2:]:
                say(f"    {line}")


def step_json(step: Step) -> dict[str, Any]:
    """Return a step for scripts."""
    stored = {"instanceId": step.stored.id, "version": step.stored.version} if step.stored is not None else {}
    here = step.local.document if step.local is not None else None
    changed = {"diff": differences(step.name, step.there, here)} if step.action is Action.change else {}
    said = {name: text for name, text in (("note", step.note), ("conflict", step.conflict)) if text}
    return {"action": step.action.value, "name": step.name, **stored, **said, **changed}


def done_line(step: Step, note: str) -> str:
    """Say that a step was taken."""
    return f"{_PAST[step.action]} {step.name}{f' ({note})' if note else ''}"


def refusal(push: Push) -> list[str]:
    """Say what stopped a push, where in the files that is, and what was not done."""
    assert push.stopped_by is not None
    stopped = push.left[0]
    lines = [f"{stopped.name}: {reason(push.stopped_by)}"]
    if isinstance(push.stopped_by, Refused):
        lines += [str(finding) for finding in refused_findings(push.stopped_by, stopped)]
    names = ", ".join(step.name for step in push.left)
    return [*lines, f"not done: {names}; mend this and push again: it goes on from here"]


def reason(error: HeadraceError) -> str:
    """Say why the server did not take something."""
    if isinstance(error, Refused) and error.is_stale:
        return "somebody changed it on the server meanwhile: pull it, or push with --force"
    return error.message


def refused_findings(error: Refused, step: Step) -> list[Finding]:
    """Say where in its file the problems are that a server has with an object."""
    if step.local is None:
        return []
    found = []
    for problem in error.problems:
        known = problem.known()
        if known is not None:
            found.append(finding_of(step.local, known))
        else:
            found.append(step.local.finding(problem.code, problem.pointer, problem.message))
    return found


def pulled_line(pulled: Pulled) -> str:
    """Say what became of a file."""
    return f"{pulled.result.value:<9} {pulled.path or pulled.name}{f' ({pulled.note})' if pulled.note else ''}"


def listed(stored: Stored, servers: dict[str, Document], public: list[str]) -> dict[str, str]:
    """Return what a list tells of a destination."""
    document = stored.document
    delivery = document.get("destinationDelivery") or [{}]
    server = servers.get(delivery[0].get("destinationServerId", ""), {})
    is_streaming = server.get("destinationServerType") == "URL_BASED"
    return {
        "name": title_of(document) or "",
        "kind": "streaming" if is_streaming else "file-based",
        "status": str(document.get("status", "")),
        "version": stored.number or "-",
        "modified": str(document.get("lastModifiedDate", "")),
        "published": ", ".join(public) or "-",
        "id": stored.id,
    }
