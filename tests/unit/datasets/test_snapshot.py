"""People come out of every format as they went in, again and again, as long as the files stand."""

import json
import os
import tempfile
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.datasets.engine import Engine
from headrace.datasets.manifest import Changed, Manifest, Unreadable
from headrace.datasets.rows import BadRow
from headrace.datasets.snapshot import Snapshot
from unit.datasets.yard import EVERYTHING, FORMATS, Yard, people, profile

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=8)


def documents(snapshot, start=0):
    return [orjson.loads(document) for _, _, document in snapshot.profiles(start)]


@pytest.mark.parametrize("format_", FORMATS)
def test_every_person_comes_out_as_they_went_in(yard, format_):
    table = people(25)

    snapshot = yard.take(**yard.declared(format_, table))

    expected = [profile(row) for row in table.to_pylist()]
    by_key = lambda one: int(one["profileId"][2:])  # noqa: E731
    assert sorted(documents(snapshot), key=by_key) == expected
    assert snapshot.count(lambda *_: True) == 25


@pytest.mark.parametrize("format_", FORMATS)
def test_a_snapshot_is_read_again_from_its_manifest_and_from_any_row_on(yard, format_):
    declared = yard.declared(format_, people(25))
    taken = yard.take(**declared)

    kept = json.loads(json.dumps(taken.manifest.document()))
    again = Snapshot.open(yard.surroundings, yard.dataset(**declared), Manifest.read(kept))

    assert documents(again) == documents(taken)
    assert documents(again, 11) == documents(taken)[11:]
    assert again.schema == taken.schema


@pytest.mark.parametrize("format_", FORMATS)
def test_the_engine_reads_a_snapshot_under_a_name(yard, tmp_path, format_):
    snapshot = yard.take(**yard.declared(format_, people(25)))

    with Engine(tmp_path / "scratch") as engine:
        snapshot.view(engine, "people")
        engine.lock()
        answer = engine.read("SELECT count(*) AS n, sum(age) AS age FROM people WHERE city = 'Zürich'").read_all()

    assert answer.to_pylist() == [{"n": 12, "age": sum(n for n in range(25) if n % 2 and n % 5 != 4)}]


@pytest.mark.parametrize("format_", FORMATS)
def test_columns_are_scanned_where_a_condition_holds(yard, format_):
    snapshot = yard.take(**yard.declared(format_, people(25)))

    found = snapshot.scan(["id"], pc.field("age") > 20).read_all()

    assert found.schema.names == ["id"]
    assert sorted(found.column("id").to_pylist()) == ["C-21", "C-22", "C-23"]


@pytest.mark.parametrize("format_", ["parquet", "csv", "ndjson", "arrow"])
def test_a_file_that_was_changed_is_an_error_that_says_so(yard, tmp_path, format_):
    snapshot = yard.take(**yard.declared(format_, people(5)))
    file = snapshot.manifest.files[0].path
    os.utime(file, ns=(1, 1))

    with pytest.raises(Changed, match="was changed since the snapshot: take a new one"):
        documents(snapshot)
    with pytest.raises(Changed), Engine(tmp_path / "scratch") as engine:
        snapshot.view(engine, "people")

    Path(file).unlink()
    with pytest.raises(Changed, match="is gone"):
        documents(snapshot)


@pytest.mark.parametrize("format_", ["delta", "iceberg"])
def test_a_table_that_goes_on_leaves_a_snapshot_what_it_was(yard, format_):
    from deltalake import write_deltalake
    from pyiceberg.catalog.sql import SqlCatalog

    snapshot = yard.take(**yard.declared(format_, people(5)))
    if format_ == "delta":
        write_deltalake(str(yard.directory / "delta"), people(3), mode="overwrite")
    else:
        catalog = SqlCatalog("lake", uri=yard.sources[0].url, warehouse=f"file://{yard.directory}/lake")
        catalog.load_table("crm.people").append(people(3))
        catalog.close()

    assert len(documents(snapshot)) == 5


def test_types_are_kept(yard):
    pq.write_table(EVERYTHING, yard.directory / "all.parquet")
    columns = [name for name in EVERYTHING.column_names if name != "id"]
    attributes = [{"column": name, "path": name} for name in columns]

    snapshot = yard.take(
        format="parquet", location=str(yard.directory / "all.parquet"), key="id", attributes=attributes
    )

    ((_, line, document),) = snapshot.profiles()
    assert line == 1
    assert b'"price":12345678901234567.890' in document
    assert json.loads(document) == {
        "profileId": "7",
        "day": "2026-03-01",
        "moment": "2026-03-01T12:30:05.250000+00:00",
        "price": 12345678901234567.890,
        "score": 0.5,
        "likes": ["tea", None],
        "home": {"city": "Bern"},
        "extra": {"a": 1},
        "is_member": True,
    }


def test_whole_profiles_are_taken_as_they_stand(yard):
    written = {"profileId": "7", "segmentMembership": {"ups": {"loyal": {"status": "realized"}}}, "n": 1}
    yard.lay("people.ndjson", json.dumps(written) + "\n")
    pq.write_table(pa.Table.from_pylist([written, {"profileId": "8"}]), yard.directory / "people.parquet")

    lines = yard.take(format="ndjson", location=str(yard.directory / "people.ndjson"), shape="profiles")
    columns = yard.take(format="parquet", location=str(yard.directory / "people.parquet"), shape="profiles")

    assert documents(lines) == [written]
    assert documents(columns) == [written, {"profileId": "8"}]


