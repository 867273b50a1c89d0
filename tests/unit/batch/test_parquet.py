"""Parquet as other readers find it."""

import datetime as dt
import decimal
import io

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exports import file_of, look, parts_of
from headrace.batch.formats import parquet
from headrace.batch.formats.parquet import ParquetWriter
from headrace.model.problem import ConfigurationError

UTC = dt.UTC
SQL = """
SELECT 1::BIGINT AS id, 'é' AS name, NULL::VARCHAR AS none, NULL AS void, 1.50::DECIMAL(10, 2) AS paid,
    TIMESTAMPTZ '2031-03-02 06:00:00.123456+02' AS seen, TIMESTAMP '2031-03-02 06:00:00' AS local,
    TIMESTAMP_NS '2031-03-02 06:00:00.123456789' AS fine, DATE '2031-03-02' AS born, 'a'::ENUM('a', 'b') AS tier,
    'ab'::BLOB AS raw, {'a': [1, NULL], 'm': map {'k': {'deep': 255::UTINYINT}}} AS nested, 18446744073709551615::UBIGINT AS big,
    [1, 2]::INT[2] AS pair, true AS is_open, 0.5::FLOAT AS score, TIME '10:00:00' AS at
"""  # noqa: E501
TYPES = {
    "id": pa.int64(),
    "name": pa.string(),
    "none": pa.string(),
    "void": pa.string(),
    "paid": pa.decimal128(10, 2),
    "seen": pa.timestamp("us", "UTC"),
    "local": pa.timestamp("us"),
    "fine": pa.timestamp("us"),
    "born": pa.date32(),
    "tier": pa.string(),
    "raw": pa.binary(),
    "big": pa.decimal128(20, 0),
    "is_open": pa.bool_(),
    "score": pa.float32(),
    "at": pa.time64("us"),
}
VALUES = {
    "id": 1,
    "name": "é",
    "none": None,
    "void": None,
    "paid": decimal.Decimal("1.50"),
    "seen": dt.datetime(2031, 3, 2, 4, 0, 0, 123456, UTC),
    "local": dt.datetime(2031, 3, 2, 6),
    "fine": dt.datetime(2031, 3, 2, 6, 0, 0, 123456),
    "born": dt.date(2031, 3, 2),
    "tier": "a",
    "raw": b"ab",
    "nested": {"a": [1, None], "m": [("k", {"deep": 255})]},
    "big": decimal.Decimal(18446744073709551615),
    "pair": [1, 2],
    "is_open": True,
    "score": 0.5,
    "at": dt.time(10),
}


def test_types_are_those_that_readers_have(tmp_path):
    table = pq.read_table(io.BytesIO(file_of(tmp_path, SQL, look("parquet"))))

    assert {field.name: field.type for field in table.schema if field.name in TYPES} == TYPES
    assert table.schema.field("nested").type == pa.struct(
        [
            pa.field("a", pa.list_(pa.field("element", pa.int32()))),
            pa.field("m", pa.map_(pa.string(), pa.struct([("deep", pa.int16())]))),
        ]
    )
    assert table.to_pylist() == [VALUES]


@pytest.mark.parametrize("compression", ["none", "gzip", "lz4", "snappy", "zstd"])
def test_duckdb_and_pyarrow_read_every_compression(tmp_path, compression):
    sql = "SELECT i, md5(i::VARCHAR) AS text, [i, NULL] AS list FROM range(3000) AS t(i)"
    file = tmp_path / "file.parquet"
    file.write_bytes(file_of(tmp_path, sql, look("parquet", compression)))

    by_duckdb = duckdb.sql(f"SELECT * FROM '{file}'").fetchall()
    by_pyarrow = pq.read_table(file).to_pylist()

    assert by_duckdb == duckdb.sql(sql).fetchall() == [tuple(row.values()) for row in by_pyarrow]
    codec = pq.ParquetFile(file).metadata.row_group(0).column(1).compression
    assert codec == {"none": "UNCOMPRESSED"}.get(compression, compression.upper())


def test_groups_of_rows_do_not_depend_on_how_rows_come(monkeypatch):
    monkeypatch.setattr(parquet, "ROWS_OF_A_GROUP", 100)
    files = []
    for size in (1, 7, 250):
        made, schema = io.BytesIO(), pa.schema([("i", pa.int64())])
        writer = ParquetWriter(made.write, schema, "none")
        rows = pa.record_batch({"i": list(range(250))})
        for place in range(0, 250, size):
            writer.write(rows.slice(place, size))
        writer.close()
        files.append(made.getvalue())

    metadata = pq.ParquetFile(io.BytesIO(files[0])).metadata
    assert [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)] == [100, 100, 50]
    assert files[0] == files[1] == files[2]


def test_a_group_ends_where_memory_does(monkeypatch, tmp_path):
    monkeypatch.setattr(parquet, "BYTES_OF_A_GROUP", 1_000_000)
    sql = "SELECT repeat('x', 1000) || i AS text FROM range(40000) AS t(i)"

    metadata = pq.ParquetFile(io.BytesIO(file_of(tmp_path, sql, look("parquet")))).metadata

    assert metadata.num_row_groups >= 4
    assert metadata.num_rows == 40000


def test_no_rows_are_a_file_with_columns(tmp_path):
    ((rows, file),) = parts_of(tmp_path, "SELECT 1 AS a, 'x' AS b WHERE false", look("parquet"))

    table = pq.read_table(io.BytesIO(file))
    assert (rows, len(table), table.schema.names) == (0, 0, ["a", "b"])


def test_what_parquet_has_no_form_for_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="`wait` is of the type month_day_nano_interval"):
        parts_of(tmp_path, "SELECT INTERVAL 1 MONTH AS wait", look("parquet"))
