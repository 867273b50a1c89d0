"""``headrace destination``: the commands, each a few steps that the modules beside this one know how to take."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Never

import typer

from headrace.cli.destination import showing
from headrace.cli.destination.checking import check
from headrace.cli.destination.findings import Finding, summary
from headrace.cli.destination.folder import Folder, read_folder
from headrace.cli.destination.inside import write_text
from headrace.cli.destination.lock import Lock, read_lock
from headrace.cli.destination.nouns import NOUNS, ONLY, Noun, noun_of, title_of
from headrace.cli.destination.page import page_of_folder, page_of_server
from headrace.cli.destination.planning import Step, plan
from headrace.cli.destination.pulling import Result
from headrace.cli.destination.pulling import pull as pull_files
from headrace.cli.destination.pushing import Push
from headrace.cli.destination.remote import Refused, Remote, Stored, connect
from headrace.cli.destination.scaffold import Kind, SignIn, new_folder, stem_of
from headrace.cli.options import DATA, DataDir
from headrace.cli.printing import harmless, say, say_json
from headrace.errors import AuthoringError, OperationError, RequestError
from headrace.services.checks import DESTINATION, SERVER

app = typer.Typer(
    name="destination",
    help="Write destinations as files and carry them to a server.",
    no_args_is_help=True,
    add_completion=False,
)

DIFFERS, FAILED = 1, 2

FolderArgument = Annotated[Path, typer.Argument(metavar="[FOLDER]", help="The folder with the files.")]
FolderOption = Annotated[Path, typer.Option("--folder", help="The folder with the files.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Credentials = Annotated[
    Path | None,
    typer.Option(
        "--credentials",
        metavar="FILE",
        help="How to sign in at another server: its credentials.json. Without it, HEADRACE_URL, HEADRACE_CLIENT_ID, "
        "HEADRACE_CLIENT_SECRET, HEADRACE_ORG and HEADRACE_SANDBOX count, where they are set.",
        show_default=False,
    ),
]
HERE = Path()


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The name of the destination, as operators will see it.")],
    kind: Annotated[Kind, typer.Option(help="Where its data goes.")] = Kind.streaming,
    auth: Annotated[SignIn, typer.Option(help="How operators sign in; for streaming.")] = SignIn.bearer,
    folder: Annotated[
        Path | None, typer.Option(help="The folder to write; named after the destination by default.")
    ] = None,
) -> None:
    """Write a folder to begin with: valid as it stands, with comments that say what to change."""
    root = folder or Path(stem_of(name))
    files = {root / path: text for path, text in new_folder(name, kind, auth).items()}
    there = [path for path in files if path.exists()]
    if there:
        raise AuthoringError(f"{there[0]} is already there: choose another --folder")
    root.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        write_text(root, path, text)
        say(f"wrote {path}")


@app.command()
def validate(
    folder: FolderArgument = HERE,
    strict: Annotated[bool, typer.Option("--strict", help="End with exit code 1 if there is a warning.")] = False,
    json: Json = False,
) -> None:
    """
    Check every file of a folder, without a server, and print every problem at once.

    Exit code 2: there are errors. Exit code 1: there are warnings, and --strict.
    """
    read = read_folder(folder)
    found = check(read)
    _say_findings(read, found, json)
    if any(finding.is_error for finding in found):
        raise typer.Exit(FAILED)
    if found and strict:
        raise typer.Exit(DIFFERS)


@app.command()
def push(
    folder: FolderArgument = HERE,
    yes: Yes = False,
    only_plan: Annotated[bool, typer.Option("--plan", help="Show what would be done, and end.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete what has no file any more.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what others changed on the server.")] = False,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Send the secrets of the environment again, to change them there.")
    ] = False,
    json: Json = False,
    credentials: Credentials = None,
    data_dir: DataDir = DATA,
) -> None:
    """
    Make the server's objects what the files say: show what that takes, ask, and do it.

    What did not change is left alone. Secrets that the server has are kept; new ones come from the environment.
    """
    _refuse_to_ask_in_json(json, is_sure=yes or only_plan)
    read = _valid(folder, json)
    with closing(connect(data_dir, credentials)) as remote:
        lock = read_lock(folder, remote.home)
        steps = plan(read, remote, lock, prunes=prune, resends=secrets)
        if not json:
            showing.say_plan(steps)
        if only_plan:
            _end_with_plan(steps, json)
        if not force:
            _refuse_conflicts(steps)
        if any(step.changes for step in steps):
            _confirm(remote, yes, f"Do this at {remote.home.url}, sandbox {remote.home.sandbox}?")
        _carry_out(Push(remote, lock, steps, secrets), json)


@app.command()
def diff(
    folder: FolderArgument = HERE,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with exit code 1 if there are any.")] = False,
    json: Json = False,
    credentials: Credentials = None,
    data_dir: DataDir = DATA,
) -> None:
    """Show the differences between the server's objects and the files: what a push would change."""
    read = _valid(folder, json)
    with closing(connect(data_dir, credentials)) as remote:
        steps = plan(read, remote, read_lock(folder, remote.home), prunes=True)
    differing = [step for step in steps if step.changes]
    if json:
        say_json({"steps": [showing.step_json(step) for step in differing]})
    else:
        showing.say_plan(differing)
    if differing and exit_code:
        raise typer.Exit(DIFFERS)