def test_bad_rows_of_csv_are_told_with_their_lines(yard):
    yard.lay(
        "people.csv",
        b'id;age;city\nC-1;1;"two\nlines"\nC-2;x;Bern\n\nC-3;3\nC-4;4;B\xe9rn\nC-5;;-\nC-6;6;"a"b\nC-7;7;Ulm\n',
    )
    snapshot = yard.take(
        format="csv",
        location=str(yard.directory / "people.csv"),
        key="id",
        attributes=[{"column": "age", "path": "age"}, {"column": "city", "path": "city"}],
        types={"age": "whole"},
        csv={"delimiter": ";", "nullTexts": ["", "-"]},
    )

    rows = [*snapshot.profiles()]
    bad = [(row.line, row.code, row.reason) for row in rows if isinstance(row, BadRow)]
    good = [(row[1], orjson.loads(row[2])) for row in rows if not isinstance(row, BadRow)]
    assert bad == [
        (4, "type", "`age` is no whole number of 64 bits"),
        (6, "columns", "the row has 2 values; there are 3 columns"),
        (7, "encoding", "the row is not written in utf-8"),
        (9, "csv", "this is no CSV: ';' expected after '\"'"),
    ]
    assert good == [
        (2, {"profileId": "C-1", "age": 1, "city": "two\nlines"}),
        (8, {"profileId": "C-5"}),
        (10, {"profileId": "C-7", "age": 7, "city": "Ulm"}),
    ]
    assert snapshot.count(lambda *_: True) == 7


def test_csv_without_a_first_line_in_another_encoding(yard):
    yard.lay("people.csv", "C-1\tZürich\n".encode("latin-1"))

    snapshot = yard.take(
        format="csv",
        location=str(yard.directory / "people.csv"),
        key="id",
        attributes=[{"column": "city", "path": "city"}],
        csv={"delimiter": "\t", "header": False, "columns": ["id", "city"], "encoding": "latin-1"},
    )

    assert documents(snapshot) == [{"profileId": "C-1", "city": "Zürich"}]


def test_bad_lines_of_json_are_told(yard):
    yard.lay("a.ndjson", b'{"id": 1}\nnone\n[]\n\n{"id": "2"}\n{"x": "' + b"y" * (1 << 20) + b'"}\n{"id": 3}')

    snapshot = yard.take(format="ndjson", location=str(yard.directory / "a.ndjson"), shape="profiles")

    bad = [(row.line, row.code) for row in snapshot.profiles() if isinstance(row, BadRow)]
    assert bad == [(2, "json"), (3, "not-an-object"), (6, "too-large")]
    assert [row[1] for row in snapshot.profiles() if not isinstance(row, BadRow)] == [1, 5, 7]


def test_a_row_that_names_nobody_is_bad(yard):
    pq.write_table(pa.table({"id": ["C-1", None], "raw": [b"\xff", b"x"]}), yard.directory / "a.parquet")
    location = str(yard.directory / "a.parquet")

    by_key = [*yard.take(format="parquet", location=location, key="id").profiles()]
    raw = {"attributes": [{"column": "raw", "path": "raw"}]}
    with_bytes = [*yard.take(format="parquet", location=location, key="id", **raw).profiles()]

    assert (by_key[1].line, by_key[1].code) == (2, "no-key")
    assert [row.code for row in with_bytes] == ["type", "no-key"]


@pytest.mark.parametrize(
    ("name", "content", "said", "message"),
    [
        pytest.param("a.parquet", b"no", {"format": "parquet"}, "cannot be read as Parquet", id="no parquet"),
        pytest.param("a.arrow", b"no", {"format": "arrow"}, "cannot be read as an Arrow file", id="no arrow"),
        pytest.param("a.csv", b"", {"format": "csv"}, "does not name its columns", id="an empty file"),
        pytest.param("a.csv", b"id,id\n", {"format": "csv"}, "names a column twice", id="a column twice"),
        pytest.param("a.csv", b"name\n", {"format": "csv"}, "no column 'id'; these are: name", id="no such column"),
        pytest.param(
            "a.ndjson", b'{"id":1}\n{"id":"a"}', {"format": "ndjson"}, "say in `types` what it is", id="two types"
        ),
    ],
)
def test_what_is_not_what_the_dataset_says_is_an_error_with_the_way_out(yard, name, content, said, message):
    path = yard.lay(name, content)

    with pytest.raises(Unreadable, match=message):
        yard.take(location=str(path), key="id", **said)


def test_a_directory_that_is_no_delta_table_is_refused(yard):
    (yard.directory / "empty").mkdir()

    with pytest.raises(Unreadable, match="cannot be read as a Delta table"):
        yard.take(format="delta", location=str(yard.directory / "empty"), key="id")


@settings(max_examples=25)
@given(
    rows=st.lists(st.tuples(TEXTS, st.none() | st.integers(-(2**63), 2**63 - 1)), max_size=30),
    format_=st.sampled_from(["parquet", "csv", "ndjson", "arrow"]),
)
def test_rows_in_are_profiles_out(rows, format_):
    columns = {
        "id": pa.array([f"C-{number}" for number in range(len(rows))], pa.string()),
        "city": pa.array([text for text, _ in rows], pa.string()),
        "age": pa.array([age for _, age in rows], pa.int64()),
    }
    shape = {"key": "id", "attributes": [{"column": name, "path": name} for name in ("city", "age")]}
    expected = [
        {"profileId": f"C-{number}"}
        | ({"city": text} if text is not None else {})
        | ({"age": age} if age is not None else {})
        for number, (text, age) in enumerate(rows)
    ]
    if format_ == "ndjson" and not rows:
        return  # Without a row nobody knows which columns there are.
    with tempfile.TemporaryDirectory() as directory:
        yard = Yard(Path(directory).resolve(), Path(directory) / "copies")
        snapshot = yard.take(**yard.declared(format_, pa.table(columns), **shape))

        assert documents(snapshot) == expected
        assert snapshot.count(lambda *_: True) == len(rows)
