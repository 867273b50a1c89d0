"""``headrace restore``: an empty store from a backup, on whatever database."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.backup import shown
from headrace.cli.options import DATA, DataDir
from headrace.cli.printing import say
from headrace.cli.settings import read_settings
from headrace.clock import SystemClock, iso
from headrace.from_settings import erasure_log_of
from headrace.server import write_credentials
from headrace.services import erasure_log
from headrace.services.restoring import Restored, Wanted, restore
from headrace.settings import Settings
from headrace.store.backup import archive
from headrace.store.database import Store

app = typer.Typer(add_completion=False)


@app.command("restore")
def restore_store(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")],
    data_dir: DataDir = DATA,
    erasures: Annotated[
        Path | None,
        typer.Option(
            help="The newest copy of erasures.log: who was erased since the backup is erased again.",
            show_default="where this server keeps it",
        ),
    ] = None,
    moved: Annotated[
        bool, typer.Option("--moved", help="Nothing ran since the backup was taken: no dataflow is held.")
    ] = False,
) -> None:
    """
    Fill an empty store from a backup: SQLite in the data directory, or the PostgreSQL of HEADRACE_DATABASE_URL.

    Nothing is overwritten. The backup may be of the other database, or of an older Headrace. Every dataflow is held:
    feed what changed since the backup, then enable it, and its partner is told of everybody as they are now. The key
    file of then is needed to open the secrets in it.
    """
    settings = read_settings({"data_dir": data_dir})
    log = erasures or erasure_log_of(settings)
    if erasures is not None and not erasures.exists():
        raise typer.BadParameter(f"there is no {erasures}", param_hint="--erasures")
    with shown() as progress:
        found = archive.verify(path, progress.note)
    lines = tuple(erasure_log.read(log))
    with closing(Store.open(settings.data_dir, settings.database_url)) as store:
        done = restore(store, Wanted(path, found, moved, lines), SystemClock().now())
    if not (settings.data_dir / "credentials.json").exists():
        write_credentials(settings, done.client)
    _tell(settings, found, done, moved=moved, log=log if log.exists() else None)


def _tell(settings: Settings, found: archive.Verdict, done: Restored, *, moved: bool, log: Path | None) -> None:
    taken = iso(found.head.taken_at)
    say(f"restored {sum(found.rows.values())} rows and {found.files} files of {taken}")
    if log is not None:
        say(f"erasures since then, by {log}: {done.erasures}; they are done again when Headrace starts")
    elif not moved:
        say(
            "NOBODY KNOWS WHO WAS ERASED SINCE: there is no erasures.log. Erase them again before you enable a dataflow"
        )
    if done.dataflows:
        say(f"{done.dataflows} dataflows are held: start Headrace, feed what changed since {taken}, then enable each")
    say(f"how to sign in is in {settings.data_dir / 'credentials.json'}")