@app.command()
def pull(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Destinations by their names; all by default.")
    ] = None,
    folder: FolderOption = HERE,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what was edited here.")] = False,
    json: Json = False,
    credentials: Credentials = None,
    data_dir: DataDir = DATA,
) -> None:
    """
    Write the server's objects into files: those that the folder has, or all of them into an empty one.

    What was edited here is kept. A file that changes is written anew in its format; its comments are lost.
    Exit code 2: a file was edited here and changed on the server.
    """
    with closing(connect(data_dir, credentials)) as remote:
        lock = read_lock(folder, remote.home)
        pulled = []
        for one in pull_files(folder, remote, lock, names or [], overwrites=force):
            pulled.append(one)
            if not json:
                say(showing.pulled_line(one))
    if json:
        items = [
            {"name": one.name, "result": one.result.value, "file": str(one.path), "note": one.note} for one in pulled
        ]
        say_json({"items": items})
    if any(one.result is Result.conflict for one in pulled):
        raise typer.Exit(FAILED)


@app.command()
def delete(
    name: Annotated[str, typer.Argument(help="A destination by its name, or an object by its file: servers/acme.")],
    folder: FolderOption = HERE,
    yes: Yes = False,
    credentials: Credentials = None,
    data_dir: DataDir = DATA,
) -> None:
    """Delete an object from the server. Its file stays: take it away, or the next push creates the object again."""
    with closing(connect(data_dir, credentials)) as remote:
        lock = read_lock(folder, remote.home)
        noun, stored = _named(remote, lock, name)
        _confirm(remote, yes, f"Delete the {noun.words} {title_of(stored.document) or stored.id} from the server?")
        try:
            remote.delete(noun, stored)
        except Refused as refused:
            raise RequestError(f"the {noun.words} {name!r} stays: {showing.reason(refused)}") from None
        if (file := lock.name_of(stored.id)) is not None:
            del lock.seen[file]
            lock.save()
    say(f"deleted {name}")


@app.command("list")
def list_(json: Json = False, credentials: Credentials = None, data_dir: DataDir = DATA) -> None:
    """List the destinations of the server."""
    with closing(connect(data_dir, credentials)) as remote:
        servers = {item["instanceId"]: item for item in remote.all_of(NOUNS[SERVER])}
        public = remote.publications()
        read = [remote.read(NOUNS[DESTINATION], item["instanceId"]) for item in remote.all_of(NOUNS[DESTINATION])]
        rows = [showing.listed(stored, servers, public.get(stored.id, [])) for stored in read if stored is not None]
    if json:
        say_json({"items": rows})
    else:
        say(showing.columns([showing.LISTED, *([str(row[name]) for name in showing.LISTED] for row in rows)]))


