"""
Holds the files that are checked in against Spark itself, where there is one: a tool for whoever changes them, no test.

    python3 -m venv spark && spark/bin/pip install pyspark==4.0.1    # with Java 17 or newer
    PYTHONPATH=tests:spark/lib/python3.11/site-packages .venv/bin/python tests/unit/batch/formats/by_spark.py

It prints each line that is another one there: what `docs/files.md` says under "Where it is not Spark", and on Java 17
a few numbers that are longer there; nothing else.
"""

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unit.batch.formats.csv_goldens import goldens
from unit.batch.formats.csv_table import TABLES

#: Where Spark has another default.
DEFAULTS = {"quote": "", "header": "true"}


def session() -> Any:
    builder = importlib.import_module("pyspark.sql").SparkSession.builder.master("local[1]")
    said = {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.caseSensitive": "true",
        "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    }
    for key, value in said.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def file_by(spark: Any, table: Path, options: dict[str, str], folder: Path) -> bytes:
    writer = spark.read.parquet(str(table)).coalesce(1).write.mode("overwrite")
    for name, value in (DEFAULTS | options).items():
        writer = writer.option(name, "\r" if (name, value) == ("lineSep", "\\r") else value)
    if "timestampFormat" in options:
        writer = writer.option("timestampNTZFormat", options["timestampFormat"])
    writer.csv(str(folder))
    return b"".join(part.read_bytes() for part in folder.glob("part-*"))


def stored(folder: Path) -> Path:
    """Spark has no column without a type."""
    for name, table in TABLES.items():
        texts = [
            pa.field(each.name, pa.string() if pa.types.is_null(each.type) else each.type) for each in table.schema
        ]
        pq.write_table(table.cast(pa.schema(texts)), folder / name)
    return folder


def compare(spark: Any, folder: Path) -> None:
    tables, alike = stored(folder), 0
    chosen = [one for one in goldens() if "formulaGuard" not in one[1]]
    for table, options, file in chosen:
        theirs = file_by(spark, tables / table, options, folder / "written")
        alike += theirs == file
        lines = zip(theirs.split(b"\n"), file.split(b"\n"), strict=False)
        for other, ours in (pair for pair in lines if pair[0] != pair[1]):
            sys.stdout.write(f"{table} {options}\n  Spark    {other!r}\n  Headrace {ours!r}\n")
    sys.stdout.write(f"{alike} of {len(chosen)} files are Spark's own\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        compare(session(), Path(scratch))
