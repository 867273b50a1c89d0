"""
How long an export of half of N million people takes, beside DuckDB's own COPY of the same rows.

    python benchmarks/batch.py [--rows 5000000] [--repeat 3] [--type csv] [--store]

People are made up and written to Parquet once, in a folder that goes when all is measured. Half of them are exported,
then a twentieth, in 15 columns: as plain files and by gzip, ours and DuckDB's by turns, each in a process of its own.
What counts is the ratio, for both meet the same machine: the median of the rounds. Spark takes its turn where PySpark
is installed, and its second export counts.

With `--store` they are in a store on SQLite as well, and ours is taken from there: everybody is looked at, decoded and
selected, members of an audience get a row. DuckDB still has them as columns in Parquet.

Memory is the most that the process ever held, with the largest of its children. The first byte is there when the
storage is handed one, or the file of COPY has one.
"""

import argparse
import asyncio
import importlib.util
import multiprocessing
import os
import platform
import resource
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb

from headrace.batch.export import Manner, Part, export
from headrace.batch.parts import Rows
from headrace.batch.select import Manner as Manners
from headrace.batch.selecting import selecting
from headrace.batch.selection import AudienceWanted, Column, Wanted
from headrace.connect.storage.local import LocalStaged, LocalStorage
from headrace.datasets.engine import Engine
from headrace.mapping import AttributeRow
from headrace.model.file_configurations import FileConfigurations
from headrace.model.file_format import FileFormat
from headrace.model.profile import encode
from headrace.model.reading import read
from headrace.store import profiles
from headrace.store.database import FILE, Store
from headrace.store.migrate import migrate
from headrace.store.profiles import Kept
from headrace.store.scanning import Profiles

PEOPLE = """
SELECT i AS id, format('crm-{{:09d}}', i) AS crm_id,
    CASE WHEN h % 20 = 0 THEN NULL ELSE format('person{{}}.{{}}@example.com', i, h % 9973) END AS email,
    ['Ana', 'Bruno', 'Chloé', 'David', 'Élodie', 'Farid', 'Grace', 'Hugo'][1 + h % 8] AS first_name,
    ['Silva', 'O''Neil', 'Müller', 'Da Costa', 'Smith, Jr', 'Nguyen', 'Kowalski'][1 + h % 7] AS last_name,
    format('+4930{{:08d}}', h % 100000000) AS phone,
    ['Lisboa', 'São Paulo', 'Berlin', 'Paris', 'New York', 'Warszawa'][1 + (h >> 5) % 6] AS city,
    ['PT', 'BR', 'DE', 'FR', 'US', 'PL'][1 + (h >> 5) % 6] AS country,
    DATE '1950-01-01' + (h % 20000)::INTEGER AS born, (h % 5000)::INTEGER AS points,
    CASE WHEN h % 3 = 0 THEN NULL ELSE ['gold', 'silver', 'bronze'][1 + h % 3] END AS tier,
    ((h % 1000000) / 100)::DECIMAL(12, 2) AS balance, (h % 1000) / 1000.0::DOUBLE AS score,
    TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_milliseconds(h % 30000000000) AS updated, h % 2 = 0 AS is_open,
    (h >> 7) % 100 AS bucket
FROM (SELECT i, (hash(i) >> 1)::BIGINT AS h FROM range({rows}) AS t(i))
"""
COLUMNS = "id, crm_id, email, first_name, last_name, phone, city, country, born, points"
COLUMNS += ", tier, balance, score, updated, is_open"
MEMORY_MB, THREADS = 512, 2
#: Seconds between two looks at the file that COPY writes.
LOOK = 0.002


@dataclass(frozen=True)
class Job:
    """One export: of how many hundredths of the people, as which file, by which compression."""

    people: Path
    share: int
    file_type: str
    compression: str

    @property
    def sql(self) -> str:
        return f"SELECT {COLUMNS} FROM people WHERE bucket < {self.share}"


@dataclass(frozen=True)
class Figures:
    seconds: float
    cpu: float
    first_byte: float
    memory_mb: float
    rows: int
    size: int


Engines = Callable[[Job, Path], tuple[float, int, int]]


