"""Bringing a store to the newest form: Alembic's revisions in ``migrations/``, after a copy of what was there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from headrace.errors import OperationError

_SCRIPTS = Path(__file__).parent / "migrations"


def migrate(engine: Engine, path: Path) -> None:
    """
    Bring the store to the newest form; an older one is copied beside itself first.

    Raises:
        OperationError: the store was written by a newer Headrace.
    """
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    scripts = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        connection.rollback()
        if current == scripts.get_current_head():
            return
        if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
            raise OperationError(f"{path} was written by a newer Headrace (form {current}); start that one")
        if current is not None:
            _copy(connection, path.with_name(f"{path.stem}-before-{scripts.get_current_head()}.db"))
        with connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _copy(connection: Connection, target: Path) -> None:
    """Copy the store whole, at one moment of it."""
    target.unlink(missing_ok=True)
    connection.exec_driver_sql("COMMIT")
    connection.exec_driver_sql("VACUUM INTO ?", (str(target),))
    connection.rollback()
