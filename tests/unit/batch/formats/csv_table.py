"""Tables of what has been trouble in CSV, and the kernel made small: a table and options in, bytes out."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from headrace.batch.formats import formats
from headrace.model.file_configurations import FileConfigurations
from headrace.model.file_format import FileFormat
from headrace.model.reading import read

INFINITY = float("inf")

TEXTS = [
    *(None, "", " ", "   ", "\t", "\0", "\n", "\r\n", "plain", " before", "after ", " both ", "in side"),
    *("a,b", "a;b", "a|b", "a||b", "a¦b", "a\tb", "a:b", "1.5", "-1"),
    *('"', '""', '"all"', 'in"side', 'end"', '"begin', ' "blank"', "'", "'all'", "it's"),
    *("\\", "\\\\", '\\"', "a\\b", "a\\,b", '\\",', "end\\", "~", '~"', "~,"),
    *("a\nb", "a\rb", "a\r\nb", "end\n", "\nbegin", "a\0b", "\0begin", "end\0", "#comment", " #blank", "#,"),
    *("é", "naïve ", "😀", "👩‍👩‍👧", "\u202eשלום", "\u00a0nbsp\u00a0", "\ufeffmark", "\u2028line", "\x7f\x1f", "\x1fx"),
    *(
        "=1+1",
        "+49 30 1234",
        "-5",
        "@sum",
        "\t=1",
        "\r=1",
        "\0=1",
        " =1",
        "=a,b",
        "null",
        "NULL",
        "a" * 40 + "," + "é" * 9,
    ),
]
TEXT = pa.table(
    {
        "name": pa.array(TEXTS, pa.string()),
        "a,note": pa.array([TEXTS[-1 - place] for place in range(len(TEXTS))], pa.large_string()),
        " #3 ": pa.array([TEXTS[place * 7 % len(TEXTS)] for place in range(len(TEXTS))], pa.string()),
    }
)
#: One column: a line that has nothing in it is no line.
LONE = TEXT.select(["name"])

_DOUBLES = [
    *(None, 0.0, -0.0, 1.0, -1.5, 0.1, 100.0, 1e-3, 9.99e-4, 1e-5, 1234567.0, 9999999.0, 1e7, 12345678.5, 1e10, -1e21),
    *(float("nan"), INFINITY, -INFINITY, 5e-324, 1e-323, 2.5e-320, 2.2250738585072014e-308, 1.7976931348623157e308),
    *(2e23, 9007199254740993.0, 0.1 + 0.2, 4.35, 1e16, 123456789012345680.0),
]
_FLOATS = [
    *(None, 0.0, -0.0, 1.0, 0.1, 1e-3, 9.99e-4, 1e7, 16777216.0, 3.4028234663852886e38, 1.401298464324817e-45, 1e10),
    *(float("nan"), INFINITY, -INFINITY, 1.1754943508222875e-38, 0.3333333432674408),
]
_DECIMALS = ["0", "1", "-1.5", "123.45", "0.000001", "-0.0000001", "0.0000000001", "12345678901234567890.0123456789"]
_DATES = [
    *(None, date(1, 1, 1), date(99, 12, 31), date(1582, 10, 10), date(1899, 12, 31), date(1900, 2, 28)),
    *(date(1970, 1, 1), date(2000, 2, 29), date(2024, 2, 29), date(2024, 12, 30), date(2031, 9, 5), date(9999, 12, 31)),
]
_MOMENTS = [
    *(None, datetime(1, 1, 1), datetime(1899, 12, 31, 23, 59, 59, 999999), datetime(1969, 12, 31, 23, 59, 59, 999999)),
    *(datetime(1970, 1, 1), datetime(2000, 2, 29, 12), datetime(2024, 2, 29, 0, 0, 0, 1), datetime(2024, 3, 31, 1, 30)),
    *(
        datetime(2024, 6, 1, 11, 59, 59, 123456),
        datetime(2031, 3, 2, 6, 0, 0, 999500),
        datetime(9999, 12, 31, 13, 7, 8),
    ),
]
_ROWS = len(_DOUBLES)


def _column(values: list, kind: pa.DataType) -> pa.Array:
    return pa.array([values[place % len(values)] for place in range(_ROWS)], kind)


TYPED = pa.table(
    {
        "id": _column([0, -1, 2**63 - 1, -(2**63), None, 10, 11], pa.int64()),
        "amount": _column([None, *map(Decimal, ("0", "1", "-1.50", "99999999.99"))], pa.decimal128(10, 2)),
        "tiny": _column([None, *map(Decimal, _DECIMALS)], pa.decimal128(38, 10)),
        "score": _column(_DOUBLES, pa.float64()),
        "ratio": _column(_FLOATS, pa.float32()),
        "active": _column([True, False, None], pa.bool_()),
        "born": _column(_DATES, pa.date32()),
        "seen": _column([each and each.replace(tzinfo=UTC) for each in _MOMENTS], pa.timestamp("us", "UTC")),
        "local": _column(_MOMENTS, pa.timestamp("us")),
        "raw": _column([None, b"", b"\0", b"abc\xff"], pa.binary()),
        "nothing": pa.nulls(_ROWS),
        "kind": _column(["x", None, "y,z"], pa.string()).dictionary_encode(),
    }
)
TIMES = TYPED.select(["born", "seen", "local"])
TABLES = {"text": TEXT, "lone": LONE, "typed": TYPED, "times": TIMES}


def look(*, formula_guard: bool = False, **options: str) -> FileFormat:
    """Return what the texts of options come to, as an author who wrote them would have it."""
    written = {name: {"templatingStrategy": "NONE", "value": text} for name, text in options.items()}
    ours = {"x-headrace": {"formulaGuard": True}} if formula_guard else {}
    block, problems = read(FileConfigurations, {"csvOptions": written | ours})
    assert not [problem for problem in problems if problem.is_error], problems
    return FileFormat.of(block, lambda text: text.value)


def written(table: pa.Table, form: FileFormat, batch: int = 7, file: Path | None = None) -> bytes:
    """
    Write a table by way of the engine, in small batches, in a zone that has nothing to do with it.

    With ``file``, the table is read from it; the engine then knows what lies between the least and the greatest value.
    """
    made = bytearray()
    writer = formats.get("csv").open(lambda piece: made.extend(memoryview(piece)), table.schema, form)
    with duckdb.connect(config={"threads": 1}) as engine:
        engine.execute("SET TimeZone = 'Asia/Kolkata'")
        engine.register("people", table if file is None else engine.read_parquet(str(file)))
        for lines in engine.sql(f"SELECT {formats.get('csv').select(table.schema, form)} FROM people").to_arrow_reader(
            batch
        ):
            writer.write(lines)
    writer.close()
    return bytes(made)
