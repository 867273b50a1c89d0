"""
Moving a store from one form to another: the revisions in ``migrations/``, run as one transaction.

The control tables are copied first, into a file of their own in the data directory. The data tables are not: they may
be large, and revisions only add to them.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from headrace.crashpoints import crashpoint
from headrace.errors import OperationError
from headrace.store import control
from headrace.store.database import Store, Transaction

T = TypeVar("T")

_SCRIPTS = Path(__file__).parent / "migrations"
NEWEST = "head"


@cache
def forms() -> tuple[str, ...]:
    """Return the forms that a store can have, oldest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())[::-1]


def form_of(store: Store) -> str | None:
    """
    Return the form that a store has; ``None``: nothing was ever kept in it.

    Raises:
        OperationError: the store was written by a newer Headrace.
    """
    form = store.read_now(lambda tx: MigrationContext.configure(tx.core).get_current_revision())
    if form is not None and form not in forms():
        raise OperationError(f"{store.name} was written by a newer Headrace (form {form}); start that one")
    return form


def migrate(store: Store, form: str = NEWEST) -> Path | None:
    """
    Bring a store to a form, by default the newest, and return where its control tables were copied to before.

    ``None``: it has that form, or is new. Whoever dies on the way leaves the store as it was.

    Raises:
        OperationError: there is no such form, the store was written by a newer Headrace, or another process has it.
    """
    present, wanted = form_of(store), _known(form)
    if present == wanted:
        return None
    return store.write_now(lambda tx: _move(store, tx, wanted))


def hold(store: Store) -> None:
    """Keep the store in the newest form, which it has, for as long as it is open here."""
    store.write_now(lambda tx: store.hold(tx, _known(NEWEST)))


def build(store: Store, form: str, fill: Callable[[Transaction], None], end: Callable[[Transaction], T]) -> T:
    """
    Make a store in which nothing was ever kept: in a form, filled in that, then in the newest; all of it, or nothing.

    Raises:
        OperationError: something is kept there, or the form is of a newer Headrace.
    """
    if form_of(store) is not None:
        raise OperationError(f"{store.name} is not empty, and nothing in it is overwritten: name another")
    known = forms()
    if form not in known:
        raise OperationError(f"the backup was made by a newer Headrace (form {form}): restore it with that one")

    def work(tx: Transaction) -> T:
        store.exclude(tx)
        _alter(tx, None, form)
        fill(tx)
        if form != known[-1]:
            _alter(tx, form, known[-1])
        return end(tx)

    return store.write_now(work)


def _move(store: Store, tx: Transaction, wanted: str) -> Path | None:
    """Copy and move, unless another process that began at the same moment has done so."""
    present = MigrationContext.configure(tx.core).get_current_revision()
    if present == wanted:
        return None
    store.exclude(tx)
    copied = None if present is None else control.copy(tx, store.directory / f"control-before-{wanted}.db")
    crashpoint("before_migration")
    _alter(tx, present, wanted)
    crashpoint("before_migration_commit")
    return copied


def _alter(tx: Transaction, present: str | None, wanted: str) -> None:
    config = _config()
    config.attributes["connection"] = tx.core
    is_down = present is not None and forms().index(present) > forms().index(wanted)
    (command.downgrade if is_down else command.upgrade)(config, wanted)


def _known(form: str) -> str:
    known = forms()
    if form == NEWEST:
        return known[-1]
    if form not in known:
        raise OperationError(f"{form!r} is no form of the store; these are: {', '.join(known)}")
    return form


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config
