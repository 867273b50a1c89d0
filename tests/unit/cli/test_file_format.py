"""``headrace file format``: one file, to the byte as an export would write it, and one clear line where it cannot."""

import gzip
import json

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from headrace.cli import main


@pytest.fixture
def input_(tmp_path):
    file = tmp_path / "input[1].parquet"
    pq.write_table(pa.table({"name": ["Ana", None], "points": [7, 8]}), file)
    return file


@pytest.fixture
def format_(tmp_path, input_):
    def run(options, *, file=input_, output=tmp_path / "out"):
        said = tmp_path / "options.json"
        said.write_text(options if isinstance(options, str) else json.dumps(options))
        arguments = ["file", "format", str(file), "--options", str(said), "--output", str(output)]
        return CliRunner().invoke(main.app, arguments)

    return run


@pytest.mark.parametrize(
    ("options", "bytes_"),
    [
        ({"fileType": "json"}, b'{"name":"Ana","points":7}\n{"points":8}\n'),
        ({"fileType": "JSON", "csvOptions": {"sep": ";"}}, b'{"name":"Ana","points":7}\n{"points":8}\n'),
        (
            {"fileType": "json", "jsonOptions": {"ignoreNullFields": "false"}},
            b'{"name":"Ana","points":7}\n{"name":null,"points":8}\n',
        ),
        (
            {"fileType": "json", "x-headrace": {"jsonOptions": {"ignoreNullFields": "false"}}},
            b'{"name":"Ana","points":7}\n{"name":null,"points":8}\n',
        ),
    ],
)
def test_the_file_is_written_as_the_options_say(format_, tmp_path, options, bytes_):
    assert format_(options).exit_code == 0
    assert (tmp_path / "out").read_bytes() == bytes_


def test_the_file_is_compressed_and_replaces_another(format_, tmp_path):
    (tmp_path / "out").write_text("older")

    assert format_({"fileType": "json", "compression": "GZIP"}).exit_code == 0
    assert gzip.decompress((tmp_path / "out").read_bytes()).startswith(b'{"name":"Ana"')
    assert {path.name for path in tmp_path.iterdir()} == {"input[1].parquet", "options.json", "out"}


def test_parquet_is_written_as_parquet(format_, tmp_path, input_):
    assert format_({"fileType": "parquet", "compression": "zstd"}).exit_code == 0
    assert pq.read_table(tmp_path / "out").equals(pq.read_table(input_))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fileType": "xml"}, "`fileType`: 'xml' is not allowed here; use csv, json or parquet"),
        ({"filetype": "json"}, "did you mean `fileType`?"),
        ({"fileType": 3}, "`fileType`: `fileType` must be a text, in quotes"),
        ({"fileType": "json", "jsonOptions": {"ignoreNullFields": True}}, "must be a text, in quotes"),
        ({"fileType": "json", "jsonOptions": {"ignoreNullFields": "x"}}, "`jsonOptions.ignoreNullFields`: 'x' is not"),
        ({"fileType": "json", "jsonOptions": {"indent": "2"}}, "`jsonOptions.indent`: `indent` is not a field here"),
        ({"fileType": "json", "jsonOptions": 3}, "`jsonOptions`: `jsonOptions` must be a JSON object"),
        ({"fileType": "parquet", "compression": "bzip2"}, "`compression`: Parquet files have no compression `bzip2`"),
        ({"compression": "zip"}, "`compression`: 'zip' is not allowed here"),
        (
            {"csvOptions": {"sep": {"templatingStrategy": "PEBBLE_V1", "value": "{{customerData.sep}}"}}},
            "'{{customerData.sep}}' is a template; write what comes of it",
        ),
        ({"csvOptions": {"quote": "ab"}}, "`csvOptions.quote`: `quote` is a single character"),
        ({"fileType": "json", "maxFileRowCount": 5}, "`maxFileRowCount`"),
        ("[]", "the options are a JSON object"),
        ("{", "this is not JSON"),
    ],
)
def test_an_option_that_is_refused_is_one_clear_line(format_, tmp_path, options, says):
    result = format_(options)

    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.startswith("headrace: ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "says"), [(None, "there is no such file"), (b"id,name\n", "this is no Parquet"), (b"", "no Parquet")]
)
def test_an_input_that_is_none_is_one_clear_line(format_, tmp_path, content, says):
    file = tmp_path / "other.parquet"
    if content is not None:
        file.write_bytes(content)

    result = format_({"fileType": "json"}, file=file)

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr


def test_a_file_that_is_cut_off_says_so_and_leaves_nothing(format_, tmp_path, input_):
    file = tmp_path / "cut.parquet"
    whole = bytearray(input_.read_bytes())
    whole[4:60] = bytes(56)
    file.write_bytes(whole)

    result = format_({"fileType": "json"}, file=file)

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "out").exists()


def test_a_column_that_json_cannot_hold_is_named(format_, tmp_path):
    file = tmp_path / "waits.parquet"
    duckdb.sql(f"COPY (SELECT INTERVAL 1 MONTH AS wait) TO '{file}' (FORMAT parquet)")

    result = format_({"fileType": "json"}, file=file)

    assert result.exit_code == 2
    assert "the column `wait` is of the type month_day_nano_interval" in result.stderr


@pytest.mark.parametrize("type_", ["csv", "json", "parquet"])
@pytest.mark.parametrize(
    ("table", "says"),
    [
        (pa.table([[1], [2]], ["id", "id"]), "two columns are named `id`, in whatever case of letters; rename one"),
        (pa.table([[1], [2]], ["Id", "iD"]), "two columns are named `iD`"),
        (pa.table({"a": [[{"Id": 1, "id": 2}]]}), "two columns are named `a[].id`"),
        (pa.table([[1]], [""]), "the name of the column '' is empty"),
        (pa.table([[1]], ["a\0b"]), "has U+0000 in it; rename it"),
        (
            pa.table({"sum": pa.array([10**40], pa.decimal256(41, 0))}),
            "the column `sum` is of the type decimal256(41, 0), which has more than 38 digits; make a text of it",
        ),
    ],
)
def test_columns_that_would_not_stay_what_they_are_are_refused(format_, tmp_path, table, says, type_):
    file = tmp_path / "other.parquet"
    pq.write_table(table, file)

    result = format_({"fileType": type_}, file=file)

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["nowhere/out", "."])
def test_an_output_that_cannot_be_written_is_one_clear_line(format_, tmp_path, place):
    result = format_({"fileType": "json"}, output=tmp_path / place)

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "cannot be written" in result.stderr


def test_csv_is_written_by_its_options(format_, tmp_path):
    options = {"csvOptions": {"sep": ";", "nullValue": "none", "quote": '"'}, "compression": "none"}

    assert format_(options).exit_code == 0
    assert (tmp_path / "out").read_bytes() == b"name;points\nAna;7\nnone;8\n"
