"""Lines leave as they are in the column, in pieces of any size; a file of UTF-16 has one mark."""

import pyarrow as pa
import pytest

from headrace.batch.formats import formats
from unit.batch.formats.csv_table import TABLES, TEXT, look, written

LINES = ["1,é\n", "2,\n", "", "3,😀\n", "4,x\n"]
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])


def pieces_of(batches, **options):
    pieces = []
    writer = formats.get("csv").open(pieces.append, SCHEMA, look(**options))
    for batch in batches:
        writer.write(batch)
    writer.close()
    return pieces


def batch_of(lines, kind=pa.string):
    return pa.record_batch({"line": pa.array(lines, kind())})


@pytest.mark.parametrize("kind", [pa.string, pa.large_string, pa.string_view])
@pytest.mark.parametrize(("start", "size"), [(0, 5), (0, 0), (1, 3), (2, 1), (3, 2), (4, 1), (5, 0)])
def test_a_slice_is_its_own_lines_and_no_others(kind, start, size):
    batch = batch_of(LINES, kind).slice(start, size)

    assert b"".join(map(bytes, pieces_of([batch], header="false"))).decode() == "".join(LINES[start : start + size])


def test_the_column_is_handed_over_without_a_copy():
    batch = batch_of(LINES)
    (piece,) = pieces_of([batch], header="false")

    assert piece.address == batch.column(0).buffers()[2].address


def test_a_file_without_rows_has_a_header_if_it_was_asked_for():
    assert b"".join(map(bytes, pieces_of([]))) == b"id,name\n"
    assert pieces_of([], header="false") == []


@pytest.mark.parametrize(("header", "begins"), [("true", "id,name\n"), ("false", "")])
def test_a_wide_file_has_one_mark_and_the_high_byte_first(header, begins):
    file = b"".join(map(bytes, pieces_of([batch_of(LINES)] * 2, header=header, encoding="UTF-16")))

    assert file == b"\xfe\xff" + (begins + "".join(LINES) * 2).encode("utf-16-be")


def test_a_wide_file_of_nothing_is_nothing():
    assert pieces_of([], header="false", encoding="UTF-16") == []


@pytest.mark.parametrize("name", TABLES)
def test_batches_of_any_size_come_to_one_file(name):
    form = look(quote='"')

    assert len({written(TABLES[name], form, batch=size) for size in (1, 3, 1000)}) == 1


def test_a_very_long_text_is_one_cell():
    text = 'x"' * 500_000
    table = pa.table({"id": ["1"], "text": [text]})

    assert written(table, look(quote='"')).decode() == 'id,text\n1,"' + 'x\\"' * 500_000 + '"\n'


def test_years_before_and_beyond_four_digits_are_written_as_java_writes_them():
    days = pa.array([-719163, -719893, 2932897, 10**7], pa.int32()).cast(pa.date32())
    table = pa.table({"born": days, "day": days})

    assert written(table, look(header="false")).decode().splitlines() == [
        "0000-12-31,0000-12-31",
        "-0001-01-01,-0001-01-01",
        "+10000-01-01,+10000-01-01",
        "+29349-01-26,+29349-01-26",
    ]


def test_nanoseconds_are_cut_off_and_not_rounded():
    moments = pa.array([-1, 1_999, 86_400_000_000_000 - 1], pa.timestamp("ns"))
    form = look(header="false", timestampFormat="yyyy-MM-dd HH:mm:ss.SSSSSSSSS")

    assert written(pa.table({"at": moments, "x": TEXT["name"][:3]}), form).decode().split(",")[0] == (
        "1969-12-31 23:59:59.999999000"
    )