@app.command()
def docs(
    name: Annotated[
        str | None, typer.Argument(help="The destination: its file, or with --remote its name.", show_default=False)
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The file to write.", show_default="standard output")] = None,
    folder: FolderOption = HERE,
    remote: Annotated[bool, typer.Option("--remote", help="Read it from the server, not from the folder.")] = False,
    credentials: Credentials = None,
    data_dir: DataDir = DATA,
) -> None:
    """
    Write the documentation page of a destination, in Markdown; warn of what its author might write better.

    headrace destination docs --output acme.md
    """
    if remote:
        with closing(connect(data_dir, credentials)) as there:
            lock = read_lock(folder, there.home)
            page = page_of_server(there, _named(there, lock, name or ONLY, is_destination=True)[1])
    else:
        page = page_of_folder(read_folder(folder), name)
    if output is None:
        sys.stdout.write(page.text)
    else:
        write_text(output.parent, output, page.text)
        say(f"wrote {output}")
    for warning in page.warnings:
        sys.stderr.write(f"warning: {warning}\n")


def _valid(folder: Path, json: bool) -> Folder:
    """Read a folder in which everything is right; else say what is not, and end."""
    read = read_folder(folder)
    found = check(read)
    if any(finding.is_error for finding in found):
        _say_findings(read, found, json)
        raise typer.Exit(FAILED)
    return read


def _say_findings(folder: Folder, found: list[Finding], json: bool) -> None:
    if json:
        say_json({"problems": [finding.as_json() for finding in found]})
        return
    for finding in found:
        say(str(finding))
    say(summary(found, len(folder.objects)))


def _end_with_plan(steps: list[Step], json: bool) -> Never:
    if json:
        say_json({"steps": [showing.step_json(step) for step in steps]})
    raise typer.Exit


def _refuse_conflicts(steps: list[Step]) -> None:
    conflicts = [step for step in steps if step.changes and step.conflict]
    if conflicts:
        first, more = conflicts[0], len(conflicts) - 1
        others = f" (and {more} more)" if more else ""
        raise RequestError(f"{first.name}: {first.conflict}{others}; nothing was done: pull it, or push with --force")


def _refuse_to_ask_in_json(json: bool, *, is_sure: bool) -> None:
    if json and not is_sure:
        raise OperationError("with --json nobody is asked: add --yes, or --plan")


def _confirm(remote: Remote, yes: bool, question: str) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise OperationError("there is nobody to ask: add --yes")
    remote.close()
    typer.confirm(question, abort=True)


def _carry_out(push: Push, json: bool) -> None:
    done = []
    for one in push.run():
        done.append(one)
        if not json:
            say(showing.done_line(one.step, one.note))
    if json:
        items = [{**showing.step_json(one.step), "instanceId": one.id, "said": one.note} for one in done]
        stopped = {"stopped": "\n".join(showing.refusal(push))} if push.stopped_by is not None else {}
        say_json({"done": items, **stopped})
    elif push.stopped_by is None:
        say(f"{len(done)} changed" if done else "nothing to do: the server has what the files say")
    if push.stopped_by is not None:
        if not json:
            sys.stderr.write(harmless("\n".join(showing.refusal(push))) + "\n")
        raise typer.Exit(FAILED)


def _named(remote: Remote, lock: Lock, name: str, *, is_destination: bool = False) -> tuple[Noun, Stored]:
    """Find an object of the server by the name of its file, or a destination by its own."""
    seen = lock.seen.get(name)
    noun = noun_of(name) if seen is not None else NOUNS[DESTINATION]
    ids = [seen.instance_id] if seen is not None else remote.ids_of(noun, name)
    stored = remote.read(noun, ids[0]) if len(ids) == 1 else None
    if stored is None or (is_destination and noun.name != DESTINATION):
        many = f"{len(ids)} destinations" if len(ids) > 1 else "no destination"
        raise RequestError(f"the server has {many} {name!r}; `headrace destination list` shows what it has")
    return noun, stored
