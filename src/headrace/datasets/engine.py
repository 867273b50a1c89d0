"""
The engine that answers SQL over datasets: DuckDB, in bounded memory, shut off from everything but what it was given.

What people may write is a query over the views they were given. It reads no other file, calls no server, loads no
extension, changes no setting, and writes nowhere.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from headrace.errors import AuthoringError

#: Rows in one batch of a reader: large enough to be quick, small enough to be nothing beside the engine's own memory.
BATCH = 50_000


class BadQuery(AuthoringError):
    """The SQL is not one query, or the engine does not understand it."""

    code = "bad-query"


class Engine:
    """
    One DuckDB, in memory, for one piece of work; it spills into ``scratch`` and leaves nothing there.

    Views are given first; ``lock`` then shuts the rest of the world off for good, and only after it may SQL that people
    wrote be read. It is used by one thread at a time. Moments are in UTC, whatever zone the machine is in.

    With ``keeps_order``, rows of a query without an order come as they stand in what it reads, the same each time.
    """

    def __init__(self, scratch: Path, *, memory_mb: int = 512, threads: int = 2, keeps_order: bool = False) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self._spill = Path(tempfile.mkdtemp(prefix="engine-", dir=scratch))
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{memory_mb}MB",
                "threads": threads,
                "temp_directory": str(self._spill),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,
                "preserve_insertion_order": keeps_order,
                # Texts of one batch may come to more than two gigabytes.
                "arrow_large_buffer_size": True,
            },
        )
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET enable_progress_bar = false")
        self._files: list[str] = []

    def view_parquet(self, name: str, files: Sequence[Path]) -> None:
        """Give Parquet files of one schema under a name."""
        paths = [str(path) for path in files]
        self._files += paths
        relation = self._connection.read_parquet(paths, union_by_name=True)
        relation.create_view(name)

    def view_reader(self, name: str, reader: pa.RecordBatchReader) -> Path:
        """
        Give what can be read only once, or only slowly, under a name: by way of a file in the scratch directory.

        Return that file, in Parquet.
        """
        file = self._file()
        with pq.ParquetWriter(file, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
        self.view_parquet(name, [file])
        return file

    def view_apart(self, name: str, other: str, column: str, reader: pa.RecordBatchReader) -> Path:
        """
        Give, as ``view_reader`` does, batches under one name, and those in which a column is true under another.

        It is true in all rows of a batch, or in none. Return the file of the first.
        """
        file = self._file()
        apart = file.with_suffix(".apart")
        with (
            pq.ParquetWriter(file, reader.schema, compression="zstd") as writer,
            pq.ParquetWriter(apart, reader.schema, compression="zstd") as second,
        ):
            for batch in reader:
                is_apart = batch.num_rows > 0 and batch.column(column)[0].as_py()
                (second if is_apart else writer).write_batch(batch)
        self.view_parquet(name, [file])
        self.view_parquet(other, [apart])
        return file

    def _file(self) -> Path:
        return self._spill / f"view-{len(self._files)}.parquet"

    def view_arrow(self, name: str, dataset: "pyarrow.dataset.Dataset | pa.Table") -> None:
        """Give anything of Arrow's that can be read more than once under a name."""
        self._connection.register(name, dataset)

    def table(self, name: str, sql: str) -> int:
        """Keep what a query of ours answers under a name, in place of what had it; return how many rows it is."""
        self._connection.execute(f'CREATE OR REPLACE TABLE "{name}" AS {sql}')
        return self._connection.table(name).shape[0]

    def lock(self) -> None:
        """Shut off files, the network, extensions and settings; what was given stays readable."""
        self._connection.execute("SET allowed_paths = ?", [self._files])
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def schema(self, sql: str) -> pa.Schema:
        """
        Return the columns that a query answers, and read nothing.

        Raises:
            BadQuery: as :meth:`read`.
        """
        try:
            return self._query(_without_end(sql)).limit(0).to_arrow_table().schema
        except duckdb.Error as error:
            raise BadQuery(str(error).strip()) from None

    def read(self, sql: str, rows: int = BATCH) -> pa.RecordBatchReader:
        """
        Answer one query, in batches of so many rows, while they are read.

        Raises:
            BadQuery: it is not one ``SELECT``, or is wrong; with the engine's own words.
        """
        try:
            return self._query(sql).to_arrow_reader(rows)
        except duckdb.Error as error:
            raise BadQuery(str(error).strip()) from None

    def view_keys(self, name: str, sql: str, column: str) -> None:
        """
        Give one column of what a query answers as texts, called ``key``, under a name; after ``lock``.

        Raises:
            BadQuery: as :meth:`read`, or there is no such column.
        """
        try:
            key = duckdb.ColumnExpression(column).cast(duckdb.type("VARCHAR")).alias("key")
            self._query(_without_end(sql)).select(key).create_view(name)
        except duckdb.Error as error:
            raise BadQuery(str(error).strip()) from None

    def _query(self, sql: str) -> duckdb.DuckDBPyRelation:
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise BadQuery("write one query that begins with SELECT or WITH")
        return self._connection.sql(sql)

    def interrupt(self) -> None:
        """Make the query under way end with an error; called from another thread."""
        self._connection.interrupt()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        shutil.rmtree(self._spill, ignore_errors=True)


def _without_end(sql: str) -> str:
    """Return a statement without its semicolon and what follows that: a view is made of what is before."""
    text = sql.encode()
    ends = (place for place, kind in duckdb.tokenize(sql) if text[place : place + 1] == b";" and kind == _OPERATOR)
    return text[: next(ends, len(text))].decode()


_OPERATOR = duckdb.token_type.operator
