"""``headrace migrate``: the form of a store, and moving it to another."""

from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.serve import read_settings
from headrace.errors import OperationError
from headrace.settings import Settings
from headrace.store.database import FILE, Store
from headrace.store.migrate import NEWEST, form_of, forms, migrate

app = typer.Typer(add_completion=False)


@app.command("migrate")
def show_or_move(
    to: Annotated[
        str | None, typer.Option(metavar="FORM", help="The form to move to: `head` is the newest, `0001` the first.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The data directory.", show_default="headrace-data")] = None,
) -> None:
    """
    Show which form the store has, or move it to another.

    Headrace must not run meanwhile. `headrace serve` moves a store to the newest form by itself; this is for going back
    to an older Headrace. What only the newer form could hold is gone then; the control tables as they were are copied
    to control-before-FORM.db in the data directory.
    """
    settings = read_settings({} if data_dir is None else {"data_dir": data_dir})
    _refuse_nothing(settings)
    store = Store.open(settings.data_dir, settings.database_url)
    try:
        before = form_of(store)
        if to is None:
            print(f"{store.name} has the form {before or 'of nothing yet'}; these are known: {', '.join(forms())}")
            return
        copied = migrate(store, NEWEST if to == NEWEST else to)
        print(f"{store.name} has the form {form_of(store)}, it had {before or 'none'}")
        if copied is not None:
            print(f"the control tables as they were are in {copied}")
    finally:
        store.close()


def _refuse_nothing(settings: Settings) -> None:
    """Refuse a directory with no store in it: to look into it must not make one."""
    if not settings.database_url and not (settings.data_dir / FILE).exists():
        raise OperationError(f"there is no store in {settings.data_dir}: name its directory with --data-dir")
