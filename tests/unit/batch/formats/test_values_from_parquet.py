"""
Values as they come from a file of Parquet: the engine knows the least and the greatest of each column there, has types
that Arrow knows as others, and decides by them what it need not look at.
"""

import datetime as dt
import decimal
import io
import itertools
import struct
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exports import file_of, look
from unit.batch.formats.csv_reference import java_float

NAN, INFINITY = float("nan"), float("inf")
NEGATIVE_NAN = struct.unpack(">d", b"\xff\xf8\0\0\0\0\0\0")[0]
NUMBERS = [0.0, 1e-5, 0.25, 1e7, INFINITY, -INFINITY, -3.0]


def written(tmp_path, column, kind):
    """What a column of a file of Parquet is written as, without its name."""
    pq.write_table(pa.table({"v": column}), tmp_path / "people.parquet")
    file = file_of(tmp_path, f"SELECT * FROM '{tmp_path}/people.parquet'", look(kind))
    return pq.read_table(io.BytesIO(file))["v"].to_pylist() if kind == "parquet" else file.decode()


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()], ids=str)
@pytest.mark.parametrize("nan", [NAN, NEGATIVE_NAN])
def test_what_is_no_number_is_found_wherever_the_others_lie(tmp_path, kind, nan):
    for others in itertools.chain(itertools.combinations(NUMBERS, 1), itertools.combinations(NUMBERS, 2), [()]):
        numbers = [nan, *others, None]
        code = "f" if kind == pa.float32() else "d"
        texts = [java_float(struct.unpack(code, struct.pack(code, number))[0], code) for number in numbers[:-1]]

        assert written(tmp_path, pa.array(numbers, kind), "csv").split("\n")[1:-1] == texts
        said = [f'"{text}"' if text[-1] in "Ny" else text for text in texts]
        assert written(tmp_path, pa.array(numbers, kind), "json") == "".join(f'{{"v":{text}}}\n' for text in said) + (
            "{}\n"
        )


@pytest.mark.parametrize(
    ("precision", "scale", "number", "text"),
    [
        (2, 2, "0.25", "0.25"),
        (2, 2, "-0.50", "-0.50"),
        (1, 1, "0", "0.0"),
        (6, 6, "0.000001", "0.000001"),
        (7, 7, "0.1", "0.1000000"),
        (7, 7, "-0.0000001", "-1E-7"),
        (38, 38, "0.6338220760271268615698613437019008240", "0.63382207602712686156986134370190082400"),
        (38, 38, "0", "0E-38"),
    ],
)
def test_a_decimal_has_a_digit_before_its_point(tmp_path, precision, scale, number, text):
    column = pa.array([decimal.Decimal(number)], pa.decimal128(precision, scale))

    assert written(tmp_path, column, "csv") == f"v\n{text}\n"
    assert written(tmp_path, column, "json") == f'{{"v":{text}}}\n'


@pytest.mark.parametrize(("zone", "end"), [("UTC", "Z"), ("Europe/Berlin", "Z"), (None, "")])
def test_nanoseconds_are_cut_off_in_every_type_of_file(tmp_path, zone, end):
    column = pa.array([-1, 1_001_999, None], pa.timestamp("ns", zone))

    first, second = f"1969-12-31T23:59:59.999{end}", f"1970-01-01T00:00:00.001{end}"
    assert written(tmp_path, column, "csv") == f"v\n{first}\n{second}\n"
    assert written(tmp_path, column, "json") == f'{{"v":"{first}"}}\n{{"v":"{second}"}}\n{{}}\n'
    moments = [dt.datetime(1969, 12, 31, 23, 59, 59, 999999), dt.datetime(1970, 1, 1, 0, 0, 0, 1001)]
    assert written(tmp_path, column, "parquet") == [
        *(moment.replace(tzinfo=dt.UTC if zone else None) for moment in moments),
        None,
    ]


def test_texts_that_have_a_type_of_their_own_are_texts(tmp_path):
    ids = pa.array([uuid.UUID(int=7).bytes, None], pa.binary(16))
    said = pa.array(['{"a": "x,y"}', None])

    id_ = written(tmp_path, pa.ExtensionArray.from_storage(pa.uuid(), ids), "csv")
    json = written(tmp_path, pa.ExtensionArray.from_storage(pa.json_(), said), "csv")

    assert id_ == "v\n00000000-0000-0000-0000-000000000007\n"
    assert json == 'v\n\0{"a": "x,y"}\0\n'