class Timed(LocalStorage):
    """A folder that remembers when it was handed the first byte."""

    first_byte = 0.0

    async def stage(
        self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False
    ) -> LocalStaged:
        async def watched() -> AsyncIterable[bytes | memoryview]:
            async for piece in pieces:
                self.first_byte = self.first_byte or time.perf_counter()
                yield piece

        return await super().stage(path, watched(), replaces=replaces)


async def exported(rows: Rows, look: FileFormat, folder: LocalStorage) -> tuple[Part, ...]:
    async with export(rows, look, folder, Manner(lambda part: f"part-{part}")) as files:
        await files.publish()
    return files.parts


def look_of(job: Job) -> FileFormat:
    texts = {"fileType": job.file_type, "compression": job.compression}
    said = {key: {"templatingStrategy": "NONE", "value": value} for key, value in texts.items()}
    return FileFormat.of(read(FileConfigurations, said)[0], lambda text: text.value)


def ours(job: Job, scratch: Path) -> tuple[float, int, int]:
    folder = Timed(scratch, "")
    with Engine(scratch / "spill", memory_mb=MEMORY_MB, threads=THREADS, keeps_order=True) as engine:
        engine.view_parquet("people", [job.people])
        parts = asyncio.run(exported(Rows(engine, job.sql), look_of(job), folder))
    return folder.first_byte, sum(part.rows for part in parts), sum(part.size for part in parts)


def from_store(job: Job, scratch: Path) -> tuple[float, int, int]:
    """Select the members of an audience from the store, as the run of an export does."""
    folder = Timed(scratch, "")
    people = Profiles(str(job.people.parent / FILE), True, 1)
    columns = tuple(Column(name, AttributeRow(name, name)) for name in COLUMNS.split(", "))
    audience = AudienceWanted(1, "ups", f"share-{job.share}", None, Manners("full", is_first=True))
    with selecting(people, Wanted(columns, (audience,)), scratch / "spill") as selected:
        parts = asyncio.run(exported(selected.rows, look_of(job), folder))
    return folder.first_byte, sum(part.rows for part in parts), sum(part.size for part in parts)


def copy(job: Job, scratch: Path) -> tuple[float, int, int]:
    target, first = scratch / "copied", [0.0]

    def watch() -> None:
        while not first[0]:
            if target.exists() and target.stat().st_size:
                first[0] = time.perf_counter()
            time.sleep(LOOK)

    config = {"memory_limit": f"{MEMORY_MB}MB", "threads": THREADS, "temp_directory": str(scratch)}
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.read_parquet(str(job.people)).create_view("people")
        threading.Thread(target=watch, daemon=True).start()
        codec = "uncompressed" if job.compression == "none" else job.compression
        form = f"FORMAT {job.file_type}, COMPRESSION {codec}"
        row = connection.execute(f"COPY ({job.sql}) TO '{target}' ({form})").fetchone()
    assert row is not None
    return first[0], row[0], target.stat().st_size


def spark(job: Job, scratch: Path) -> tuple[float, int, int]:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - where it is installed

    session = SparkSession.builder.master(f"local[{THREADS}]").config("spark.ui.enabled", "false").getOrCreate()
    session.read.parquet(str(job.people)).createOrReplaceTempView("people")
    for _ in range(2):
        began = time.perf_counter()
        writer = session.sql(job.sql).coalesce(THREADS).write.mode("overwrite").option("compression", job.compression)
        writer.format(job.file_type).save(str(scratch / "spark"))
        seconds = time.perf_counter() - began
    files = [file for file in (scratch / "spark").iterdir() if file.name.startswith("part-")]
    return -seconds, session.sql(job.sql).count(), sum(file.stat().st_size for file in files)


def measured(engine: Engines, job: Job) -> Figures:
    """Run one export in a process of its own."""
    near, far = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=measure, args=(engine, job, far))
    child.start()
    figures: Figures = near.recv()
    child.join()
    return figures


