"""People who do not exist, written down in every format, and how a dataset of each is declared."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq
from deltalake import write_deltalake
from pyiceberg.catalog.sql import SqlCatalog

from headrace.datasets.places import Place, Places
from headrace.datasets.rows import Surroundings
from headrace.datasets.snapshot import Snapshot
from headrace.datasets.sources import Source, Sources
from headrace.model.dataset import Dataset
from headrace.model.reading import read

SHAPE = {
    "key": "id",
    "identities": [{"column": "email", "namespace": "Email"}],
    "attributes": [{"column": "city", "path": "person.address.city"}, {"column": "age", "path": "person.age"}],
}
TYPES = {"age": "whole"}
FORMATS = ("parquet", "csv", "ndjson", "arrow", "delta", "iceberg", "sql")


@dataclass
class Yard:
    """A directory in which datasets may lie, and the sources of a sandbox."""

    directory: Path
    copies: Path
    sources: tuple[Source, ...] = ()

    @property
    def surroundings(self):
        places = Places((Place(self.directory.resolve()),))
        return Surroundings(places, Sources(self.sources), lambda: str(self.copies))

    def dataset(self, **said):
        return read(Dataset, {"name": "people", **said})[0]

    def take(self, **said):
        return Snapshot.take(self.surroundings, self.dataset(**said))

    def lay(self, name, content):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def declared(self, format_, table, **shape):
        """Write a table down in a format, and return how its dataset is declared."""
        return {"format": format_, **getattr(self, f"_{format_}")(table), **(shape or SHAPE)}

    def _parquet(self, table):
        half = table.num_rows // 2
        for number, part in enumerate((table.slice(0, half), table.slice(half))):
            (self.directory / "parquet").mkdir(exist_ok=True)
            pq.write_table(part, self.directory / "parquet" / f"part-{number}.parquet", row_group_size=3)
        return {"location": str(self.directory / "parquet")}

    def _arrow(self, table):
        path = self.directory / "people.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)
        return {"location": str(path)}

    def _csv(self, table):
        pyarrow.csv.write_csv(table, self.directory / "people.csv")
        return {"location": str(self.directory / "people.csv"), "types": TYPES}

    def _ndjson(self, table):
        self.lay("people.ndjson", "".join(json.dumps(row) + "\n" for row in table.to_pylist()))
        return {"location": str(self.directory / "people.ndjson")}

    def _delta(self, table):
        write_deltalake(str(self.directory / "delta"), table)
        return {"location": str(self.directory / "delta")}

    def _iceberg(self, table):
        url = f"sqlite:///{self.directory}/catalog.db"
        catalog = SqlCatalog("lake", uri=url, warehouse=f"file://{self.directory}/lake")
        catalog.create_namespace("crm")
        catalog.create_table("crm.people", table.schema).append(table)
        catalog.close()
        self.sources += (Source("lake", "iceberg", url),)
        return {"source": "lake", "table": "crm.people"}

    def _sql(self, table):
        path = self.directory / "crm.db"
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE people (id TEXT, email TEXT, city TEXT, age INTEGER)")
            rows = [tuple(row.values()) for row in table.to_pylist()]
            connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
        connection.close()
        self.copies.mkdir(exist_ok=True)
        self.sources += (Source("crm", "sqlite", f"sqlite:///{path}"),)
        return {"source": "crm", "query": "SELECT id, email, city, age FROM people ORDER BY id"}


def people(count):
    rows = [
        {
            "id": f"C-{number}",
            "email": None if number % 3 == 1 else f"p{number}@example.com",
            "city": "Zürich" if number % 2 else 'New "York", NY',
            "age": None if number % 5 == 4 else number,
        }
        for number in range(count)
    ]
    schema = pa.schema([("id", pa.string()), ("email", pa.string()), ("city", pa.string()), ("age", pa.int64())])
    return pa.Table.from_pylist(rows, schema)


def profile(row):
    """The profile that a row of ``people`` is, as ``SHAPE`` says it."""
    made = {"profileId": row["id"], "person": {"address": {"city": row["city"]}}}
    if row["email"] is not None:
        made["identityMap"] = {"Email": [{"id": row["email"]}]}
    if row["age"] is not None:
        made["person"]["age"] = row["age"]
    return made


MOMENT = datetime(2026, 3, 1, 12, 30, 5, 250_000, tzinfo=UTC)
EVERYTHING = pa.table(
    {
        "id": pa.array([7], pa.int32()),
        "day": pa.array([date(2026, 3, 1)]),
        "moment": pa.array([MOMENT], pa.timestamp("ns", "UTC")),
        "price": pa.array([Decimal("12345678901234567.890")], pa.decimal128(30, 3)),
        "score": pa.array([0.5]),
        "lost": pa.array([float("nan")]),
        "nothing": pa.array([None], pa.string()),
        "likes": pa.array([["tea", None]], pa.list_(pa.string())),
        "home": pa.array([{"city": "Bern", "zip": None}]),
        "extra": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        "is_member": pa.array([True]),
    }
)
