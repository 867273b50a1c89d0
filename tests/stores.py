"""New stores for tests that are not about how one comes to be: the revisions are run once in a process."""

import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from headrace.store.database import FILE, Store
from headrace.store.migrate import migrate


def lay(directory: Path) -> None:
    """Put a store in the newest form, in which nothing was ever kept, into a data directory that is new."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / FILE).write_bytes(_empty())


def open_new(directory: Path, database_url: str = "") -> Store:
    """Open a store in the newest form: in the directory, or the database that is lent (``lend_database``)."""
    if not database_url and not (directory / FILE).exists():
        lay(directory)
    return Store.open(directory, database_url)


@cache
def _empty() -> bytes:
    """Return the file of such a store."""
    with tempfile.TemporaryDirectory() as folder:
        with closing(Store.open(Path(folder))) as store:
            migrate(store)
        return (Path(folder) / FILE).read_bytes()