def measure(engine: Engines, job: Job, answer: Connection) -> None:
    scratch = Path(tempfile.mkdtemp(prefix="export-", dir=job.people.parent))
    before, began = worked(), time.perf_counter()
    first, rows, size = engine(job, scratch)
    seconds = -first if first < 0 else time.perf_counter() - began
    cpu = worked() - before
    memory = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    shutil.rmtree(scratch)
    answer.send(Figures(seconds, cpu, max(first - began, 0), memory, rows, size))


def worked() -> float:
    """Return the seconds that this process has worked, and its children that have ended."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def make_people(folder: Path, rows: int) -> Path:
    file = folder / "people.parquet"
    with duckdb.connect(":memory:", config={"memory_limit": "1GB"}) as connection:
        connection.execute(f"COPY ({PEOPLE.format(rows=rows)}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
    return file


def keep_people(file: Path, rows: int) -> None:
    """Keep the same people in a store beside the file: a document each, with two audiences that they are in or not."""
    store, number = Store.open(file.parent), 0
    migrate(store)
    names = COLUMNS.split(", ")
    with duckdb.connect(":memory:", config={"memory_limit": "1GB"}) as connection:
        columns = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in names)
        found = connection.sql(f"SELECT {columns}, bucket FROM read_parquet('{file}')")
        for batch in found.to_arrow_reader(50_000):
            some = [kept(number + place, row) for place, row in enumerate(batch.to_pylist(), 1)]
            number += len(some)
            store.write_now(lambda tx, some=some: profiles.insert(tx, 1, some))  # type: ignore[misc]
    assert number == rows
    store.close()


def kept(number: int, row: dict[str, Any]) -> Kept:
    bucket = row.pop("bucket")
    memberships = {
        f"share-{share}": {
            "status": "realized" if bucket < share else "exited",
            "lastQualificationTime": "2026-03-01T00:00:00Z",
        }
        for share in (50, 5)
    }
    person = {"identityMap": {"crmId": [{"id": row["crm_id"]}]}, "segmentMembership": {"ups": memberships}, **row}
    return Kept(number, f"crmId:{row['crm_id']}", encode(person), number)


def show(name: str, found: list[Figures], ours: list[Figures]) -> None:
    """Print one line: the median of each figure, and how many times as long as ours it took."""

    def middle(of: Callable[[Figures], float]) -> float:
        return statistics.median(map(of, found))

    ratio = statistics.median(own.seconds / our.seconds for own, our in zip(found, ours, strict=True))
    print(
        f"  {name:12} {middle(lambda f: f.seconds):7.2f} s {ratio:6.2f}x  cpu {middle(lambda f: f.cpu):6.2f} s"
        f"  first byte {middle(lambda f: f.first_byte) * 1000:6.0f} ms  memory {middle(lambda f: f.memory_mb):5.0f} MB"
        f"  {found[0].rows:,} rows, {found[0].size / 1e6:,.0f} MB",
        flush=True,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").strip().split("\n")[0])
    arguments.add_argument("--rows", type=int, default=5_000_000)
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--type", choices=["csv", "json"], default="csv")
    arguments.add_argument("--store", action="store_true")
    chosen = arguments.parse_args()
    print(f"{chosen.rows:,} people, {os.cpu_count()} processors, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="headrace-batch-") as folder:
        people = make_people(Path(folder), chosen.rows)
        if chosen.store:
            keep_people(people, chosen.rows)
        for share in (50, 5):
            for compression in ("none", "gzip"):
                compare(
                    Job(people, share, chosen.type, compression), chosen.repeat, from_store if chosen.store else ours
                )


def compare(job: Job, repeat: int, own: Engines) -> None:
    """Measure every engine by turns, so that none has the better minutes."""
    engines: dict[str, Engines] = {"headrace": own, "duckdb copy": copy}
    if importlib.util.find_spec("pyspark"):
        engines["spark"] = spark
    found: dict[str, list[Figures]] = {name: [] for name in engines}
    for _ in range(repeat):
        for name, engine in engines.items():
            found[name].append(measured(engine, job))
    print(f"{job.share} % as {job.file_type}, {job.compression}; times are how much longer than ours it took")
    for name, figures in found.items():
        show(name, figures, found["headrace"])


if __name__ == "__main__":
    main()
