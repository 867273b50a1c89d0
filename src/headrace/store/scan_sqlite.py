"""The process that scans a store on SQLite, with the Arrow driver."""

from collections.abc import Iterator
from pathlib import Path

import adbc_driver_manager
import adbc_driver_sqlite
import pyarrow as pa

from headrace.store import scanner
from headrace.store.wanted import Wanted

_DRIVER = adbc_driver_sqlite._driver_path()


def statement(wanted: Wanted) -> str:
    """Return the one statement of a scan; what varies in it are numbers and names of ours."""
    # Everybody is read as they lie, and not by an index one by one; the plus keeps SQLite from that.
    which = f"+tenant = {wanted.tenant:d}"
    if wanted.in_order:
        which = f"tenant = {wanted.tenant:d}"
    if wanted.since is not None:
        which = f"tenant = {wanted.tenant:d} AND sequence > {wanted.since:d}"
    # A document, without the byte that says its form.
    columns = ["substr(document, 2) AS document" if name == "document" else name for name in wanted.stored]
    ordered = " ORDER BY profile" if wanted.in_order else ""
    return f"SELECT {', '.join(columns)} FROM profiles WHERE {which}{ordered}"  # noqa: S608


def read(wanted: Wanted) -> Iterator[pa.RecordBatch]:
    """Read what is stored, batch after batch. The driver as such: its DB-API takes longer to import than to answer."""
    address = f"{Path(wanted.address).absolute().as_uri()}?mode=ro"
    with (
        adbc_driver_manager.AdbcDatabase(driver=_DRIVER, uri=address) as database,
        adbc_driver_manager.AdbcConnection(database) as connection,
        adbc_driver_manager.AdbcStatement(connection) as asked,
    ):
        asked.set_options(**{"adbc.sqlite.query.batch_rows": str(wanted.batch)})
        asked.set_sql_query(statement(wanted))
        stream, _ = asked.execute_query()
        yield from pa.RecordBatchReader._import_from_c(stream.address)


def people(told: bytes) -> Iterator[pa.RecordBatch]:
    """Yield what is wanted, in a process that reads for itself."""
    return scanner.laid_out(read, scanner.wanted_of(told))


if __name__ == "__main__":
    scanner.run(read)
