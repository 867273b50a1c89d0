"""``headrace migrate``: the form of a store, and moving it to another."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.settings import read_settings
from headrace.errors import OperationError
from headrace.settings import Settings
from headrace.store.database import FILE, Store
from headrace.store.migrate import form_of, forms, migrate

app = typer.Typer(add_completion=False)


@app.command("migrate")
def show_or_move(
    to: Annotated[
        str | None, typer.Option(metavar="FORM", help="The form to move to: 0001 is the first, head the newest.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The data directory.", show_default="headrace-data")] = None,
) -> None:
    """
    Show which form the store has, or move it to another.

    Headrace must not run meanwhile. It moves a store to the newest form by itself when it starts; this is for going
    back to an older Headrace. What only the newer form could hold is gone then. The control tables as they were are
    copied to control-before-FORM.db in the data directory.
    """
    settings = read_settings({} if data_dir is None else {"data_dir": data_dir})
    _look_for_store(settings)
    with closing(Store.open(settings.data_dir, settings.database_url)) as store:
        before = form_of(store)
        if to is None:
            print(f"{store.name} has the form {before or 'of a new store'}; there are {', '.join(forms())}")
            return
        copied = migrate(store, to)
        print(f"{store.name} has the form {form_of(store)}, and had {before or 'none'}")
        if copied is not None:
            print(f"its control tables as they were are in {copied}")


def _look_for_store(settings: Settings) -> None:
    """Refuse a data directory with no store in it: looking into it would make one."""
    if not settings.database_url and not (settings.data_dir / FILE).exists():
        raise OperationError(f"there is no store in {settings.data_dir}: name its directory with --data-dir")
